"""Logs, cursors and devices in the SQLite file."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.records import (
    FOREVER,
    Batch,
    Device,
    Draft,
    Outcome,
    Position,
    Span,
    Stored,
    Summary,
    peer_of,
    single_members,
)
from rockdove.store.sqlite.database import transaction
from rockdove.store.sqlite.tail import SEAL_AT, Request, Run, Settling, Tail, signed, unsigned

HEADS: Final = 500_000  # conversations whose last seq is remembered
SETTLE_MIN: Final = 64  # rows settled with a commit, at least; at most twice what it adds
NO_BOUND: Final = 1 << 62

_MESSAGE: Final = "SELECT seq, msgid, sender, device, record FROM message WHERE msgid = ?"
_RANGE: Final = (
    "SELECT p.seq, p.msgid, m.sender, m.device, m.record FROM place p JOIN message m ON m.msgid = p.msgid"
    " WHERE p.conversation = ? AND p.seq > ? AND p.seq < ? ORDER BY p.seq"
)


class SqliteStore:
    """`core.ports.Store` on a connection of `open_database`. Nothing suspends; `done` is called at once.

    There must be only one on a file. Other processes may write accounts meanwhile.
    """

    def __init__(self, connection: sqlite3.Connection, seal_at: int = SEAL_AT) -> None:
        """Read the unsettled part of the log again; `seal_at` is the number of messages after which it is settled."""
        self._connection = connection
        self._seal_at = seal_at
        self._tail = Tail()
        self._settling: Settling | None = None
        self._heads: dict[int, int] = {}  # last seq by conversation: of all in a tail, and others looked up
        self._seqids: dict[int, int] = {}  # highest seqid by device: likewise
        settings = dict(connection.execute("SELECT name, value FROM setting WHERE name IN ('epoch', 'settled')"))
        self.epoch = int.from_bytes(settings["epoch"], "little")
        self.last_msgid = int(settings.get("settled", 0))
        self._read_tail()

    def _read_tail(self) -> None:
        rows = self._connection.execute(
            "SELECT conversation, seq, msgid, sender, device, seqid, digest FROM message WHERE msgid > ? ORDER BY msgid",
            (self.last_msgid,),
        )
        for conversation, seq, msgid, sender, device, seqid, digest in rows:
            self._tail.add(conversation, seq, msgid, sender, device, unsigned(seqid), digest)
            self._heads[conversation] = seq
            self.last_msgid = msgid
        for device, requests in self._tail.requests.items():
            self._raise_seqid(device, max(requests))

    # -- commit

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        added: list[Draft] = []
        seqids: dict[int, int] = {}  # highest ones as they were before this batch
        try:
            with transaction(self._connection):
                if batch.messages:
                    self._write_messages(batch.messages, added, seqids)
                self._write_marks(batch)
                slice_ = self._settle(max(SETTLE_MIN, 2 * len(added)))
        except (StoreUnavailable, StoreFailed) as error:
            self._take_back(added, seqids)
            done(error)
            return
        if added:
            self.last_msgid = added[-1].msgid
        if slice_ is not None:
            slice_()
        done(None)

    def _write_messages(self, drafts: Sequence[Draft], added: list[Draft], seqids: dict[int, int]) -> None:
        rows = []
        heads, tail, highest = self._heads, self._tail, self._seqids
        for draft in drafts:
            conversation, device, seqid, msgid = draft.conversation, draft.device, draft.seqid, draft.msgid
            digest = draft.digest
            if seqid:
                high = highest.get(device)
                if high is None:
                    high = self._last_seqid(device)
                if seqid > high:  # the usual case: it cannot have been stored before
                    seqids.setdefault(device, high)
                    highest[device] = seqid
                elif (earlier := self._request(device, seqid)) is not None:
                    draft.msgid, draft.seq = earlier.msgid, earlier.seq
                    draft.outcome = Outcome.RETRY if earlier.digest == digest else Outcome.CONFLICT
                    continue
            head = heads.get(conversation)
            if head is None:
                head = self._open_conversation(draft)
            seq = heads[conversation] = head + 1
            draft.place(seq)
            tail.add(conversation, seq, msgid, draft.sender, device, seqid, digest)
            added.append(draft)
            rows.append((msgid, conversation, seq, draft.sender, device, signed(seqid), digest, draft.record))
        self._connection.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _take_back(self, added: Sequence[Draft], seqids: dict[int, int]) -> None:
        for draft in reversed(added):
            self._tail.take_back(draft.conversation, draft.device, draft.seqid)
            self._heads[draft.conversation] -= 1
        for draft in added:
            if not self._runs(draft.conversation):
                self._heads.pop(draft.conversation, None)  # its row may have been rolled back, too
        self._seqids.update(seqids)

    def _write_marks(self, batch: Batch) -> None:
        connection = self._connection
        if batch.cursors:
            connection.executemany(
                "INSERT INTO cursor VALUES (?, ?, ?)"
                " ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq",
                [(device, conversation, seq) for (device, conversation), seq in batch.cursors.items()],
            )
        if batch.reads:
            connection.executemany(
                "UPDATE member SET read_seq = max(read_seq, ?3) WHERE user = ?1 AND conversation = ?2",
                [(user, conversation, seq) for (user, conversation), seq in batch.reads.items()],
            )
        if batch.seen:
            connection.executemany(
                "UPDATE device SET last_seen_ms = ? WHERE id = ?", [(batch.now_ms, device) for device in batch.seen]
            )

    def _open_conversation(self, draft: Draft) -> int:
        conversation = draft.conversation
        head = self._stored_head(conversation)
        if head is not None:
            return head
        self._connection.execute("INSERT INTO conversation (id, tenant) VALUES (?, ?)", (conversation, draft.tenant))
        self._connection.executemany(
            "INSERT INTO member (user, conversation) VALUES (?, ?)",
            [(user, conversation) for user in set(single_members(conversation))],
        )
        return 0

    def _stored_head(self, conversation: int) -> int | None:
        row = self._connection.execute("SELECT last_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
        return row[0] if row else None

    def _request(self, device: int, seqid: int) -> Request | None:
        for tail in self._tails():
            request = tail.requests.get(device, {}).get(seqid)
            if request is not None:
                return request
        row = self._connection.execute(
            "SELECT msgid, seq, digest FROM request WHERE device = ? AND seqid = ?", (device, signed(seqid))
        ).fetchone()
        return Request(*row) if row else None

    def _last_seqid(self, device: int) -> int:
        known = self._seqids.get(device)
        if known is None:
            row = self._connection.execute("SELECT last_seqid FROM device WHERE id = ?", (device,)).fetchone()
            known = self._seqids[device] = unsigned(row[0])
        return known

    def _raise_seqid(self, device: int, seqid: int) -> int:
        self._seqids[device] = max(self._last_seqid(device), seqid)
        return self._seqids[device]

    # -- settling

    def _tails(self) -> Sequence[Tail]:
        """From new to old."""
        return (self._tail,) if self._settling is None else (self._tail, self._settling.tail)

    def _settle(self, rows: int, *, now: bool = False) -> Callable[[], None] | None:
        """Write the next slice, within a transaction. Returns what to do once it is durable."""
        settling = self._settling
        if settling is None:
            if not self._tail.size or (self._tail.size < self._seal_at and not now):
                return None
            settling = self._settling = Settling(self._tail)
            self._tail = Tail()
        slice_ = settling.slice(rows)
        connection = self._connection
        # A crash between slices makes them come again.
        connection.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", slice_.places)
        connection.executemany("UPDATE conversation SET last_seq = ?, last_msgid = ? WHERE id = ?", slice_.heads)
        connection.executemany("INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?)", slice_.requests)
        connection.executemany(
            "UPDATE device SET last_seqid = ? WHERE id = ?",
            [(signed(self._raise_seqid(device, seqid)), device) for device, seqid in slice_.devices],
        )
        last = settling.tail.last_msgid
        if not slice_.places and not slice_.requests:
            connection.execute("INSERT OR REPLACE INTO setting VALUES ('settled', ?)", (last,))

        def done() -> None:
            settling.done(slice_)
            if not slice_.places and not slice_.requests:
                self._settling = None
                self._forget_heads()

        return done

    def _forget_heads(self) -> None:
        if len(self._heads) > HEADS:
            self._heads = {conversation: self._heads[conversation] for conversation in self._tail.runs}
        if len(self._seqids) > HEADS:
            self._seqids = {device: self._seqids[device] for device in self._tail.requests}

    # -- reading logs

    def _runs(self, conversation: int) -> list[Run]:
        """The unsettled messages of a conversation, from old to new."""
        return [tail.runs[conversation] for tail in reversed(self._tails()) if conversation in tail.runs]

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        before = before or NO_BOUND
        runs = self._runs(conversation)
        found: list[Stored] = []
        if not runs or after + 1 < runs[0].first:
            bound = min(before, runs[0].first) if runs else before
            rows = self._connection.execute(_RANGE + " LIMIT ?", (conversation, after, bound, limit))
            found = [Stored(*row) for row in rows]
        for run in runs:
            left = limit - len(found)
            if left > 0:
                found += self._fetch(run.between(after, min(before, max(after + 1, run.first) + left)))
        return found

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        before = before or NO_BOUND
        runs = self._runs(conversation)
        found: list[Stored] = []
        for run in reversed(runs):
            left = limit - len(found)
            if left > 0:
                stop = min(before, run.last + 1)
                found = self._fetch(run.between(stop - left - 1, stop)) + found
        if len(found) < limit:
            bound = min(before, runs[0].first) if runs else before
            rows = self._connection.execute(_RANGE + " DESC LIMIT ?", (conversation, -1, bound, limit - len(found)))
            found = [Stored(*row) for row in rows][::-1] + found
        return found

    def _fetch(self, places: Sequence[tuple[int, int, int]]) -> list[Stored]:
        execute = self._connection.execute
        return [Stored(*execute(_MESSAGE, (msgid,)).fetchone()) for _, msgid, _ in places]

    async def last_seq(self, conversation: int) -> int:
        head = self._heads.get(conversation)
        return head if head is not None else self._stored_head(conversation) or 0

    # -- devices and cursors

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
                    "INSERT INTO cursor SELECT ?1, c.conversation, max(c.seq) FROM device d JOIN cursor c ON c.device = d.id"
                    " WHERE d.user = ?2 GROUP BY c.conversation",
                    (row[0], user),
                )
        return Device(row[0], self._last_seqid(row[0]))

    async def owed(self, user: int, device: int) -> Sequence[int]:
        rows = self._connection.execute(
            "SELECT c.id, c.last_seq, c.last_msgid, ifnull(k.seq, 0) FROM member m JOIN conversation c ON c.id = m.conversation"
            " LEFT JOIN cursor k ON k.device = ? AND k.conversation = c.id WHERE m.user = ?",
            (device, user),
        )
        owed = []
        for conversation, last_seq, last_msgid, cursor in rows:
            if self._heads.get(conversation, last_seq) > cursor:
                owed.append((self._last_msgid(conversation, last_msgid), conversation))
        return [conversation for _, conversation in sorted(owed)]

    def _last_msgid(self, conversation: int, settled: int) -> int:
        runs = self._runs(conversation)
        return runs[-1].entries[-1][0] if runs else settled

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
            "SELECT c.id, c.last_msgid FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.user = ?", (user,)
        )
        newest = sorted(((self._last_msgid(*row), row[0]) for row in rows), reverse=True)
        page = [place for place in newest if before is None or place < before][:limit]
        return [await self._summary(user, device, conversation, msgid) for msgid, conversation in page]

    async def _summary(self, user: int, device: int, conversation: int, last_msgid: int) -> Summary:
        peer = peer_of(conversation, user)
        (name,) = self._connection.execute("SELECT name FROM user WHERE id = ?", (peer,)).fetchone()
        last = self._connection.execute("SELECT record FROM message WHERE msgid = ?", (last_msgid,)).fetchone()
        read_seq = await self.read_seq(user, conversation)
        return Summary(
            conversation=conversation,
            peer=name,
            last_seq=await self.last_seq(conversation),
            acked_seq=(await self.position(user, device, conversation)).cursor,
            read_seq=read_seq,
            peer_read_seq=await self.read_seq(peer, conversation),
            unread=self._unread(user, conversation, read_seq),
            last_msgid=last_msgid,
            last=last[0] if last else b"",
        )

    def _unread(self, user: int, conversation: int, read_seq: int) -> int:
        runs = self._runs(conversation)
        (count,) = self._connection.execute(
            "SELECT count(*) FROM place WHERE conversation = ? AND seq > ? AND seq < ? AND sender != ?",
            (conversation, read_seq, runs[0].first if runs else NO_BOUND, user),
        ).fetchone()
        unsettled = sum(sender != user for run in runs for _, _, sender in run.between(read_seq, NO_BOUND))
        return int(count) + unsettled

    # -- retention

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        rows = self._connection.execute(
            "SELECT c.id, t.retention_days, c.first_seq, c.last_seq FROM tenant t JOIN conversation c ON c.tenant = t.id"
            " WHERE t.retention_days != ? AND c.id > ? ORDER BY c.id LIMIT ?",
            (FOREVER, after, limit),
        ).fetchall()
        if rows:
            self._settle_now(limit)
        return [self._span(unseen_since_ms, *row) for row in rows]

    def _span(self, unseen_since_ms: int, conversation: int, retention_days: int, first: int, last: int) -> Span:
        acked_by_all, everyone = last, True
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
        return Span(conversation, retention_days, first, last, acked_by_all, everyone)

    def _settle_now(self, rows: int) -> None:
        """What is cut must be settled first: else the counters would be read from a log that has lost its end."""
        with transaction(self._connection):
            slice_ = self._settle(rows, now=True)
        if slice_ is not None:
            slice_()

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        execute = self._connection.execute
        runs = self._runs(conversation)
        bound = min(through + 1, runs[0].first) if runs else through + 1
        places = execute(
            "SELECT seq, msgid FROM place WHERE conversation = ? AND seq < ? AND msgid < ? ORDER BY seq LIMIT ?",
            (conversation, bound, older_than, limit),
        ).fetchall()
        if not places:
            return 0
        last = places[-1][0]
        msgids = [(msgid,) for _, msgid in places]
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO request_expiry SELECT msgid, device, seqid FROM message WHERE msgid = ? AND seqid != 0", msgids
            )
            self._connection.executemany("DELETE FROM message WHERE msgid = ?", msgids)
            execute("DELETE FROM place WHERE conversation = ? AND seq <= ?", (conversation, last))
            execute("UPDATE conversation SET first_seq = ? WHERE id = ?", (last + 1, conversation))
        return len(places)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        rows = self._connection.execute(
            "SELECT device, seqid, msgid FROM request_expiry WHERE msgid < ? ORDER BY msgid LIMIT ?", (older_than, limit)
        ).fetchall()
        if rows:
            with transaction(self._connection):
                self._connection.executemany("DELETE FROM request WHERE device = ? AND seqid = ?", [row[:2] for row in rows])
                self._connection.executemany("DELETE FROM request_expiry WHERE msgid = ?", [row[2:] for row in rows])

    def close(self) -> None:
        self._connection.close()
