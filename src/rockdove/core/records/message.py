"""Messages on their way into the store."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from rockdove.core.errors import Refusal
from rockdove.core.msgid import timestamp_field
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.ports import Permit


class Outcome(IntEnum):
    """What became of a draft."""

    STORED = 0
    RETRY = 1  # stored earlier under the same key: `msgid` and `seq` are those of then
    CONFLICT = 2  # the key was used for other content: nothing stored
    REFUSED = 3  # not permitted: nothing stored


class Draft:
    """A message on its way into the store, and then what became of it. One object per message: keep it lean."""

    __slots__ = (
        "body",
        "conversation",
        "device",
        "group_version",
        "msgid",
        "origin",
        "outcome",
        "permit",
        "record",
        "refusal",
        "sender",
        "sender_field",
        "seq",
        "seqid",
        "tenant",
    )

    def __init__(
        self,
        tenant: int,
        conversation: int,
        sender: int,
        sender_field: bytes,
        device: int,
        seqid: int,
        body: bytes,
        origin: Any,
        permit: "Permit | None" = None,
    ) -> None:
        self.tenant = tenant
        self.conversation = conversation
        self.sender = sender  # user id
        self.sender_field = sender_field  # codec.sender_field of its name
        self.device = device  # device id
        self.seqid = seqid  # 0: no de-duplication
        self.body = body  # canonical Message bytes without the server's fields
        self.origin = origin  # whom to answer; the store does not look
        self.permit = permit  # asked within the transaction, unless it is a retry; None: it was asked before
        self.msgid = 0  # given before the commit; a retry gets its first one back
        # The store fills these; they hold once `done` was called without an error.
        self.seq = 0
        self.record = b""  # what is pushed; only of STORED
        self.outcome = Outcome.STORED
        self.refusal: Refusal | None = None  # only of REFUSED
        self.group_version = 0  # Group.version when it was stored; 0 in a single chat, and in a store of one node

    def forget(self) -> None:
        """What the store had filled in does not hold: it rolled back, and begins anew."""
        self.seq, self.record, self.outcome, self.refusal, self.group_version = 0, b"", Outcome.STORED, None, 0

    def place(self, seq: int) -> None:
        """Give it its place in the conversation: now the record that will be pushed is complete."""
        self.seq = seq
        self.record = codec.record(self.body, self.sender_field, self.msgid, seq, timestamp_field(self.msgid))

    def sent(self) -> bytes:
        """The frame that answers the sender."""
        return codec.sent(self.seqid, self.msgid, self.seq, timestamp_field(self.msgid))

    @property
    def digest(self) -> int:
        """`digest_of` its content."""
        return digest_of(self.body)


UNCOUNTED_TYPES: Final = frozenset({pb.RECALL, pb.EDIT, pb.REACTION, pb.NOTICE})


def counts(message: bytes) -> bool:
    """Whether this Message (a draft's body or a record) counts as unread: notices and changes of others do not.

    Canonical bytes begin with the type, unless it is TXT.
    """
    return message[:1] != b"\x08" or message[1] not in UNCOUNTED_TYPES


digest_of: Final = crc32  # of a body: tells a retry from other content under the same key, even after the record is gone


class Earlier(NamedTuple):
    """A message that was stored under a (device, seqid) key."""

    msgid: int
    seq: int
    digest: int  # of its content
