"""Search in the PostgreSQL database: by the index, and directly where the index has not come yet."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from rockdove.core.msgid import first_msgid
from rockdove.core.records import Located, Match, Query, within
from rockdove.store.postgres.chunk import COLUMNS, MESSAGES, OF_MSGID, SPAN, all_unfolded, unfolded
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.documents import ADD_DOCUMENTS, query_of, tokens_of
from rockdove.store.postgres.view import PostgresView
from rockdove.store.searching import LOOKS, Sought
from rockdove.wire import im_pb2 as pb

PAGE: Final = 100  # candidates that are looked at together
FEW: Final = 20  # conversations that are read together, at first
RECENT: Final = 500  # conversations that the index is asked about first
TRAIL_MS: Final = 300_000  # messages of several nodes do not come in the order of their msgids: for so long one may come late

_ACTIVE: Final = (
    "SELECT c.last_msgid, c.id FROM member m JOIN conversation c ON c.id = m.conversation"
    " WHERE m.account = $1 AND c.last_seq > 0 AND c.last_msgid >= $2 AND $3::bigint IN (0, c.id)"
    " ORDER BY c.last_msgid DESC, c.id DESC"
)
_DIRECTLY: Final = (  # between two msgids: the chunks that hold the highest ones
    f"SELECT {COLUMNS} FROM unnest($1::bigint[]) AS n (id), LATERAL (SELECT seq_below(n.id, $2::bigint + 1) AS after,"
    " seq_below(n.id, $3) AS through) s, LATERAL (SELECT * FROM chunk c WHERE c.conversation = n.id"
    f" AND c.last_seq > greatest(s.after, s.through - $4) AND c.last_seq < s.through + {MESSAGES}"
    " AND c.last_seq - c.size < s.through) c"
    " ORDER BY c.last_msgid - greatest(c.last_seq - s.through, 0) * c.step DESC LIMIT $4"
)
_BY_INDEX: Final = (
    f"SELECT d.msgid, {COLUMNS} FROM (SELECT * FROM document d WHERE d.tokens @@ $1::text::tsquery AND d.msgid >= $2"
    f" AND d.msgid < $3 ORDER BY d.msgid DESC LIMIT $4) d JOIN chunk c ON {OF_MSGID.format('d.msgid')} ORDER BY d.msgid DESC"
)
# The chunks with messages that are not in the index yet, up to a msgid that makes them about $2. Their msgids overlap.
_FOLLOWING: Final = (
    "WITH near AS (SELECT c.last_msgid, c.size FROM chunk c WHERE c.last_msgid > (SELECT indexed_msgid FROM progress)"
    " AND c.last_msgid < $1 ORDER BY c.last_msgid LIMIT $2), summed AS (SELECT n.last_msgid,"
    " sum(n.size) OVER (ORDER BY n.last_msgid) AS messages FROM near n), goal AS (SELECT"
    " coalesce(max(s.last_msgid) FILTER (WHERE s.messages <= $2), min(s.last_msgid)) AS msgid FROM summed s)"
    f" SELECT p.indexed_msgid, g.msgid, {COLUMNS} FROM goal g, progress p, chunk c WHERE c.last_msgid > p.indexed_msgid"
    f" AND c.last_msgid < g.msgid + {SPAN} AND c.last_msgid - (c.size - 1) * c.step <= g.msgid"
)


class Candidate(NamedTuple):
    """A message that may be found."""

    msgid: int
    located: Located


class PostgresSearch:
    """Keeps the index, and searches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._view = PostgresView(database)

    # -- indexing

    async def index(self, limit: int) -> int:
        """See Store.index."""
        (now_ms,) = await self._database.row("SELECT (extract(epoch FROM now()) * 1000)::bigint")
        rows = await self._database.fetch(_FOLLOWING, first_msgid(now_ms - TRAIL_MS), limit)
        taken = [message for after, through, *row in rows for message in unfolded(row) if after < message.msgid <= through]
        documents = []
        for message in taken:
            tokens = tokens_of(message.conversation, pb.Message.FromString(message.record))
            if tokens:
                documents.append((message.msgid, message.conversation, tokens))
        if rows:
            async with self._database.transaction() as connection:
                await connection.executemany(ADD_DOCUMENTS, documents)
                await connection.execute("UPDATE progress SET indexed_msgid = greatest(indexed_msgid, $1)", rows[0][1])
        return len(taken)

    # -- searching

    async def search(self, user: int, query: Query, limit: int) -> tuple[Sequence[Match], int]:
        """See Store.search."""
        sought = Sought(query)
        found: list[Match] = []
        looks = 0
        if sought.is_void:
            return found, 0
        async for page in self._candidates(sought, user, query):
            seen = await self._visible(user, [candidate for candidate in page if sought.admits(*candidate)])
            for msgid, located in page:
                looks += 1
                if msgid in seen:
                    found.append(Match(msgid, located.record))
                if len(found) == limit or looks == LOOKS:
                    return found, msgid
        return found, 0

    async def _visible(self, user: int, candidates: Sequence[Candidate]) -> set[int]:
        """The msgids of those that the user may see now: who was put out since they were written does not."""
        if not candidates:
            return set()
        seen = await self._view.seen(user, {located.conversation for _, located in candidates})
        visible = [c for c in candidates if within(seen[c.located.conversation].visible, c.located.seq)]
        hidden = await self._database.fetch(
            "SELECT h.conversation, h.seq FROM hidden h JOIN unnest($2::bigint[], $3::bigint[]) AS n (conversation, seq)"
            " ON n.conversation = h.conversation AND n.seq = h.seq WHERE h.account = $1",
            *(user, [c.located.conversation for c in visible], [c.located.seq for c in visible]),
        )
        gone = {(conversation, seq) for conversation, seq in hidden}
        return {msgid for msgid, located in visible if (located.conversation, located.seq) not in gone}

    async def _candidates(self, sought: Sought, user: int, query: Query) -> AsyncIterator[list[Candidate]]:
        """Pages of all messages of the user that may be sought, and of others, downwards."""
        active = await self._database.fetch(_ACTIVE, user, query.since_msgid, query.conversation)
        places = [(last, conversation) for last, conversation in active]
        (indexed,) = await self._database.row("SELECT indexed_msgid FROM progress")
        directly_after = query.since_msgid - 1 if sought.filters_only else max(indexed, query.since_msgid - 1)
        async for page in self._directly(places, directly_after, query.before_msgid):
            yield page
        if sought.filters_only:
            return
        before = min(query.before_msgid, indexed + 1)
        for some, since in _recent_first(places, query.since_msgid):
            while page := await self._by_index(query_of(some, sought.terms), since, before):
                yield page
                before = page[-1].msgid

    async def _directly(self, places: Sequence[tuple[int, int]], after: int, before: int) -> AsyncIterator[list[Candidate]]:
        """Messages with msgids between, of these (last msgid, conversation): first of those where somebody wrote lately."""
        places = [place for place in places if place[0] > after]
        count = FEW
        while places and before - 1 > after:
            rest = places[count][0] if count < len(places) else after  # no other has one above this
            floor = max(after, min(rest, before - 1))
            page = await self._between([conversation for _, conversation in places[:count]], floor, before)
            if page:
                yield page
            if len(page) == PAGE:
                before = page[-1].msgid
            else:
                before = floor + 1
                if floor == after:
                    return
                count *= 2

    async def _between(self, conversations: Sequence[int], after: int, before: int) -> list[Candidate]:
        rows = await self._database.fetch(_DIRECTLY, conversations, after, before, PAGE)
        found = [message for message in all_unfolded(rows) if after < message.msgid < before]
        found.sort(key=lambda message: -message.msgid)
        return [Candidate(message.msgid, message.located) for message in found[:PAGE]]

    async def _by_index(self, query: str, since: int, before: int) -> list[Candidate]:
        rows = await self._database.fetch(_BY_INDEX, query, since, before, PAGE)
        return [
            Candidate(msgid, message.located) for msgid, *row in rows for message in unfolded(row) if message.msgid == msgid
        ]


def _recent_first(active: Sequence[tuple[int, int]], since: int) -> list[tuple[list[int], int]]:
    """Conversations, and from which msgid on to search them: for who has very many, those that talk now come first."""
    parts = [([conversation for _, conversation in active], since)]
    if len(active) > RECENT:
        parts.insert(0, ([conversation for _, conversation in active[:RECENT]], active[RECENT][0] + 1))
    return parts if active else []
