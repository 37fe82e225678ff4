"""How messages lie in the log: several in one row, because a row costs more than what is in it.

A chunk is a blob of entries, each a header and a record. Chunks stay below a page of the database where the messages are
short, and never hold messages of two commits.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from struct import Struct
from typing import Any, Final, NamedTuple

from rockdove.core.records import OPEN, DraftRun, Stored

CHUNK_BYTES: Final = 4_000  # one page, less what SQLite needs of it

HEADER: Final = Struct("<QQQIIQII")  # msgid, conversation, seq, sender, device, seqid, digest, length of the record
MSGID_BYTES: Final = 8
_STEP: Final = Struct("<Q36xI")  # of a header only what leads to the next one: msgid, length of the record


class Entry(NamedTuple):
    """One message of a chunk."""

    msgid: int
    conversation: int
    seq: int
    sender: int
    device: int
    seqid: int
    digest: int
    record: bytes


def chunks(packed: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Rows of the log from packed entries, in the order of their msgids: (first msgid, blob)."""
    rows = []
    ends = list(accumulate(map(len, packed)))
    start = end = 0
    while start < len(packed):
        stop = max(bisect_right(ends, end + CHUNK_BYTES, start), start + 1)
        rows.append((int.from_bytes(packed[start][:MSGID_BYTES], "little"), b"".join(packed[start:stop])))
        start, end = stop, ends[stop - 1]
    return rows


def packed_run(run: DraftRun, digests: Sequence[int]) -> list[bytes]:
    """The entries of messages in a row that have their places."""
    conversation, sender, device, header = run.conversation, run.sender, run.device, HEADER.pack
    messages = enumerate(zip(run.msgids, run.seqids, digests, run.records, strict=True), run.first_seq)
    return [
        header(msgid, conversation, seq, sender, device, seqid, digest, len(record)) + record
        for seq, (msgid, seqid, digest, record) in messages
    ]


def pack(entry: Entry) -> bytes:
    """An entry as it lies in a chunk."""
    return HEADER.pack(*entry[:-1], len(entry.record)) + entry.record


def entries(data: bytes) -> Iterator[Entry]:
    """What is in a chunk, by msgid upwards."""
    at = 0
    while at < len(data):
        head = HEADER.unpack_from(data, at)
        at += HEADER.size
        yield _entry(head, data, at)
        at += head[-1]


def find(data: bytes, msgid: int) -> Entry | None:
    """The entry with that msgid, if it is still there."""
    at = 0
    while at < len(data):
        head = HEADER.unpack_from(data, at)
        at += HEADER.size
        if head[0] == msgid:
            return _entry(head, data, at)
        at += head[-1]
    return None


def _entry(head: tuple[Any, ...], data: bytes, at: int) -> Entry:
    msgid, conversation, seq, sender, device, seqid, digest, length = head
    return Entry(msgid, conversation, seq, sender, device, seqid, digest, data[at : at + length])


def select(data: bytes, msgids: Sequence[int], index: int, found: list[Stored]) -> int:
    """Append those of `msgids`, which go upwards, from `index` on that are in the chunk to `found`.

    Returns the index of the first one that may be in a later chunk; it is above `index`.
    """
    at, end, size = 0, len(data), HEADER.size
    before, stop, wanted = index, len(msgids), msgids[index]
    step, unpack = _STEP.unpack_from, HEADER.unpack_from
    while at < end:
        msgid, length = step(data, at)
        if msgid >= wanted:
            break
        at += size + length
    while at < end and index < stop:
        msgid, _, seq, sender, device, _, _, length = unpack(data, at)
        at += size
        if msgid > wanted:  # which was cut
            index = bisect_left(msgids, msgid, index)
            wanted = msgids[index] if index < stop else OPEN
        if msgid == wanted:
            found.append(Stored(seq, msgid, sender, device, data[at : at + length]))
            index += 1
            wanted = msgids[index] if index < stop else OPEN
        at += length
    return max(index, before + 1)


def without(data: bytes, msgids: Iterable[int]) -> bytes:
    """The chunk after some messages were cut from it."""
    gone = frozenset(msgids)
    return b"".join(pack(entry) for entry in entries(data) if entry.msgid not in gone)


def rewritten(data: bytes, msgid: int, record: bytes) -> bytes:
    """The chunk after one message got another record."""
    return b"".join(pack(entry._replace(record=record) if entry.msgid == msgid else entry) for entry in entries(data))
