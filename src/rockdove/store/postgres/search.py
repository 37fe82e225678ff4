"""Search in the PostgreSQL database: by the index, and directly where the index has not come yet."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from rockdove.core.msgid import first_msgid
from rockdove.core.records import Located, Match, Query, within
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.documents import ADD_DOCUMENTS, query_of, tokens_of
from rockdove.store.postgres.log import record_of
from rockdove.store.postgres.view import PostgresView
from rockdove.store.searching import LOOKS, Sought
from rockdove.wire import im_pb2 as pb

PAGE: Final = 100  # candidates that are looked at together
FEW: Final = 20  # conversations that are read together, at first
RECENT: Final = 500  # conversations that the index is asked about first
TRAIL_MS: Final = 300_000  # messages of several nodes do not come in the order of their msgids: for so long one may come late

_MESSAGE: Final = "m.msgid, m.conversation, m.seq, m.sender, m.record, m.whole"
_ACTIVE: Final = (
    "SELECT c.last_msgid, c.id FROM member m JOIN conversation c ON c.id = m.conversation"
    " WHERE m.account = $1 AND c.last_seq > 0 AND c.last_msgid >= $2 AND $3::bigint IN (0, c.id)"
    " ORDER BY c.last_msgid DESC, c.id DESC"
)
_DIRECTLY: Final = (  # between two msgids
    f"SELECT {_MESSAGE} FROM unnest($1::bigint[]) AS n (id), LATERAL (SELECT * FROM message m WHERE m.conversation = n.id"
    " AND m.seq > seq_below(n.id, $2::bigint + 1) AND m.seq <= seq_below(n.id, $3) ORDER BY m.seq DESC LIMIT $4) m"
    " ORDER BY m.msgid DESC LIMIT $4"
)
_BY_INDEX: Final = (
    f"SELECT {_MESSAGE} FROM (SELECT * FROM document d WHERE d.tokens @@ $1::text::tsquery AND d.msgid >= $2 AND d.msgid < $3"
    " ORDER BY d.msgid DESC LIMIT $4) d JOIN message m ON m.conversation = d.conversation AND m.msgid = d.msgid"
    " ORDER BY d.msgid DESC"
)
_FOLLOWING: Final = (
    f"SELECT {_MESSAGE} FROM message m WHERE m.msgid > (SELECT indexed_msgid FROM progress) AND m.msgid < $1"
    " ORDER BY m.msgid LIMIT $2"
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
        documents = []
        for msgid, (conversation, _, _, record) in map(_candidate, rows):
            tokens = tokens_of(conversation, pb.Message.FromString(record))
            if tokens:
                documents.append((msgid, conversation, tokens))
        if rows:
            async with self._database.transaction() as connection:
                await connection.executemany(ADD_DOCUMENTS, documents)
                await connection.execute("UPDATE progress SET indexed_msgid = greatest(indexed_msgid, $1)", rows[-1][0])
        return len(rows)

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
            while page := await self._page(_BY_INDEX, query_of(some, sought.terms), since, before, PAGE):
                yield page
                before = page[-1].msgid

    async def _directly(self, places: Sequence[tuple[int, int]], after: int, before: int) -> AsyncIterator[list[Candidate]]:
        """Messages with msgids between, of these (last msgid, conversation): first of those where somebody wrote lately."""
        places = [place for place in places if place[0] > after]
        count = FEW
        while places and before - 1 > after:
            rest = places[count][0] if count < len(places) else after  # no other has one above this
            floor = max(after, min(rest, before - 1))
            page = await self._page(_DIRECTLY, [conversation for _, conversation in places[:count]], floor, before, PAGE)
            if page:
                yield page
            if len(page) == PAGE:
                before = page[-1].msgid
            else:
                before = floor + 1
                if floor == after:
                    return
                count *= 2

    async def _page(self, statement: str, *arguments: Any) -> list[Candidate]:
        return [_candidate(row) for row in await self._database.fetch(statement, *arguments)]


def _candidate(row: Any) -> Candidate:
    msgid, conversation, seq, sender, record, whole = row
    return Candidate(msgid, Located(conversation, seq, sender, record_of(record, whole, msgid, seq)))


def _recent_first(active: Sequence[tuple[int, int]], since: int) -> list[tuple[list[int], int]]:
    """Conversations, and from which msgid on to search them: for who has very many, those that talk now come first."""
    parts = [([conversation for _, conversation in active], since)]
    if len(active) > RECENT:
        parts.insert(0, ([conversation for _, conversation in active[:RECENT]], active[RECENT][0] + 1))
    return parts if active else []
