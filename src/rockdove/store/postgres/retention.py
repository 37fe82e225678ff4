"""Forgetting what need not be kept, in the PostgreSQL database (protocol §5 Retention)."""

from collections.abc import Sequence
from typing import Final

from rockdove.core.records import FOREVER, GROUPS_END, OPEN, USER_BITS, USER_MASK, Span
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
_CUT: Final = (
    "DELETE FROM message WHERE conversation = $1 AND seq IN (SELECT seq FROM message WHERE conversation = $1 AND seq <= $2"
    " ORDER BY seq LIMIT $4) AND msgid < $3 RETURNING msgid, seq, device, seqid"
)
_OLD: Final = "SELECT msgid, device, seqid FROM request_expiry WHERE msgid < $1 ORDER BY msgid LIMIT $2"
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
            gone = await connection.fetch(_CUT, conversation, through, older_than, limit)
            if gone:
                msgids, seqs = [row["msgid"] for row in gone], [row["seq"] for row in gone]
                await connection.executemany(
                    "INSERT INTO request_expiry VALUES ($1, $2, $3)",
                    [(msgid, device, seqid) for msgid, _, device, seqid in gone if seqid != _NO_SEQID],
                )
                await connection.execute("DELETE FROM edit WHERE msgid = ANY ($1)", msgids)
                await connection.execute("DELETE FROM document WHERE msgid = ANY ($1)", msgids)
                await connection.execute("DELETE FROM hidden WHERE conversation = $1 AND seq <= $2", conversation, max(seqs))
                await connection.execute("UPDATE conversation SET first_seq = $2 WHERE id = $1", conversation, max(seqs) + 1)
                await connection.execute("UPDATE progress SET cut_msgid = greatest(cut_msgid, $1)", max(msgids))
        return len(gone)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        """See Store.forget_requests."""
        async with self._database.transaction() as connection:
            await connection.execute(_PLANNED)
            old = await connection.fetch(_OLD, older_than, limit)
            if not old:
                return
            last: dict[int, int] = {}
            for _, device, seqid in old:
                last[device] = max(seqid, last.get(device, seqid))
            devices = sorted(last)
            await connection.execute(_LAST, devices, [last[device] for device in devices])
            await connection.execute(_FORGET, [device for _, device, _ in old], [seqid for _, _, seqid in old])
            await connection.execute("DELETE FROM request_expiry WHERE msgid = ANY ($1)", [msgid for msgid, _, _ in old])
