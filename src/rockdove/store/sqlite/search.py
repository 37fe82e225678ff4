"""Search on the SQLite files: by the index, and directly where the index has not come yet."""

import heapq
import sqlite3
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Query
from rockdove.core.text import searchable
from rockdove.store.searching import Search
from rockdove.store.sqlite.chunk import Entry, entries
from rockdove.store.sqlite.log import NO_BOUND, Log
from rockdove.store.sqlite.search_index import SEARCH_INDEX, Document, SearchIndex
from rockdove.store.sqlite.tail import Run
from rockdove.wire import im_pb2 as pb

RECENT: Final = 500  # conversations that are searched first: each costs some 30 µs
BULK: Final = 1_000  # messages taken in at once when nobody waits
RECORD_BYTES: Final = 400  # where records are larger, fewer are indexed in one step


class Rewritten(NamedTuple):
    """A message that has another record now."""

    msgid: int
    conversation: int
    before: bytes
    after: bytes


class SqliteSearch:
    """Keeps the index, and finds candidates for searches."""

    def __init__(self, connection: sqlite3.Connection, log: Log, epoch: int) -> None:
        """`connection` is that of the database, beside whose file the index is."""
        self._connection = connection
        self._log = log
        (file,) = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
        self._index = SearchIndex(Path(file).with_name(SEARCH_INDEX), epoch, log.last_msgid)

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    # -- indexing

    def index(self, limit: int) -> int:
        """See Store.index. Raises StoreUnavailable."""
        taken = self._following(self._index.last_msgid, limit)
        if taken:
            self._index.add(list(self._documents(taken)), taken[-1].msgid)
        if len(taken) < limit:  # nothing follows soon
            self._index.commit()
        return len(taken)

    def rebuild(self) -> None:
        """Make the index anew from what is stored now. Raises StoreUnavailable."""
        self._index.clear()
        while self.index(BULK):
            pass
        self._index.pack()

    def _following(self, msgid: int, limit: int) -> list[Entry]:
        """The messages after that one, up to `limit` of them, fewer when they are large."""
        taken: list[Entry] = []
        size = 0
        rows = self._connection.execute(
            "SELECT entries FROM log WHERE first_msgid >="
            " ifnull((SELECT max(first_msgid) FROM log WHERE first_msgid <= ?), 0) ORDER BY first_msgid",
            (msgid,),
        )
        with closing(rows):
            for entry in (entry for (data,) in rows for entry in entries(data) if entry.msgid > msgid):
                taken.append(entry)
                size += len(entry.record)
                if len(taken) == limit or size > limit * RECORD_BYTES:
                    break
        return taken

    def _documents(self, taken: Iterable[Entry]) -> Iterator[Document]:
        for entry in taken:
            message = pb.Message.FromString(entry.record)
            if text := searchable(message):
                yield Document(entry.msgid, entry.conversation, text)
            if message.type == pb.EDIT:  # perhaps `rewritten` was prevented, by a crash or a full disk
                edited = self._log.message(pb.Change.FromString(message.payload).msgid)
                if edited is not None and (text := _text(edited.record)):
                    yield Document(edited.msgid, edited.conversation, text)

    def rewritten(self, messages: Sequence[Rewritten]) -> None:
        """These were edited or recalled: that is durable. Does what it can."""
        try:
            for msgid, conversation, before, after in messages:
                if msgid <= self._index.last_msgid:
                    documents = (Document(msgid, conversation, _text(record)) for record in (before, after))
                    self._index.replace(*documents)
        except StoreUnavailable:
            pass  # a text that is gone is never shown, and an edited one is found when its EDIT is indexed

    # -- searching

    def candidates(self, search: Search, user: int, query: Query) -> Generator[int, None, None]:
        """The msgids of all messages of the user that `search` may find, and of others, downwards."""
        active = self._active(user, query)
        indexed = self._indexed()
        if search.filters_only or not indexed:
            yield from self._downwards(active, query.since_msgid - 1, query.before_msgid)
            return
        yield from self._downwards(active, max(indexed, query.since_msgid - 1), query.before_msgid)
        before = min(query.before_msgid, indexed + 1)
        try:
            for some, since in _recent_first(active, query.since_msgid):
                for msgid in self._index.find(search.terms, some, since, before):
                    yield msgid
                    before = msgid
        except StoreUnavailable:
            yield from self._downwards(active, query.since_msgid - 1, before)

    def _indexed(self) -> int:
        try:
            return self._index.last_msgid
        except StoreUnavailable:
            return 0

    def _active(self, user: int, query: Query) -> list[tuple[int, int]]:
        """(last msgid, conversation) of where the user is or was and something may be found, newest activity first."""
        rows = self._connection.execute(
            "SELECT c.id, c.last_seq, c.last_msgid FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.user = ?",
            (user,),
        )
        mine = ((self._log.last_place(*row)[1], row[0]) for row in rows if query.conversation in (0, row[0]))
        return sorted((place for place in mine if place[0] >= query.since_msgid), reverse=True)

    def _downwards(self, active: Iterable[tuple[int, int]], after: int, before: int) -> Iterator[int]:
        """The msgids in (after, before) in these conversations, from new to old."""
        # Of each conversation an upper bound, and its msgids once it is its turn: most are never opened.
        heap: list[tuple[int, int, Iterator[int] | None]] = [
            (-min(last, before), conversation, None) for last, conversation in active if last > after
        ]
        heapq.heapify(heap)
        while heap:
            bound, conversation, msgids = heap[0]
            if msgids is None:
                msgids = self._msgids(conversation, after, before)
            else:
                yield -bound
            following = next(msgids, None)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (-following, conversation, msgids))

    def _msgids(self, conversation: int, after: int, before: int) -> Iterator[int]:
        """Those in (after, before), downwards, also of messages that were cut."""
        for part in self._parts(conversation):
            for msgid in reversed(part):
                if msgid <= after:
                    return
                if msgid < before:
                    yield msgid

    def _parts(self, conversation: int) -> Iterator["array[int]"]:
        """All msgids of the conversation, in parts that go upwards, from the newest part to the oldest."""
        first = NO_BOUND
        for tail in self._log.tails:
            if run := tail.runs.get(conversation):
                first = run.first
                yield run.msgids
        while row := self._connection.execute(
            "SELECT first_seq, entries FROM place WHERE conversation = ? AND first_seq < ? ORDER BY first_seq DESC LIMIT 1",
            (conversation, first),
        ).fetchone():
            first = row[0]
            yield Run.of_block(*row).msgids


def _text(record: bytes) -> str:
    return searchable(pb.Message.FromString(record))


def _recent_first(active: Sequence[tuple[int, int]], since: int) -> Iterator[tuple[list[int], int]]:
    """Conversations, and from which msgid on to search them: for who has very many, those that talk now come first."""
    if len(active) > RECENT:
        yield [conversation for _, conversation in active[:RECENT]], active[RECENT][0] + 1  # no other has one that is newer
    yield [conversation for _, conversation in active], since
