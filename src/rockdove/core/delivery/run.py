"""Messages that follow each other in a log: they are stored, answered and pushed together."""

from collections.abc import Sequence

from rockdove.core.records import Draft, Outcome
from rockdove.wire import codec


class Run:
    """Messages of one device, the same for all who get them, on their way to the sessions of a conversation."""

    __slots__ = ("_frames", "_records", "conversation", "device", "first", "last", "msgids", "sender", "seqs")

    def __init__(
        self, conversation: int, first: int, msgids: Sequence[int], records: Sequence[bytes], sender: int, device: int
    ) -> None:
        """`first` is the first one's seq; `sender` and `device` are ids."""
        self.conversation = conversation
        self.first = first
        self.last = first + len(msgids) - 1
        self.seqs: Sequence[int] = range(first, self.last + 1) if self.last > first else (first,)
        self.msgids = msgids
        self.sender = sender
        self.device = device
        self._records = records
        self._frames = b""

    @property
    def frames(self) -> bytes:
        """What is written to each session: built when the first one wants it."""
        if not self._frames:
            if self.last > self.first:
                self._frames = codec.pushes(self._records, self.msgids)
            else:
                self._frames = codec.push(self._records[0], self.msgids[0])
        return self._frames


def run_of(drafts: Sequence[Draft]) -> Run:
    """The run that stored drafts are; see `runs`."""
    draft = drafts[0]
    if len(drafts) == 1:
        return Run(draft.conversation, draft.seq, (draft.msgid,), (draft.record,), draft.sender, draft.device)
    msgids, records = [draft.msgid for draft in drafts], [draft.record for draft in drafts]
    return Run(draft.conversation, draft.seq, msgids, records, draft.sender, draft.device)


def runs(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """A batch's drafts, in order: together those of one origin that were stored one behind the other in one log."""
    found: list[list[Draft]] = []
    last: Draft | None = None
    for draft in drafts:
        if (
            last is not None
            and draft.origin is last.origin
            and draft.conversation == last.conversation
            and draft.seq == last.seq + 1
            and draft.outcome is Outcome.STORED is last.outcome
            and draft.group_version == last.group_version
        ):
            found[-1].append(draft)
        else:
            found.append([draft])
        last = draft
    return found
