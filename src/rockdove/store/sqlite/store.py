"""Logs, cursors and devices in the SQLite file."""

import sqlite3
from collections.abc import Callable, Sequence

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.records import (
    FOREVER,
    Batch,
    Device,
    Draft,
    Earlier,
    Position,
    Span,
    Stored,
    Summary,
    peer_of,
    single_members,
)
from rockdove.store.sqlite.database import transaction
from rockdove.store.sqlite.log import NO_BOUND, Log
from rockdove.store.sqlite.requests import from_order, to_order
from rockdove.store.sqlite.tail import SEAL_AT

SETTLE_MIN = 64  # messages settled with a commit, at least; else twice what it adds


class SqliteStore:
    """`core.ports.Store` on a connection of `open_database`. Nothing suspends; `done` is called at once.

    There must be only one on a file. Other processes may write accounts meanwhile.
    """

    def __init__(self, connection: sqlite3.Connection, seal_at: int = SEAL_AT) -> None:
        """`seal_at` is the number of messages that wait in memory for being settled; see tail.py."""
        self._connection = connection
        self._log = Log(connection, seal_at)
        (epoch,) = connection.execute("SELECT value FROM setting WHERE name = 'epoch'").fetchone()
        self.epoch = int.from_bytes(epoch, "little")

    @property
    def last_msgid(self) -> int:
        return self._log.last_msgid

    def close(self) -> None:
        self._connection.close()

    # -- commit

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        log = self._log
        added: list[Draft] = []
        try:
            with transaction(self._connection):
                if batch.messages:
                    log.append(batch.messages, added)
                self._write_marks(batch)
                slice_ = log.settle(max(SETTLE_MIN, 2 * len(added)))
        except (StoreUnavailable, StoreFailed) as error:
            log.take_back(batch.messages, added)
            done(error)
            return
        if slice_ is not None:
            log.settled(slice_)
        if added:
            log.last_msgid = added[-1].msgid
            log.seal()
        done(None)

    def _write_marks(self, batch: Batch) -> None:
        executemany = self._connection.executemany
        if batch.cursors:
            executemany(
                "INSERT INTO cursor VALUES (?, ?, ?)"
                " ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq",
                [(device, conversation, seq) for (device, conversation), seq in batch.cursors.items()],
            )
        if batch.reads:
            executemany(
                "UPDATE member SET read_seq = max(read_seq, ?3) WHERE user = ?1 AND conversation = ?2",
                [(user, conversation, seq) for (user, conversation), seq in batch.reads.items()],
            )
        if batch.seen:
            executemany("UPDATE device SET last_seen_ms = ? WHERE id = ?", [(batch.now_ms, device) for device in batch.seen])

    # -- logs

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        return self._log.messages(conversation, after, before or NO_BOUND, limit)

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        return self._log.newest(conversation, before or NO_BOUND, limit)

    async def last_seq(self, conversation: int) -> int:
        return self._log.last_seq(conversation)

    # -- devices and cursors

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        request = self._log.requests.find(device, seqid, self._log.tails)
        return Earlier(*request) if request else None

    async def open_device(self, user: int, name: str, client: str, now_ms: int) -> Device:
        execute = self._connection.execute
        row = execute("SELECT id FROM device WHERE user = ? AND name = ?", (user, name)).fetchone()
        if row is None:
            with transaction(self._connection):
                row = execute(
                    "INSERT INTO device (user, name, client, last_seen_ms) VALUES (?, ?, ?, ?) RETURNING id",
                    (user, name, client, now_ms),
                ).fetchone()
                execute(
                    "INSERT INTO cursor SELECT ?1, k.conversation, max(k.seq) FROM device d JOIN cursor k ON k.device = d.id"
                    " WHERE d.user = ?2 GROUP BY k.conversation",
                    (row[0], user),
                )
        return Device(row[0], self._log.requests.highest(row[0], self._log.tails))

    async def owed(self, user: int, device: int) -> Sequence[int]:
        rows = self._connection.execute(
            "SELECT c.id, c.last_seq, c.last_msgid, ifnull(k.seq, 0) FROM member m JOIN conversation c ON c.id = m.conversation"
            " LEFT JOIN cursor k ON k.device = ? AND k.conversation = c.id WHERE m.user = ?",
            (device, user),
        )
        owed = []
        for conversation, settled_seq, settled_msgid, cursor in rows:
            seq, msgid = self._log.last_place(conversation, settled_seq, settled_msgid)
            if seq > cursor:
                owed.append((msgid, conversation))
        return [conversation for _, conversation in sorted(owed)]

    async def position(self, user: int, device: int, conversation: int) -> Position:
        cursors = dict(
            self._connection.execute(
                "SELECT d.id, k.seq FROM device d JOIN cursor k ON k.device = d.id AND k.conversation = ? WHERE d.user = ?",
                (conversation, user),
            ).fetchall()
        )
        return Position(cursors.get(device, 0), max(cursors.values(), default=0))

    async def read_seq(self, user: int, conversation: int) -> int:
        row = self._connection.execute(
            "SELECT read_seq FROM member WHERE user = ? AND conversation = ?", (user, conversation)
        ).fetchone()
        return row[0] if row else 0

    # -- the list of conversations

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        rows = self._connection.execute(
            "SELECT c.id, c.last_seq, c.last_msgid FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.user = ?",
            (user,),
        )
        places = [(self._log.last_place(*row)[1], row[0]) for row in rows]
        page = [place for place in sorted(places, reverse=True) if before is None or place < before][:limit]
        return [await self._summary(user, device, conversation, msgid) for msgid, conversation in page]

    async def _summary(self, user: int, device: int, conversation: int, last_msgid: int) -> Summary:
        peer = peer_of(conversation, user)
        (name,) = self._connection.execute("SELECT name FROM user WHERE id = ?", (peer,)).fetchone()
        last = self._log.message(last_msgid)
        read_seq = await self.read_seq(user, conversation)
        return Summary(
            conversation=conversation,
            peer=name,
            last_seq=self._log.last_seq(conversation),
            acked_seq=(await self.position(user, device, conversation)).cursor,
            read_seq=read_seq,
            peer_read_seq=await self.read_seq(peer, conversation),
            unread=self._log.foreign(user, conversation, max(read_seq, self._first_seq(conversation) - 1)),
            last_msgid=last_msgid,
            last=last.record if last else b"",
        )

    def _first_seq(self, conversation: int) -> int:
        (first,) = self._connection.execute("SELECT first_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
        return int(first)

    # -- retention

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
        acked_by_all = last_seq = self._log.last_seq(conversation)
        everyone = True
        for user in set(single_members(conversation)):
            seen, cursor, devices = self._connection.execute(
                "SELECT count(*) FILTER (WHERE d.last_seen_ms >= ?1),"
                " min(ifnull(k.seq, 0)) FILTER (WHERE d.last_seen_ms >= ?1), count(*)"
                " FROM device d LEFT JOIN cursor k ON k.device = d.id AND k.conversation = ?2 WHERE d.user = ?3",
                (unseen_since_ms, conversation, user),
            ).fetchone()
            everyone = everyone and devices > 0
            if seen:
                acked_by_all = min(acked_by_all, cursor)
        return Span(conversation, retention_days, first_seq, last_seq, acked_by_all, everyone)

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
