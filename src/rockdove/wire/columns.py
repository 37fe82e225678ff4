"""What `codec` makes of one message, made of many at a time: the loops are in C.

All columns are of one length; timestamps are varints that do not go back.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import add
from struct import Struct

from rockdove.wire import codec

_SEQID = Struct("<BQ").pack  # Request.seqid with its key
_FORMS = 256  # that are remembered, by the lengths of what has no fixed one


def records(
    bodies: Sequence[bytes], sender: bytes, msgids: Sequence[int], first_seq: int, timestamps: Sequence[bytes]
) -> list[bytes]:
    """As `codec.record`; the seqs follow each other."""
    seqs = _seqs(first_seq, len(bodies))
    if _lengths_differ(seqs, timestamps):
        each = zip(bodies, msgids, range(first_seq, first_seq + len(bodies)), timestamps, strict=True)
        return [codec.record(body, sender, msgid, seq, timestamp) for body, msgid, seq, timestamp in each]
    pack = _record_end(len(sender), len(seqs[0]), len(timestamps[0]))
    ends = map(pack, repeat(sender), repeat(0x41), msgids, repeat(0x48), seqs, repeat(0x50), timestamps)
    return list(map(add, bodies, ends))


def sent(seqids: Sequence[int], msgids: Sequence[int], first_seq: int, timestamps: Sequence[bytes]) -> bytes:
    """As `codec.sent`, one behind the other; no seqid is 0."""
    seqs = _seqs(first_seq, len(seqids))
    if _lengths_differ(seqs, timestamps):
        each = zip(seqids, msgids, range(first_seq, first_seq + len(seqids)), timestamps, strict=True)
        return b"".join([codec.sent(seqid, msgid, seq, timestamp) for seqid, msgid, seq, timestamp in each])
    pack = _sent(len(seqs[0]), len(timestamps[0]))
    head, payload = codec.SENT_HEADS[2 + len(seqs[0]) + len(timestamps[0])]
    heads, payloads = repeat(head), repeat(payload)
    return b"".join(map(pack, heads, seqids, payloads, msgids, repeat(0x10), seqs, repeat(0x18), timestamps))


def pushes(records: Sequence[bytes], msgids: Sequence[int]) -> bytes:
    """As `codec.push`, one behind the other; no msgid is 0."""
    heads, seqids = map(codec.push_head, map(len, records)), map(_SEQID, repeat(0x21), msgids)
    return b"".join(chain.from_iterable(zip(heads, records, seqids, strict=True)))


def _seqs(first: int, count: int) -> Sequence[bytes]:
    varints = codec.VARINTS[first : first + count]
    return varints if len(varints) == count else list(map(codec.varint, range(first, first + count)))


def _lengths_differ(*columns: Sequence[bytes]) -> bool:
    """Of varints that do not go back."""
    return any(len(column[0]) != len(column[-1]) for column in columns)


@lru_cache(_FORMS)
def _record_end(sender: int, seq: int, timestamp: int) -> Callable[..., bytes]:
    """What the server adds to a message."""
    return Struct(f"<{sender}sBQB{seq}sB{timestamp}s").pack


@lru_cache(_FORMS)
def _sent(seq: int, timestamp: int) -> Callable[..., bytes]:
    """The whole answer."""
    return Struct(f"<6sQ3sQB{seq}sB{timestamp}s").pack
