"""Messages of a batch on their way into chunks: those that will be one row are one piece."""

from collections.abc import Iterator, Sequence
from typing import Final

from rockdove.core.msgid import STEP
from rockdove.core.records import Draft, DraftRun, counts
from rockdove.store.postgres.chunk import HEADER, MESSAGES

BYTES: Final = 4_000  # of records in one chunk, unless it is a single message: two of them fit into a page


class Piece:
    """Messages that follow each other: some drafts, or those of a run from an index on."""

    __slots__ = (
        *(
            "conversation",
            "counted",
            "device",
            "first_msgid",
            "last_msgid",
            "last_seqid",
            "number",
            "records",
            "sender",
            "size",
        ),
        *("_drafts", "_run", "_start"),
    )

    def __init__(self, messages: DraftRun | list[Draft], start: int, stop: int, records: bytes) -> None:
        """`records` is how they lie in the chunk."""
        if isinstance(messages, DraftRun):
            first: Draft | DraftRun = messages
            self._run: DraftRun | None = messages
            self._drafts: Sequence[Draft] = ()
            self.counted = True
            self.first_msgid, self.last_msgid = messages.msgids[start], messages.msgids[stop - 1]
            self.last_seqid = messages.seqids[stop - 1]
        else:
            first, last = messages[0], messages[-1]
            self._run = None
            self._drafts = messages
            self.counted = counts(last.body)
            self.first_msgid, self.last_msgid = first.msgid, last.msgid
            self.last_seqid = last.seqid
        self.conversation = first.conversation
        self.device = first.device
        self.sender = first.sender
        self.size = stop - start
        self.records = records
        self.number = 0  # of the last one, among those that the conversation gets
        self._start = start

    def rename(self, last_msgid: int) -> None:
        """They have got other msgids, which count by one."""
        self.first_msgid, self.last_msgid = last_msgid - self.size + 1, last_msgid
        msgids = range(self.first_msgid, last_msgid + 1)
        if self._run is not None:
            self._run.msgids[self._start : self._start + self.size] = msgids
        for draft, msgid in zip(self._drafts, msgids, strict=False):
            draft.msgid = msgid

    def place(self, last_seq: int) -> None:
        """They are stored, up to this place. Once all pieces were renamed."""
        first_seq = last_seq - self.size + 1
        if self._run is not None and not self._start:  # the others of the run follow
            self._run.place(first_seq)
        for seq, draft in enumerate(self._drafts, first_seq):
            draft.place(seq)


def pieces_of_run(run: DraftRun) -> Iterator[Piece]:
    """All of a run."""
    seqids, msgids, sender, head = run.seqids, run.msgids, run.sender_field, HEADER.pack
    records = [
        head(len(body) + len(sender), digest) + body + sender for body, digest in zip(run.bodies, run.digests, strict=True)
    ]
    start = size = 0
    for index, record in enumerate(records):
        if index > start and (
            size + len(record) > BYTES
            or index - start == MESSAGES
            or seqids[index] != seqids[index - 1] + 1
            or msgids[index] != msgids[index - 1] + STEP
        ):
            yield Piece(run, start, index, b"".join(records[start:index]))
            start, size = index, 0
        size += len(record)
    yield Piece(run, start, len(records), b"".join(records[start:]))


def pieces_of(drafts: Sequence[Draft]) -> Iterator[Piece]:
    """All of these drafts, in order."""
    some: list[Draft] = []
    records, head = b"", HEADER.pack
    for draft in drafts:
        body, sender = draft.body, draft.sender_field
        record = head(len(body) + len(sender), draft.digest) + body + sender
        if some and not (draft.device == some[-1].device and _follow(some, draft) and len(records) + len(record) <= BYTES):
            yield Piece(some, 0, len(some), records)
            some, records = [], b""
        some.append(draft)
        records += record
    if some:
        yield Piece(some, 0, len(some), records)


def _follow(drafts: Sequence[Draft], draft: Draft) -> bool:
    """Whether it can lie in one chunk with these, which are of the same device."""
    last = drafts[-1]
    return (
        draft.conversation == last.conversation
        and draft.msgid == last.msgid + STEP
        and draft.seqid == last.seqid + 1 > 1
        and counts(draft.body) == counts(last.body)
        and len(drafts) < MESSAGES
    )
