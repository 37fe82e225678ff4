"""The view of a transaction that has conversations locked: what nobody else can change meanwhile is read once."""

from collections.abc import Iterable, Sequence
from typing import Final

from rockdove.core.records import GROUPS_END, OPEN, USER_BITS, USER_MASK, MoveRead
from rockdove.store.postgres.conversations import Seen
from rockdove.store.postgres.rights import Rights, RightsView
from rockdove.store.postgres.tables import Rows

_OF_PAIRS: Final = (
    "SELECT m.account, m.conversation, m.cleared_seq, m.read_seq,"
    " EXISTS (SELECT FROM hidden h WHERE h.account = m.account AND h.conversation = m.conversation)"
    f" FROM unnest($1::bigint[]) AS n (id) CROSS JOIN unnest(ARRAY[n.id >> {USER_BITS}, n.id & {USER_MASK}]) AS u (account)"
    " JOIN member m ON m.account = u.account AND m.conversation = n.id"
)
_MOVE: Final = (
    "UPDATE member m SET read_seq = n.seq"
    " FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS n (account, conversation, seq)"
    " WHERE m.account = n.account AND m.conversation = n.conversation AND m.read_seq < n.seq"
)


class LockedView(RightsView):
    """Read cursors that move are written at the end, all in one."""

    def __init__(self, rows: Rows) -> None:
        self.rights: dict[int, Rights] = {}  # of locked conversations
        super().__init__(rows, self.rights)
        self._heads: dict[int, int] = {}  # last seqs of locked conversations
        self._seen: dict[tuple[int, int], Seen] = {}  # by user and locked conversation
        self._moved: dict[tuple[int, int], int] = {}  # the same: read cursors that are not written yet

    async def lock(self, heads: dict[int, int], readers: Iterable[int]) -> None:
        """These conversations are locked, and have these last seqs; of `readers` it will be asked who has seen what."""
        self._heads = heads
        pairs = [conversation for conversation in readers if conversation >= GROUPS_END]
        if pairs:
            for user, conversation, cleared_seq, read_seq, hides in await self._rows.fetch(_OF_PAIRS, pairs):
                self._seen[user, conversation] = Seen(((cleared_seq, OPEN),), read_seq, hides)

    def stored(self, counts: dict[int, int]) -> None:
        """So many messages more are in these conversations."""
        for conversation, count in counts.items():
            if conversation in self._heads:
                self._heads[conversation] += count

    def changed(self) -> None:
        """Something was written that may change who sees what."""
        self._seen.clear()

    async def move(self, effects: Sequence[MoveRead]) -> None:
        """Read cursors move."""
        for effect in effects:
            key = effect.user, effect.conversation
            self._moved[key] = max(effect.seq, self._moved.get(key, 0))

    async def write(self) -> None:
        """Write the read cursors."""
        if self._moved:
            moved = [(*key, seq) for key, seq in sorted(self._moved.items())]
            await self._rows.fetch(_MOVE, *zip(*moved, strict=True))

    async def last_seq(self, conversation: int) -> int:
        head = self._heads.get(conversation)
        return head if head is not None else await super().last_seq(conversation)

    async def seen(self, user: int, conversations: Iterable[int]) -> dict[int, Seen]:
        wanted = list(conversations)
        unknown = [conversation for conversation in wanted if (user, conversation) not in self._seen]
        found = await super().seen(user, unknown) if unknown else {}
        for conversation in wanted:
            seen = found.get(conversation) or self._seen[user, conversation]
            if conversation in self._heads:
                self._seen[user, conversation] = seen
            moved = max(seen.read_seq, self._moved.get((user, conversation), 0))
            found[conversation] = seen._replace(read_seq=moved)
        return found
