"""A search through candidates."""

from collections.abc import Iterable, Sequence
from typing import Final

from rockdove.core.ports import Store
from rockdove.core.records import Located, Match, Query, Spans, counts, within
from rockdove.core.text import Terms, searchable
from rockdove.wire import im_pb2 as pb

LOOKS: Final = 1_000  # messages looked at in one search, so that nobody waits for it


class Sought:
    """What is searched for, whoever may see it."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self.terms = Terms(query.text)

    @property
    def filters_only(self) -> bool:
        """Without a text the other conditions decide alone."""
        return not self._query.text.strip()

    @property
    def is_void(self) -> bool:
        """Whether nothing can be found: there is a text, but only punctuation in it."""
        return not self.terms and not self.filters_only

    def admits(self, msgid: int, located: Located) -> bool:
        """Whether this message is such a one."""
        query = self._query
        conversation, _, sender, record = located
        return (
            query.since_msgid <= msgid < query.before_msgid
            and query.conversation in {0, conversation}
            and query.sender in {0, sender}
            and self._agrees(record)
        )

    def _agrees(self, record: bytes) -> bool:
        if not counts(record):
            return False  # news and changes are no talk
        message = pb.Message.FromString(record)
        if message.removed or (self._query.types and message.type not in self._query.types):
            return False
        return self.filters_only or self.terms.occur_in(searchable(message))


class Search(Sought):
    """One search of one user. Whatever the candidates are, only what he may see is found.

    It is for stores whose reads do not suspend: nobody is put out meanwhile.
    """

    def __init__(self, store: Store, user: int, query: Query) -> None:
        super().__init__(query)
        self._store = store
        self._user = user
        self._visible: dict[int, Spans] = {}  # by conversation

    async def run(self, candidates: Iterable[int], limit: int) -> tuple[Sequence[Match], int]:
        """The first `limit` matches among these msgids, which come downwards, and where to go on; see Store.search."""
        if self.is_void:
            return [], 0
        found: list[Match] = []
        for looks, msgid in enumerate(candidates, 1):
            record = await self._match(msgid)
            if record is not None:
                found.append(Match(msgid, record))
            if len(found) == limit or looks == LOOKS:
                return found, msgid
        return found, 0

    async def _match(self, msgid: int) -> bytes | None:
        """The record, if it is a match."""
        located = await self._store.located(msgid)
        if located is None or not self.admits(msgid, located):
            return None
        conversation, seq, _, record = located
        if not within(await self._spans(conversation), seq):
            return None
        return None if await self._store.hidden(self._user, conversation, seq - 1, seq) else record

    async def _spans(self, conversation: int) -> Spans:
        if conversation not in self._visible:
            self._visible[conversation] = await self._store.visible(self._user, conversation)
        return self._visible[conversation]
