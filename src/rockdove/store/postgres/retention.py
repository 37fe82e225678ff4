"""Forgetting what need not be kept, in the PostgreSQL database (protocol §5 Retention)."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from rockdove.core.records import FOREVER, GROUPS_END, OPEN, USER_BITS, USER_MASK, Span
from rockdove.store.postgres.chunk import COLUMNS, INSERT, MESSAGES, Message, folded, unfolded
from rockdove.store.postgres.conversations import columns
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.tables import to_order

_NO_SEQID: Final = to_order(0)
_PLANNED: Final = "SET LOCAL plan_cache_mode = force_custom_plan"  # by how much there is; these are few, and large
# Conversations from above $1; who may see what of them; up to where the devices seen since $2 that still lack something have
# all, and whether every member has a device.
_SPANS: Final = (
    "WITH page AS MATERIALIZED (SELECT c.id, t.retention_days, c.first_seq, c.last_seq FROM tenant t, LATERAL ("
    "SELECT * FROM conversation c WHERE c.tenant = t.id AND c.id > $1 AND c.last_seq > 0 ORDER BY c.id LIMIT $3) c"
    f" WHERE t.retention_days <> {FOREVER} ORDER BY c.id LIMIT $3),"
    " span AS MATERIALIZED ("
    f"SELECT p.id, g.account, g.after_seq, {OPEN} AS through_seq FROM page p JOIN group_member g ON g.conversation = p.id"
    " UNION ALL SELECT p.id, f.account, f.after_seq, f.through_seq FROM page p JOIN former_member f ON f.conversation = p.id"
    f" UNION SELECT p.id, p.id >> {USER_BITS}, 0, {OPEN} FROM page p WHERE p.id >= {GROUPS_END}"
    f" UNION SELECT p.id, p.id & {USER_MASK}, 0, {OPEN} FROM page p WHERE p.id >= {GROUPS_END}),"
    " owed AS (SELECT s.id, min(greatest(s.after_seq, m.cleared_seq, k.seq)) AS acked"
    " FROM span s JOIN device d ON d.account = s.account AND d.last_seen_ms >= $2"
    " JOIN member m ON m.account = s.account AND m.conversation = s.id"
    " LEFT JOIN cursor k ON k.device = d.id AND k.conversation = s.id"
    " WHERE greatest(s.after_seq, m.cleared_seq, k.seq) < s.through_seq GROUP BY s.id),"
    f" lacking AS (SELECT DISTINCT s.id FROM span s WHERE s.through_seq = {OPEN}"
    " AND NOT EXISTS (SELECT FROM device d WHERE d.account = s.account))"
    " SELECT p.id, p.retention_days, p.first_seq, p.last_seq, o.acked, l.id IS NULL"
    " FROM page p LEFT JOIN owed o ON o.id = p.id LEFT JOIN lacking l ON l.id = p.id ORDER BY p.id"
)
_OLDEST: Final = (
    f"SELECT {COLUMNS} FROM chunk c WHERE c.conversation = $1 AND c.last_seq < least($2, {OPEN - MESSAGES}) + {MESSAGES}"
    " AND c.last_seq - c.size < $2 AND c.last_msgid - (c.size - 1) * c.step < $3 ORDER BY c.last_seq LIMIT $4"
)
_CUT: Final = "DELETE FROM chunk WHERE conversation = $1 AND last_seq <= $2"
_KEEP: Final = "INSERT INTO request (device, seqid, msgid, seq, digest) VALUES ($1, $2, $3, $4, $5)"
_OLD: Final = "SELECT device, seqid FROM request WHERE msgid < $1 ORDER BY msgid LIMIT $2"
_LAST: Final = (
    "UPDATE device d SET last_seqid = greatest(d.last_seqid, o.seqid)"
    " FROM unnest($1::bigint[], $2::bigint[]) AS o (device, seqid) WHERE d.id = o.device"
)
_FORGET: Final = (
    "DELETE FROM request r USING unnest($1::bigint[], $2::bigint[]) AS o (device, seqid)"
    " WHERE r.device = o.device AND r.seqid = o.seqid"
)


class Retention:
    """What each log still has to hold, and cutting it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        """See Store.spans."""
        async with self._database.transaction() as connection:
            await connection.execute(_PLANNED)
            rows = await connection.fetch(_SPANS, after, unseen_since_ms, limit)
        return [
            Span(conversation, days, first_seq, last_seq, last_seq if acked is None else min(acked, last_seq), everyone)
            for conversation, days, first_seq, last_seq, acked, everyone in rows
        ]

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        """See Store.cut."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", conversation)
            gone: list[Message] = []
            rest: list[Message] = []  # of the last chunk that is touched
            for row in await connection.fetch(_OLDEST, conversation, through, older_than, limit):
                messages = unfolded(row)
                count = sum(message.seq <= through and message.msgid < older_than for message in messages)
                count = min(count, limit - len(gone))
                if not count:
                    break
                gone += messages[:count]
                rest = messages[count:]
                if rest:
                    break
            if gone:
                await self._cut(connection, gone, rest)
        return len(gone)

    async def _cut(self, connection: asyncpg.Connection, gone: Sequence[Message], rest: Sequence[Message]) -> None:
        """The first messages of a conversation go, but `rest` of the last chunk; their keys are kept for a time."""
        keys = [(m.device, m.seqid, m.msgid, m.seq, m.digest) for m in gone if m.seqid != _NO_SEQID]
        msgids, last = [message.msgid for message in gone], gone[-1]
        conversation = last.conversation
        await connection.execute(_CUT, conversation, last.seq + len(rest))
        if rest:
            await connection.execute(INSERT, *folded(rest))
        await connection.executemany(_KEEP, keys)
        await connection.execute("DELETE FROM edit WHERE msgid = ANY ($1)", msgids)
        await connection.execute("DELETE FROM document WHERE msgid = ANY ($1)", msgids)
        await connection.execute("DELETE FROM hidden WHERE conversation = $1 AND seq <= $2", conversation, last.seq)
        await connection.execute("UPDATE conversation SET first_seq = $2 WHERE id = $1", conversation, last.seq + 1)
        await connection.execute("UPDATE progress SET cut_msgid = greatest(cut_msgid, $1)", last.msgid)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        """See Store.forget_requests."""
        async with self._database.transaction() as connection:
            await connection.execute(_PLANNED)
            old = await connection.fetch(_OLD, older_than, limit)
            if not old:
                return
            last: dict[int, int] = {}
            for device, seqid in old:
                last[device] = max(seqid, last.get(device, seqid))
            devices = sorted(last)
            await connection.execute(_LAST, devices, [last[device] for device in devices])
            await connection.execute(_FORGET, *columns(old, 2))
