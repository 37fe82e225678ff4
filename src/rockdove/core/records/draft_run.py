"""Messages in a row on their way into the store, as columns: most of what each of them costs is then paid once for all."""

from typing import TYPE_CHECKING, Any

from rockdove.core.errors import Refusal
from rockdove.core.msgid import timestamp_field
from rockdove.core.records.message import Draft, Outcome, digest_of
from rockdove.wire import codec

if TYPE_CHECKING:
    from rockdove.core.ports import Permit


class DraftRun:
    """What would be several drafts that differ in content and seqid alone: texts of one device, to one conversation.

    It is stored as a whole, or not at all; see `Batch.store_runs`.
    """

    __slots__ = (
        "bodies",
        "conversation",
        "device",
        "first_seq",
        "group_version",
        "msgids",
        "origin",
        "outcome",
        "permit",
        "records",
        "refusal",
        "sender",
        "sender_field",
        "seqids",
        "tenant",
    )

    def __init__(self, draft: Draft, seqids: list[int], bodies: list[bytes]) -> None:
        """`draft` is the first of them; `seqids` (none is 0) and `bodies` are those of all."""
        self.tenant = draft.tenant
        self.conversation = draft.conversation
        self.sender = draft.sender
        self.sender_field = draft.sender_field
        self.device = draft.device
        self.origin: Any = draft.origin
        self.permit: Permit | None = draft.permit
        self.seqids = seqids
        self.bodies = bodies
        self.msgids: list[int] = []  # given before the commit
        # The store fills these; they hold once it is stored.
        self.first_seq = 0
        self.records: list[bytes] = []
        self.outcome = Outcome.STORED
        self.refusal: Refusal | None = None
        self.group_version = 0  # as that of a draft

    def __len__(self) -> int:
        return len(self.seqids)

    def drafts(self) -> list[Draft]:
        """The messages one by one, not numbered."""
        return [
            Draft(
                self.tenant,
                self.conversation,
                self.sender,
                self.sender_field,
                self.device,
                seqid,
                body,
                self.origin,
                self.permit,
            )
            for seqid, body in zip(self.seqids, self.bodies, strict=True)
        ]

    def place(self, first_seq: int) -> None:
        """Give them their places in the conversation: now the records that will be pushed are complete."""
        self.first_seq = first_seq
        sender, record = self.sender_field, codec.record
        self.records = [
            record(body, sender, msgid, seq, timestamp_field(msgid))
            for seq, (body, msgid) in enumerate(zip(self.bodies, self.msgids, strict=True), first_seq)
        ]

    def sent(self) -> bytes:
        """The frames that answer the sender."""
        sent = codec.sent
        return b"".join(
            [
                sent(seqid, msgid, seq, timestamp_field(msgid))
                for seq, (seqid, msgid) in enumerate(zip(self.seqids, self.msgids, strict=True), self.first_seq)
            ]
        )

    @property
    def digests(self) -> list[int]:
        """Of each, `digest_of` its content."""
        return list(map(digest_of, self.bodies))
