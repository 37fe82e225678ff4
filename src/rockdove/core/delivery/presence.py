"""Who is here, and who is told of it (protocol §6)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.ring import Ring
from rockdove.core.errors import StoreUnavailable
from rockdove.core.neighbours import Neighbours
from rockdove.core.ports import Scheduler, Store
from rockdove.core.registry import Registry
from rockdove.core.rules.contact import Sides, see_each_other
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

ROUND_MS: Final = 1_000  # nobody's presence is told more often than this
PAUSE_MS: Final = 50  # between the parts of a round that is long
LOOKS: Final = 500  # pairs looked at in one part: some ms of work
FRIENDS_PER_LOOK: Final = 20  # of a list, which is read at once
LEAVERS: Final = 100  # of whom other nodes are asked at once
_Pair = tuple[int, int]  # of whom, to whom
_ORDER: Final = (pb.Presence.OFFLINE, pb.Presence.AWAY, pb.Presence.ONLINE)  # a user's state is the highest of his sessions


class Shown(NamedTuple):
    """What there is to see of a user."""

    state: "pb.Presence.State" = pb.Presence.OFFLINE
    text: str = ""


GONE: Final = Shown()
HERE: Final = Shown(pb.Presence.ONLINE)
_NONE: Final[Mapping["Session", "pb.Presence.State"]] = MappingProxyType({})


class _Person:
    """One who is here, or whose going was not told yet."""

    __slots__ = ("name", "states", "text", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: Mapping[Session, pb.Presence.State] = _NONE  # what they have published; those that have not are ONLINE
        self.text = ""
        self.told = GONE


class _Abroad:
    """One who is on another node, by what that node tells."""

    __slots__ = ("name", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: set[int] = set()  # users of this node who were told


class PresenceNews:
    """Tells friends who comes, goes, or says something else of himself. Nothing of it is stored.

    What has happened is told in rounds, which begin a second after the first change. A round finds the friends of each
    changed user who are here: the pairs. Of each pair it asks the store whether they see each other.

    A user may be on several nodes. Each tells of its own sessions, but of one who leaves only after it has asked the others.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        fanout: Fanout,
        scheduler: Scheduler,
        ring: Ring | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Without `ring` and `neighbours` there is no other node."""
        self._ring = ring
        self._neighbours = neighbours
        self._abroad: dict[int, dict[int, _Abroad]] = {}  # by node and user: of whom it has told users of this one
        self._store = store
        self._registry = registry
        self._fanout = fanout
        self._scheduler = scheduler
        self._people: dict[int, _Person] = {}
        self._armed = False
        self._changed: dict[int, None] = {}  # who is to be looked at in the next round
        self._round: dict[int, None] = {}  # who is still to be looked at in this one
        self._pairs: dict[_Pair, pb.PresenceState] = {}  # to be told, if they see each other
        self._elsewhere: dict[int, Shown] = {}  # on other nodes, of those who leave; as they said in this part
        self._news: dict[int, dict[int, pb.PresenceState]] = {}  # to whom, of whom: in this part's frame

    # -- what happens

    def note(self, user: int) -> None:
        """A session of this user came or went."""
        sessions = self._registry.sessions(user)
        if sessions and user not in self._people:
            self._people[user] = _Person(sessions[0].name)
        if user in self._people:
            self._note_change(user)

    def publish(self, session: "Session", state: "pb.Presence.State", text: str) -> None:
        """A session says how its user is: ONLINE, AWAY or OFFLINE."""
        person = self._people.get(session.user)
        if person is not None:
            person.states = {**person.states, session: state}
            person.text = text
            self._note_change(session.user)

    def related(self, before: Sides, after: Sides, names: tuple[str, str]) -> None:
        """It has changed, durably, how two users, of these names, stand to each other."""
        see_now = see_each_other(*after)
        if see_each_other(*before) == see_now:
            return
        for contact, name in zip(after, names, strict=True):
            if self._ring is not None:
                self._ring.relation(contact.user, contact.peer, name, visible=see_now)
            self.relate(contact.user, contact.peer, name, visible=see_now)

    def relate(self, who: int, whom: int, name: str, *, visible: bool) -> None:
        """`whom` sees how `who`, of that name, is, or no more: tell him, if `who` is on this node."""
        if visible:
            self._introduce(who, whom)
        else:
            self._withdraw(who, whom, name)

    def shown(self, user: int) -> Shown:
        """What there is to see of a user now, by those who may."""
        person = self._people.get(user)
        if person is None:
            return GONE
        if not person.states and not person.text:  # nearly everybody
            return HERE if self._registry.sessions(user) else GONE
        states = [person.states.get(session, pb.Presence.ONLINE) for session in self._registry.sessions(user)]
        state = max(states, key=_ORDER.index, default=pb.Presence.OFFLINE)
        return Shown(state, person.text) if state else GONE

    async def shown_anywhere(self, users: Collection[int]) -> dict[int, Shown]:
        """Likewise for several, on whatever node they are."""
        shown = {user: self.shown(user) for user in users}
        if self._neighbours is not None:
            away = [user for user, here in shown.items() if here.state != pb.Presence.ONLINE]
            for there in await self._neighbours.who(away):
                if _rank(there.state) > _rank(shown[there.user].state):
                    shown[there.user] = Shown(_ORDER[_rank(there.state)], there.text)
        return shown

    # -- other nodes

    def heard(self, who: int, whom: Iterable[int], state: pb.PresenceState, node: int) -> None:
        """Another node tells how a user is, for friends of his who may be here."""
        here = [friend for friend in whom if self._registry.sessions(friend)]
        if not here:
            return
        abroad = self._abroad.setdefault(node, {})
        if state.state:
            abroad.setdefault(who, _Abroad(state.user)).told.update(here)
        else:
            abroad.pop(who, None)
        self._pairs.update(((who, friend), state) for friend in here)
        self._arm()

    def node_gone(self, node: int) -> None:
        """It has ended, and can tell no more of those who were there."""
        abroad = self._abroad.pop(node, {})
        if abroad:
            self._scheduler.spawn(self._tell_of_lost(abroad))

    async def _tell_of_lost(self, abroad: dict[int, _Abroad]) -> None:
        """Those who are nowhere else are gone."""
        shown = await self.shown_anywhere(abroad.keys())
        for who, person in abroad.items():
            if not shown[who].state:
                self._pairs.update(((who, friend), pb.PresenceState(user=person.name)) for friend in person.told)
        self._arm()

    def announce(self) -> None:
        """Other nodes may have missed who is here: tell them once more."""
        for user, person in self._people.items():
            person.told = GONE
            self._note_change(user)

    # -- who sees whom

    def _introduce(self, who: int, whom: int) -> None:
        """`whom` sees `who` from now on."""
        person = self._people.get(who)
        if person is not None and person.told.state:  # else it will be told with the next round
            self._pair(who, [whom], self._item(person))
            self._arm()

    def _withdraw(self, who: int, whom: int, name: str) -> None:
        """`whom` sees nothing of `who` from now on: for him that is as if he had gone."""
        person = self._people.get(who)
        untold = self._pairs.pop((who, whom), None) or self._news.get(whom, {}).pop(who, None)
        if untold is not None or (person is not None and person.told.state):
            event = pb.Presence(event=pb.PresenceList(items=[pb.PresenceState(user=name)]))
            self._fanout.to_user(whom, codec.event(pb.PRESENCE, event.SerializeToString()))

    def _pair(self, who: int, whom: Collection[int], item: pb.PresenceState) -> None:
        """These friends are to be told, on this node with the next part, and on others by theirs."""
        self._pairs.update(((who, friend), item) for friend in whom if self._registry.sessions(friend))
        if self._ring is not None and self._neighbours is not None:
            self._ring.presence(who, whom, item, self._neighbours.number)

    # -- telling

    def _note_change(self, user: int) -> None:
        self._changed[user] = None
        self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._scheduler.later(ROUND_MS, self._begin_round)

    def _begin_round(self) -> None:
        self._round, self._changed = self._changed, {}
        self._go_on()

    def _go_on(self) -> None:
        self._scheduler.spawn(self._part_of_round())

    async def _part_of_round(self) -> None:
        looks = LOOKS
        self._elsewhere = {}
        try:
            while looks > 0 and (self._pairs or self._round):
                looks -= await self._look_at_pairs(looks) if self._pairs else await self._look_at_next()
        finally:
            self._tell_news()
            if self._pairs or self._round:
                self._scheduler.later(PAUSE_MS, self._go_on)
            else:
                self._armed = False
                if self._changed:
                    self._arm()

    async def _look_at_next(self) -> int:
        """Find whom to tell of the next user; says how many looks it took."""
        user, _ = self._round.popitem()
        if self._neighbours is not None and self._leaves(user) and user not in self._elsewhere:
            leaving = islice(filter(self._leaves, reversed(self._round)), LEAVERS - 1)
            self._elsewhere = await self.shown_anywhere([user, *leaving])
        return await self._look_at(user, self._elsewhere.get(user, GONE))

    def _leaves(self, user: int) -> bool:
        """Whether there is less to see of him here than was told."""
        person = self._people.get(user)
        return person is not None and _rank(self.shown(user).state) < _rank(person.told.state)

    async def _look_at(self, user: int, elsewhere: Shown) -> int:
        """Find whom to tell of a user, if there is anything new of him; says how many looks it took."""
        person = self._people.get(user)
        if person is None:
            return 1
        friends: Sequence[int] = ()
        if self._best(user, elsewhere) != person.told:
            try:
                friends = await self._store.friends(user)
            except StoreUnavailable:
                self._note_change(user)
                return 1
            person.told = self._best(user, elsewhere)
            if friends:
                self._pair(user, friends, self._item(person))
        here = self._registry.sessions(user)
        if person.states:
            person.states = {session: state for session, state in person.states.items() if session in here}
        if not here:
            del self._people[user]
        return 1 + len(friends) // FRIENDS_PER_LOOK

    def _best(self, user: int, elsewhere: Shown) -> Shown:
        """The most present of what is shown here and on other nodes."""
        here = self.shown(user)
        return here if _rank(here.state) >= _rank(elsewhere.state) else elsewhere

    async def _look_at_pairs(self, limit: int) -> int:
        """Those who see the other are told with this part; says how many looks it took."""
        pairs = list(islice(self._pairs, limit))
        try:
            sides = await self._store.contacts_between({side for who, whom in pairs for side in ((who, whom), (whom, who))})
        except StoreUnavailable:
            return limit  # in the next part again
        for who, whom in pairs:
            item = self._pairs.pop((who, whom), None)
            if item is not None and see_each_other(sides[who, whom], sides[whom, who]):  # None: withdrawn meanwhile
                self._news.setdefault(whom, {})[who] = item
        return len(pairs)

    def _tell_news(self) -> None:
        news, self._news = self._news, {}
        for whom, of_whom in news.items():
            self._send(whom, list(of_whom.values()))

    def _item(self, person: _Person) -> pb.PresenceState:
        now_ms = self._scheduler.now_ms()
        return pb.PresenceState(user=person.name, state=person.told.state, text=person.told.text, last_seen=now_ms)

    def _send(self, whom: int, items: list[pb.PresenceState]) -> None:
        event = pb.Presence(event=pb.PresenceList(items=items))
        self._fanout.to_user_here(whom, codec.event(pb.PRESENCE, event.SerializeToString()))


def _rank(state: int) -> int:
    return _ORDER.index(state) if state in _ORDER else 0
