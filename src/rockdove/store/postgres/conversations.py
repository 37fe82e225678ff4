"""What users see of conversations, and how far they and their devices are, in the PostgreSQL database."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from rockdove.core.records import (
    GROUPS_END,
    OPEN,
    Position,
    ReadMarks,
    Spans,
    Summary,
    peer_of,
    single_members,
)
from rockdove.store.postgres.chunk import AT_SEQ, COLUMNS, MESSAGES, unfolded
from rockdove.store.postgres.tables import Tables
from rockdove.store.visibility import is_owed, last_visible, parts, visible_spans
from rockdove.wire import codec

# From where to where user $1 was in the group {0}, as two arrays.
_TIMES: Final = (
    "LATERAL (SELECT array_agg(t.after_seq) AS starts, array_agg(t.through_seq) AS ends FROM ("
    f"SELECT after_seq, {OPEN} AS through_seq FROM group_member WHERE account = $1 AND conversation = {{0}} UNION ALL"
    " SELECT after_seq, through_seq FROM former_member WHERE account = $1 AND conversation = {0}) t"
    f" WHERE {{0}} < {GROUPS_END}) times"
)
# What user $1 may see of the conversations $2.
_SEEN: Final = (
    "SELECT n.id, times.starts, times.ends, coalesce(m.cleared_seq, 0), coalesce(m.read_seq, 0),"
    " EXISTS (SELECT FROM hidden h WHERE h.account = $1 AND h.conversation = n.id){0}"
    " FROM unnest($2::bigint[]) AS n (id) LEFT JOIN member m ON m.account = $1 AND m.conversation = n.id,"
    f" {_TIMES.format('n.id')}"
)
_ALL_SEEN: Final = _SEEN.format("")
_POSITION: Final = _SEEN.format(", k.mine, k.highest") + (
    ", LATERAL (SELECT coalesce(max(k.seq) FILTER (WHERE d.id = $3), 0) AS mine, coalesce(max(k.seq), 0) AS highest"
    " FROM device d JOIN cursor k ON k.device = d.id AND k.conversation = n.id WHERE d.account = $1) k"
)
_PLACES: Final = (
    "SELECT c.id, c.first_seq, c.last_seq, c.last_msgid, m.read_seq, m.cleared_seq, coalesce(k.seq, 0),"
    " times.starts, times.ends"
    " FROM member m JOIN conversation c ON c.id = m.conversation AND c.last_seq > 0"
    f" LEFT JOIN cursor k ON k.device = $2 AND k.conversation = c.id, {_TIMES.format('c.id')} WHERE m.account = $1"
)


class Place(NamedTuple):
    """One conversation of a user and a device."""

    conversation: int
    first_seq: int
    last_seq: int  # for this user: where he left, if he did
    last_msgid: int  # likewise; 0 if it was cut
    read_seq: int
    cursor: int
    visible: Spans

    @property
    def is_owed(self) -> bool:
        """Whether the device lacks something that the user may see."""
        return is_owed(self.visible, self.cursor, self.last_seq)


class Seen(NamedTuple):
    """What one user sees of one conversation, and has read."""

    visible: Spans
    read_seq: int
    hides: bool  # whether he has hidden messages of it


class Conversations(Tables):
    """Members' marks in conversations, cursors, and what follows from them."""

    # -- what a user sees

    async def seen(self, user: int, conversations: Iterable[int]) -> dict[int, Seen]:
        """Of these conversations."""
        return {row[0]: _seen(user, row) for row in await self._rows.fetch(_ALL_SEEN, user, list(conversations))}

    async def visible(self, user: int, conversation: int) -> Spans:
        return (await self.seen(user, [conversation]))[conversation].visible

    async def read_seq(self, user: int, conversation: int) -> int:
        return (await self.seen(user, [conversation]))[conversation].read_seq

    async def hidden(self, user: int, conversation: int, after: int, through: int) -> frozenset[int]:
        rows = await self._rows.fetch(
            "SELECT seq FROM hidden WHERE account = $1 AND conversation = $2 AND seq > $3 AND seq <= $4",
            *(user, conversation, after, through),
        )
        return frozenset(seq for (seq,) in rows)

    # -- cursors

    async def position(self, user: int, device: int, conversation: int) -> Position:
        row = await self._rows.row(_POSITION, user, [conversation], device)
        seen = _seen(user, row)
        return Position(cursor=row[6], delivered=row[7], visible=seen.visible, hides=seen.hides)

    async def owed(self, user: int, device: int) -> Sequence[int]:
        owed = [place for place in await self.places(user, device, " AND c.last_seq > coalesce(k.seq, 0)") if place.is_owed]
        return [place.conversation for place in sorted(owed, key=lambda place: (place.last_msgid, place.conversation))]

    async def places(self, user: int, device: int, condition: str = "") -> list[Place]:
        """All conversations of the user, those that he has left among them."""
        places: list[Place] = []
        left: list[int] = []  # indexes of those whose log went on without him
        for row in await self._rows.fetch(_PLACES + condition, user, device):
            conversation, first_seq, last_seq, last_msgid, read_seq, cleared_seq, cursor, starts, ends = row
            visible: Spans = ((cleared_seq, OPEN),)
            if conversation < GROUPS_END:
                if not ends:
                    continue
                visible = visible_spans(zip(starts, ends, strict=True), cleared_seq)
                if max(ends) < last_seq:
                    left.append(len(places))
                    last_seq, last_msgid = max(ends), 0
            places.append(Place(conversation, first_seq, last_seq, last_msgid, read_seq, cursor, visible))
        if left:
            rows = await self._rows.fetch(
                "SELECT p.number - 1, c.last_msgid - (c.last_seq - p.seq) * c.step"
                " FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (conversation, seq, number)"
                f" JOIN {AT_SEQ}",
                *([places[index].conversation for index in left], [places[index].last_seq for index in left]),
            )
            for number, msgid in rows:
                places[left[number]] = places[left[number]]._replace(last_msgid=msgid)
        return places

    async def read_marks(self, conversation: int, seq: int, after: int, limit: int) -> ReadMarks:
        could = (
            "FROM chat_group g JOIN group_member p ON p.conversation = g.conversation"
            " WHERE g.conversation = $1 AND NOT g.dissolved AND p.after_seq < $2 AND p.account <> coalesce("
            f"(SELECT c.sender FROM (SELECT $1::bigint AS conversation, $2::bigint AS seq) p JOIN {AT_SEQ}), 0)"
        )
        have = (
            f"SELECT p.account {could} AND EXISTS (SELECT FROM member m WHERE m.account = p.account AND m.conversation = $1"
            " AND m.read_seq >= $2)"
        )
        rows = await self._rows.fetch(
            f"WITH have AS MATERIALIZED ({have}) SELECT (SELECT count(*) FROM have), (SELECT count(*) {could}), u.id, u.name"
            " FROM (SELECT) nothing LEFT JOIN (SELECT a.id, a.name FROM have h JOIN account a ON a.id = h.account"
            " WHERE h.account > $3 ORDER BY h.account LIMIT $4) u ON true ORDER BY u.id",
            *(conversation, seq, after, limit),
        )
        count, total = rows[0][:2]
        return ReadMarks(count, total, [(user, name) for _, _, user, name in rows if user is not None])

    # -- the list of conversations

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        places = sorted(((p.last_msgid, p.conversation), p) for p in await self.places(user, device))
        page = [place for key, place in reversed(places) if before is None or key < before][:limit]
        peers = await self._peers(user, page)
        unread = await self._unread(user, page)
        last = await self._last_records(user, page)
        return [_summary(place, peers, unread, last) for place in page]

    async def _peers(self, user: int, page: Sequence[Place]) -> dict[int, Any]:
        """By conversation: its id, peer's name or group's id, group's name, whether the user left, peer's read_seq."""
        groups = [place.conversation for place in page if place.conversation < GROUPS_END]
        singles = [place.conversation for place in page if place.conversation >= GROUPS_END]
        rows = await self._rows.fetch(
            "SELECT g.conversation, g.id, g.name, g.dissolved OR m.account IS NULL, 0 FROM chat_group g"
            " LEFT JOIN group_member m ON m.conversation = g.conversation AND m.account = $1"
            " WHERE g.conversation = ANY ($2) UNION ALL"
            " SELECT s.conversation, a.name, '', false, coalesce(m.read_seq, 0)"
            " FROM unnest($3::bigint[], $4::integer[]) AS s (conversation, peer) JOIN account a ON a.id = s.peer"
            " LEFT JOIN member m ON m.account = s.peer AND m.conversation = s.conversation",
            *(user, groups, singles, [peer_of(conversation, user) for conversation in singles]),
        )
        return {row[0]: row for row in rows}

    async def _unread(self, user: int, page: Sequence[Place]) -> dict[int, int]:
        unread = [
            (place.conversation, *part)
            for place in page
            for part in parts(place.visible, max(place.read_seq, place.first_seq - 1), place.last_seq)
        ]
        rows = await self._rows.fetch(
            "SELECT p.conversation, sum(least(c.last_seq, p.through) - greatest(c.last_seq - c.size, p.after))::bigint"
            " FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS p (conversation, after, through)"
            " JOIN chunk c ON c.conversation = p.conversation AND c.last_seq > p.after"
            f" AND c.last_seq < p.through + {MESSAGES} AND c.last_seq - c.size < p.through"
            " WHERE c.counted AND c.sender <> $1 GROUP BY p.conversation",
            *(user, *columns(unread, 3)),
        )
        return dict(rows)

    async def _last_records(self, user: int, page: Sequence[Place]) -> dict[int, bytes]:
        last = [(place.conversation, last_visible(place.visible, place.last_seq)) for place in page]
        rows = await self._rows.fetch(
            "SELECT p.seq, EXISTS (SELECT FROM hidden h"
            f" WHERE h.account = $1 AND h.conversation = p.conversation AND h.seq = p.seq), {COLUMNS}"
            f" FROM unnest($2::bigint[], $3::bigint[]) AS p (conversation, seq) JOIN {AT_SEQ}",
            *(user, *columns(last, 2)),
        )
        records = {}
        for seq, hidden, *row in rows:
            message = next(message for message in unfolded(row) if message.seq == seq)
            records[message.conversation] = codec.tombstone(message.record) if hidden else message.record
        return records


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[list[Any]]:
    """Rows for unnest: as one list per column."""
    return [[row[column] for row in rows] for column in range(width)]


def _seen(user: int, row: Any) -> Seen:
    conversation, starts, ends, cleared_seq, read_seq, hides = row[:6]
    if conversation < GROUPS_END:
        return Seen(visible_spans(zip(starts or (), ends or (), strict=True), cleared_seq), read_seq, hides)
    return Seen(((cleared_seq, OPEN),) if user in single_members(conversation) else (), read_seq, hides)


def _summary(place: Place, peers: dict[int, Any], unread: dict[int, int], last: dict[int, bytes]) -> Summary:
    conversation = place.conversation
    _, peer, name, left, peer_read_seq = peers[conversation]
    return Summary(
        conversation=conversation,
        peer=peer,
        last_seq=place.last_seq,
        acked_seq=place.cursor,
        read_seq=place.read_seq,
        peer_read_seq=peer_read_seq,
        unread=unread.get(conversation, 0),
        last_msgid=place.last_msgid,
        last=last.get(conversation, b""),
        name=name,
        left=left,
    )
