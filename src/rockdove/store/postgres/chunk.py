"""How messages lie in the database: those that follow each other are one row, because a row costs more than what is in it.

See migrations/0003_chunks.sql for what the messages of a chunk have in common.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from rockdove.core.msgid import timestamp_field
from rockdove.core.records import OPEN, Earlier, Located, Stored
from rockdove.store.postgres.tables import Rows, from_order, to_order
from rockdove.wire import codec

MESSAGES: Final = 64  # in one chunk, at most; statements that look for one message rely on it
SPAN: Final = 1 << 16  # the msgids of a chunk lie within it

COLUMNS: Final = (
    "c.conversation, c.last_seq, c.last_msgid, c.device, c.last_seqid, c.sender, c.size, c.step, c.counted, c.whole, c.records"
)
INSERT: Final = (
    "INSERT INTO chunk (conversation, last_seq, last_msgid, device, last_seqid, sender, size, step, counted, whole, records)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
)
DELETE: Final = "DELETE FROM chunk WHERE conversation = $1 AND last_seq = $2"
AT_SEQ: Final = (  # the chunk that the message p.seq of p.conversation is in
    f"LATERAL (SELECT {COLUMNS} FROM chunk c WHERE c.conversation = p.conversation AND c.last_seq >= p.seq"
    " ORDER BY c.last_seq LIMIT 1) c ON c.last_seq - c.size < p.seq"
)
OF_MSGID: Final = (  # whether the message with the msgid {0} is in it
    f"c.last_msgid >= {{0}} AND c.last_msgid < least({{0}}, {OPEN - SPAN}) + {SPAN}"
    " AND c.last_msgid - (c.size - 1) * c.step <= {0} AND (c.last_msgid - {0}) % c.step = 0"
)
LOCATED: Final = f"SELECT {COLUMNS} FROM chunk c WHERE {OF_MSGID.format('$1')}"
_EARLIER: Final = (
    f"SELECT {COLUMNS} FROM unnest($1::bigint[], $2::bigint[]) AS a (device, seqid), LATERAL (SELECT *"
    " FROM chunk c WHERE c.device = a.device AND c.last_seqid >= a.seqid ORDER BY c.last_seqid LIMIT 1) c"
    " WHERE c.last_seqid - c.size < a.seqid"
)
_CUT: Final = (
    "SELECT r.device, r.seqid, r.msgid, r.seq, r.digest FROM unnest($1::bigint[], $2::bigint[]) AS a (device, seqid)"
    " JOIN request r ON r.device = a.device AND r.seqid = a.seqid"
)

HEADER: Final = Struct(">II")  # before each record: its length, and the digest of what the sender sent


class Message(NamedTuple):
    """One message of a chunk."""

    conversation: int
    seq: int
    msgid: int
    device: int
    seqid: int  # as in `request`
    sender: int
    counted: bool
    whole: bool
    digest: int
    kept: bytes  # the record as it lies there

    @property
    def record(self) -> bytes:
        """The Message as it is pushed."""
        return record_of(self.kept, self.whole, self.msgid, self.seq)

    @property
    def stored(self) -> Stored:
        """For those who read the log."""
        return Stored(self.seq, self.msgid, self.sender, self.device, self.record)

    @property
    def located(self) -> Located:
        """For those who found it by its msgid."""
        return Located(self.conversation, self.seq, self.sender, self.record)


def record_of(kept: bytes, whole: bool, msgid: int, seq: int) -> bytes:
    """The Message as it is pushed. What the columns say anyway is not stored a second time, until it is rewritten."""
    return kept if whole else codec.record(kept, b"", msgid, seq, timestamp_field(msgid))


def kept_of(record: bytes, msgid: int, seq: int) -> tuple[bytes, bool]:
    """And back: what is to be stored of a Message, and whether that is all of it."""
    said = record_of(b"", False, msgid, seq)
    return (record.removesuffix(said), False) if record.endswith(said) else (record, True)


def unfolded(row: Sequence[Any]) -> list[Message]:
    """The messages of a row of COLUMNS, by seq upwards."""
    conversation, seq, msgid, device, seqid, sender, size, step, counted, whole, records = row
    seq -= size
    msgid -= size * step
    seqid -= size
    messages = []
    at = 0
    while at < len(records):
        length, digest = HEADER.unpack_from(records, at)
        at += HEADER.size
        seq += 1
        msgid += step
        seqid += 1
        kept = records[at : at + length]
        messages.append(Message(conversation, seq, msgid, device, seqid, sender, counted, whole, digest, kept))
        at += length
    return messages


def all_unfolded(rows: Iterable[Sequence[Any]]) -> Iterator[Message]:
    """The messages of several rows."""
    for row in rows:
        yield from unfolded(row)


def folded(messages: Sequence[Message]) -> tuple[Any, ...]:
    """And back: the row, as INSERT wants it. They follow each other in all that a chunk has in common."""
    last = messages[-1]
    step = last.msgid - messages[-2].msgid if len(messages) > 1 else 1
    records = b"".join([HEADER.pack(len(message.kept), message.digest) + message.kept for message in messages])
    return (
        *(last.conversation, last.seq, last.msgid, last.device, last.seqid, last.sender, len(messages), step),
        *(last.counted, last.whole, records),
    )


async def earlier_of(rows: Rows, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Earlier]:
    """What was stored under these (device, seqid), by them; perhaps with their neighbours."""
    wanted = list(keys)
    columns = [device for device, _ in wanted], [to_order(seqid) for _, seqid in wanted]
    cut = await rows.fetch(_CUT, *columns)
    found = {(device, from_order(seqid)): Earlier(*rest) for device, seqid, *rest in cut}
    for message in all_unfolded(await rows.fetch(_EARLIER, *columns)):
        found[message.device, from_order(message.seqid)] = Earlier(message.msgid, message.seq, message.digest)
    return found
