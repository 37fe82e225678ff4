"""Reading messages from the PostgreSQL database."""

from collections.abc import Sequence
from typing import Any, Final

from rockdove.core.msgid import timestamp_field
from rockdove.core.records import OPEN, Earlier, Located, Stored
from rockdove.store.postgres.tables import Tables, to_order
from rockdove.wire import codec

_STORED: Final = "SELECT m.seq, m.msgid, m.sender, m.device, m.record, m.whole FROM message m WHERE m.conversation = $1"


def record_of(record: bytes, whole: bool, msgid: int, seq: int) -> bytes:
    """The Message as it is pushed. What the columns say anyway is not stored a second time, until it is rewritten."""
    return record if whole else codec.record(record, b"", msgid, seq, timestamp_field(msgid))


def kept_of(record: bytes, msgid: int, seq: int) -> tuple[bytes, bool]:
    """And back: what is to be stored of a Message, and whether that is all of it."""
    said = record_of(b"", False, msgid, seq)
    return (record.removesuffix(said), False) if record.endswith(said) else (record, True)


class Log(Tables):
    """All conversations."""

    async def last_seq(self, conversation: int) -> int:
        row = await self._rows.row("SELECT last_seq FROM conversation WHERE id = $1", conversation)
        return row[0] if row else 0

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        rows = await self._rows.fetch(
            f"{_STORED} AND m.seq > $2 AND m.seq < $3 ORDER BY m.seq LIMIT $4", conversation, after, before or OPEN, limit
        )
        return [_stored(row) for row in rows]

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        rows = await self._rows.fetch(
            f"{_STORED} AND m.seq < $2 ORDER BY m.seq DESC LIMIT $3", conversation, before or OPEN, limit
        )
        return [_stored(row) for row in reversed(rows)]

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        row = await self._rows.row(
            "SELECT msgid, seq, digest FROM request WHERE device = $1 AND seqid = $2", device, to_order(seqid)
        )
        return Earlier(*row) if row else None

    async def located(self, msgid: int) -> Located | None:
        row = await self._rows.row("SELECT conversation, seq, sender, record, whole FROM message WHERE msgid = $1", msgid)
        if row is None:
            return None
        conversation, seq, sender, record, whole = row
        return Located(conversation, seq, sender, record_of(record, whole, msgid, seq))

    async def edits(self, msgid: int) -> Sequence[int]:
        rows = await self._rows.fetch("SELECT edit FROM edit WHERE msgid = $1 ORDER BY edit", msgid)
        return [edit for (edit,) in rows]


def _stored(row: Any) -> Stored:
    seq, msgid, sender, device, record, whole = row
    return Stored(seq, msgid, sender, device, record_of(record, whole, msgid, seq))
