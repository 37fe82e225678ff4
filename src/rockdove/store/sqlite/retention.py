"""Forgetting what need not be kept, in the SQLite file (protocol §5 Retention)."""

from collections.abc import Sequence
from typing import Final

from rockdove.core.records import FOREVER, GROUPS_END, OPEN, Span, single_members
from rockdove.store.sqlite.database import transaction
from rockdove.store.sqlite.requests import from_order, to_order
from rockdove.store.sqlite.tables import Tables

# Who may see what, as (user, after_seq, through_seq). ?1 is the conversation, ?3 and ?4 are the users of a single one.
_OF_SINGLE: Final = f"SELECT ?3, 0, {OPEN} UNION SELECT ?4, 0, {OPEN}"
_OF_GROUP: Final = (
    f"SELECT user, after_seq, {OPEN} FROM group_member WHERE conversation = ?1"
    " UNION ALL SELECT user, after_seq, through_seq FROM former_member WHERE conversation = ?1"
)
# Up to where the devices seen since ?2 that still lack something have all; whether every member has a device.
_ACKED: Final = (
    f"SELECT (SELECT min(acked) FROM (SELECT max(s.after_seq, m.cleared_seq, ifnull(k.seq, 0)) AS acked, s.through_seq"
    " FROM span s JOIN device d ON d.user = s.user AND d.last_seen_ms >= ?2"
    " JOIN member m ON m.user = s.user AND m.conversation = ?1"
    " LEFT JOIN cursor k ON k.device = d.id AND k.conversation = ?1) WHERE acked < through_seq),"
    f" NOT EXISTS (SELECT 1 FROM span s WHERE s.through_seq = {OPEN}"
    " AND NOT EXISTS (SELECT 1 FROM device d WHERE d.user = s.user))"
)


class Retention(Tables):
    """What each log still has to hold, and cutting it."""

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        rows = self._connection.execute(
            "SELECT c.id, t.retention_days, c.first_seq FROM tenant t JOIN conversation c ON c.tenant = t.id"
            " WHERE t.retention_days != ? AND c.id > ? ORDER BY c.id LIMIT ?",
            (FOREVER, after, limit),
        ).fetchall()
        if rows:
            self._settle_now(limit)
        return [self._span(unseen_since_ms, *row) for row in rows]

    def _span(self, unseen_since_ms: int, conversation: int, retention_days: int, first_seq: int) -> Span:
        last_seq = self._log.last_seq(conversation)
        in_group = conversation < GROUPS_END
        acked, everyone = self._connection.execute(
            f"WITH span (user, after_seq, through_seq) AS ({_OF_GROUP if in_group else _OF_SINGLE}) {_ACKED}",
            (conversation, unseen_since_ms, *(() if in_group else single_members(conversation))),
        ).fetchone()
        acked_by_all = last_seq if acked is None else min(acked, last_seq)
        return Span(conversation, retention_days, first_seq, last_seq, acked_by_all, bool(everyone))

    def _settle_now(self, messages: int) -> None:
        """What is cut must be settled first: else the counters would be read from a log that has lost its end."""
        self._log.seal(now=True)
        with transaction(self._connection):
            slice_ = self._log.settle(messages)
        if slice_ is not None:
            self._log.settled(slice_)

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        gone = self._log.cuttable(conversation, through, older_than, limit)
        if gone:
            with transaction(self._connection):
                self._log.cut(conversation, gone)
                self._connection.executemany(
                    "INSERT INTO request_expiry VALUES (?, ?, ?)",
                    [(entry.msgid, entry.device, to_order(entry.seqid)) for entry in gone if entry.seqid],
                )
                self._connection.executemany("DELETE FROM edit WHERE msgid = ?", [(entry.msgid,) for entry in gone])
                self._connection.execute("DELETE FROM hidden WHERE conversation = ? AND seq <= ?", (conversation, gone[-1].seq))
        return len(gone)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        rows = self._connection.execute(
            "SELECT msgid, device, seqid FROM request_expiry WHERE msgid < ? ORDER BY msgid LIMIT ?", (older_than, limit)
        ).fetchall()
        if rows:
            with transaction(self._connection):
                for msgid, device, seqid in rows:
                    self._log.requests.drop(device, from_order(seqid))
                    self._connection.execute("DELETE FROM request_expiry WHERE msgid = ?", (msgid,))
