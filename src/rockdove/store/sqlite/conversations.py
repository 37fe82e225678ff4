"""What users see of conversations, and how far they and their devices are, in the SQLite file."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rockdove.core.records import (
    GROUPS_END,
    OPEN,
    HideMessages,
    MoveRead,
    Position,
    ReadMarks,
    Spans,
    Summary,
    peer_of,
    single_members,
)
from rockdove.store.sqlite.tables import Tables
from rockdove.store.visibility import is_owed, last_visible, parts, visible_spans
from rockdove.wire import codec

_PLACES: Final = (  # the log's end as far as it is settled
    "SELECT c.id, c.last_seq, c.last_msgid, m.read_seq, m.cleared_seq, ifnull(k.seq, 0)"
    " FROM member m JOIN conversation c ON c.id = m.conversation LEFT JOIN cursor k ON k.device = ? AND k.conversation = c.id"
)

Times = dict[int, list[tuple[int, int]]]  # by group: from where to where a user was in it


class _Place(NamedTuple):
    """One conversation of a user and a device."""

    conversation: int
    last_seq: int  # for this user: where he left, if he did
    last_msgid: int  # likewise; 0 if it was cut
    read_seq: int
    cursor: int
    visible: Spans

    @property
    def is_owed(self) -> bool:
        """Whether the device lacks something that the user may see."""
        return is_owed(self.visible, self.cursor, self.last_seq)


class Conversations(Tables):
    """Members' marks in conversations, cursors, and what follows from them."""

    # -- what a user sees

    async def visible(self, user: int, conversation: int) -> Spans:
        return self._seen(user, conversation)[0]

    def _seen(self, user: int, conversation: int) -> tuple[Spans, bool]:
        """What the user may see, and whether he has hidden messages of it."""
        row = self._connection.execute(
            "SELECT m.cleared_seq, EXISTS (SELECT 1 FROM hidden h WHERE h.user = ?1 AND h.conversation = ?2)"
            " FROM member m WHERE m.user = ?1 AND m.conversation = ?2",
            (user, conversation),
        ).fetchone()
        cleared_seq, hides = row or (0, 0)
        if conversation < GROUPS_END:
            return visible_spans(self._times(user, conversation).get(conversation, ()), cleared_seq), bool(hides)
        return ((cleared_seq, OPEN),) if user in single_members(conversation) else (), bool(hides)

    def _times(self, user: int, conversation: int | None = None) -> Times:
        """Of one group, or of all."""
        times: Times = {}
        one = "" if conversation is None else " AND conversation = ?2"
        rows = self._connection.execute(
            f"SELECT conversation, after_seq, {OPEN} FROM group_member WHERE user = ?1{one} UNION ALL"
            f" SELECT conversation, after_seq, through_seq FROM former_member WHERE user = ?1{one}",
            (user,) if conversation is None else (user, conversation),
        )
        for group, after, through in rows:
            times.setdefault(group, []).append((after, through))
        return times

    async def hidden(self, user: int, conversation: int, after: int, through: int) -> frozenset[int]:
        rows = self._connection.execute(
            "SELECT seq FROM hidden WHERE user = ? AND conversation = ? AND seq > ? AND seq <= ?",
            (user, conversation, after, through),
        )
        return frozenset(seq for (seq,) in rows)

    def _hide_messages(self, effects: Sequence[HideMessages]) -> None:
        execute, executemany = self._connection.execute, self._connection.executemany
        for effect in effects:
            key = effect.user, effect.conversation
            executemany("INSERT OR IGNORE INTO hidden VALUES (?, ?, ?)", [(*key, seq) for seq in effect.seqs])
            execute(
                "UPDATE member SET cleared_seq = max(cleared_seq, ?3) WHERE user = ?1 AND conversation = ?2",
                (*key, effect.through),
            )
            execute(
                "DELETE FROM hidden WHERE user = ?1 AND conversation = ?2 AND seq <="
                " (SELECT cleared_seq FROM member WHERE user = ?1 AND conversation = ?2)",
                key,
            )

    # -- cursors

    async def position(self, user: int, device: int, conversation: int) -> Position:
        cursors = dict(
            self._connection.execute(
                "SELECT d.id, k.seq FROM device d JOIN cursor k ON k.device = d.id AND k.conversation = ? WHERE d.user = ?",
                (conversation, user),
            ).fetchall()
        )
        return Position(cursors.get(device, 0), max(cursors.values(), default=0), *self._seen(user, conversation))

    async def owed(self, user: int, device: int) -> Sequence[int]:
        # Each heartbeat asks, and nearly always there is nothing: the rows of a user with many conversations stay in SQLite.
        execute = self._connection.execute
        conversations = [row[0] for row in execute("SELECT conversation FROM member WHERE user = ?", (user,))]
        if not conversations:
            return ()
        unsettled = self._log.unsettled(conversations)
        if unsettled:
            rows = execute(f"{_PLACES} WHERE m.user = ?", (device, user)).fetchall()
            rows = [row for row in rows if row[1] > row[5] or row[0] in unsettled]
        else:
            rows = execute(f"{_PLACES} WHERE m.user = ? AND c.last_seq > ifnull(k.seq, 0)", (device, user)).fetchall()
        owed = [place for place in self._places(user, rows) if place.is_owed]
        return [place.conversation for place in sorted(owed, key=lambda place: (place.last_msgid, place.conversation))]

    def _places(self, user: int, rows: Sequence[tuple[int, int, int, int, int, int]]) -> Iterator[_Place]:
        """`rows` are of _PLACES."""
        in_groups = any(conversation < GROUPS_END for conversation, *_ in rows)
        times = self._times(user) if in_groups else {}
        for conversation, settled_seq, settled_msgid, read_seq, cleared_seq, cursor in rows:
            seq, msgid = self._log.last_place(conversation, settled_seq, settled_msgid)
            visible: Spans = ((cleared_seq, OPEN),)
            if conversation < GROUPS_END:
                if conversation not in times:
                    continue
                visible = visible_spans(times[conversation], cleared_seq)
                left_at = max(through for _, through in times[conversation])
                if left_at < seq:
                    last = self._log.at(conversation, left_at)
                    seq, msgid = left_at, last.msgid if last else 0
            yield _Place(conversation, seq, msgid, read_seq, cursor, visible)

    # -- read cursors

    async def read_seq(self, user: int, conversation: int) -> int:
        row = self._connection.execute(
            "SELECT read_seq FROM member WHERE user = ? AND conversation = ?", (user, conversation)
        ).fetchone()
        return row[0] if row else 0

    def _move_reads(self, effects: Sequence[MoveRead]) -> None:
        self._connection.executemany(
            "UPDATE member SET read_seq = ?3 WHERE user = ?1 AND conversation = ?2 AND read_seq < ?3",
            [(effect.user, effect.conversation, effect.seq) for effect in effects],
        )

    async def read_marks(self, conversation: int, seq: int, after: int, limit: int) -> ReadMarks:
        message = self._log.at(conversation, seq)
        asked = (conversation, seq, message.sender if message else 0)
        could = (
            "FROM chat_group g JOIN group_member p ON p.conversation = g.conversation"
            " WHERE g.conversation = ?1 AND NOT g.dissolved AND p.after_seq < ?2 AND p.user <> ?3"
        )
        have = (
            " AND p.user IN (SELECT user FROM member"
            f" WHERE conversation = ?1 AND conversation < {GROUPS_END} AND read_seq >= ?2)"  # says where the index is
        )
        execute = self._connection.execute
        (total,) = execute(f"SELECT count(*) {could}", asked).fetchone()
        (count,) = execute(f"SELECT count(*) {could}{have}", asked).fetchone()
        users = execute(
            f"SELECT p.user, (SELECT name FROM user WHERE id = p.user) {could}{have} AND p.user > ?4 ORDER BY p.user LIMIT ?5",
            (*asked, after, limit),
        )
        return ReadMarks(count, total, users.fetchall())

    # -- the list of conversations

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        rows = self._connection.execute(f"{_PLACES} WHERE m.user = ?", (device, user)).fetchall()
        places = sorted(((p.last_msgid, p.conversation), p) for p in self._places(user, rows))
        page = [place for key, place in reversed(places) if before is None or key < before][:limit]
        return [await self._summary(user, place) for place in page]

    async def _summary(self, user: int, place: _Place) -> Summary:
        conversation = place.conversation
        peer, name, left, peer_read_seq = await self._peer(user, conversation)
        above = max(place.read_seq, self._first_seq(conversation) - 1)
        return Summary(
            conversation=conversation,
            peer=peer,
            last_seq=place.last_seq,
            acked_seq=place.cursor,
            read_seq=place.read_seq,
            peer_read_seq=peer_read_seq,
            unread=sum(self._log.foreign(user, conversation, *part) for part in parts(place.visible, above, place.last_seq)),
            last_msgid=place.last_msgid,
            last=await self._last_record(user, place),
            name=name,
            left=left,
        )

    async def _peer(self, user: int, conversation: int) -> tuple[str, str, bool, int]:
        """(peer, name, left, peer's read cursor) of a Summary."""
        if conversation < GROUPS_END:
            group_id, name, left = self._connection.execute(
                "SELECT g.id, g.name, g.dissolved OR m.user IS NULL FROM chat_group g LEFT JOIN group_member m"
                " ON m.conversation = g.conversation AND m.user = ? WHERE g.conversation = ?",
                (user, conversation),
            ).fetchone()
            return group_id, name, bool(left), 0
        peer = peer_of(conversation, user)
        (name,) = self._connection.execute("SELECT name FROM user WHERE id = ?", (peer,)).fetchone()
        return name, "", False, await self.read_seq(peer, conversation)

    async def _last_record(self, user: int, place: _Place) -> bytes:
        seq = last_visible(place.visible, place.last_seq)
        last = self._log.at(place.conversation, seq) if seq else None
        if last is None:
            return b""
        hidden = await self.hidden(user, place.conversation, seq - 1, seq)
        return codec.tombstone(last.record) if hidden else last.record

    def _first_seq(self, conversation: int) -> int:
        (first,) = self._connection.execute("SELECT first_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
        return int(first)
