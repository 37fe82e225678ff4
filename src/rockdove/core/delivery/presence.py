"""Who is here, and who is told of it (protocol §6)."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Scheduler, Store
from rockdove.core.registry import Registry
from rockdove.core.rules.contact import Sides, see_each_other, sees
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

ROUND_MS: Final = 1_000  # nobody's presence is told more often than this
PAUSE_MS: Final = 50  # between the parts of a round that is long
LOOKS: Final = 500  # pairs looked at in one part: some ms of work
FRIENDS_PER_LOOK: Final = 20  # of a list, which is read at once
_Pair = tuple[int, int]  # of whom, to whom
_ORDER: Final = (pb.Presence.OFFLINE, pb.Presence.AWAY, pb.Presence.ONLINE)  # a user's state is the highest of his sessions


class Shown(NamedTuple):
    """What there is to see of a user."""

    state: "pb.Presence.State" = pb.Presence.OFFLINE
    text: str = ""


GONE: Final = Shown()


class _Person:
    """One who is here, or whose going was not told yet."""

    __slots__ = ("name", "states", "text", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: dict[Session, pb.Presence.State] = {}  # what they have published; those that have not are ONLINE
        self.text = ""
        self.told = GONE


class PresenceNews:
    """Tells friends who comes, goes, or says something else of himself. Nothing of it is stored.

    What has happened is told in rounds, which begin a second after the first change. A round finds the friends of each
    changed user who are here: the pairs. Of each pair it asks the store whether they see each other.
    """

    def __init__(self, store: Store, registry: Registry, fanout: Fanout, scheduler: Scheduler) -> None:
        self._store = store
        self._registry = registry
        self._fanout = fanout
        self._scheduler = scheduler
        self._people: dict[int, _Person] = {}
        self._armed = False
        self._changed: dict[int, None] = {}  # who is to be looked at in the next round
        self._round: dict[int, None] = {}  # who is still to be looked at in this one
        self._pairs: dict[_Pair, pb.PresenceState] = {}  # to be told, if they see each other
        self._news: dict[int, dict[int, pb.PresenceState]] = {}  # to whom, of whom: in this part's frame

    # -- what happens

    def note(self, user: int) -> None:
        """A session of this user came or went."""
        sessions = self._registry.sessions(user)
        if sessions and user not in self._people:
            self._people[user] = _Person(sessions[0].name)
        if user in self._people:
            self._look_at(user)

    def publish(self, session: "Session", state: "pb.Presence.State", text: str) -> None:
        """A session says how its user is: ONLINE, AWAY or OFFLINE."""
        person = self._people.get(session.user)
        if person is not None:
            person.states[session] = state
            person.text = text
            self._look_at(session.user)

    def related(self, before: Sides, after: Sides) -> None:
        """It has changed, durably, how two users stand to each other."""
        see_now = see_each_other(*after)
        if see_each_other(*before) == see_now:
            return
        for contact in after:
            if see_now:
                self._introduce(contact.user, contact.peer)
            else:
                self._withdraw(contact.user, contact.peer)

    def shown(self, user: int) -> Shown:
        """What there is to see of a user now, by those who may."""
        person = self._people.get(user)
        if person is None:
            return GONE
        states = [person.states.get(session, pb.Presence.ONLINE) for session in self._registry.sessions(user)]
        state = max(states, key=_ORDER.index, default=pb.Presence.OFFLINE)
        return Shown(state, person.text) if state else GONE

    def _introduce(self, who: int, whom: int) -> None:
        """`whom` sees `who` from now on."""
        person = self._people.get(who)
        if person is not None and person.told.state:  # else it will be told with the next round
            self._pairs[who, whom] = self._item(person)
            self._arm()

    def _withdraw(self, who: int, whom: int) -> None:
        """`whom` sees nothing of `who` from now on: for him that is as if he had gone."""
        person = self._people.get(who)
        untold = self._pairs.pop((who, whom), None) or self._news.get(whom, {}).pop(who, None)
        if untold is not None or (person is not None and person.told.state):
            name = untold.user if untold is not None else person.name if person is not None else ""
            self._send(whom, [pb.PresenceState(user=name)])

    # -- telling

    def _look_at(self, user: int) -> None:
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
        """Find whom to tell of the next user, if there is anything new of him; says how many looks it took."""
        user, _ = self._round.popitem()
        person = self._people.get(user)
        if person is None:
            return 1
        friends: Sequence[int] = ()
        if self.shown(user) != person.told:
            try:
                friends = await self._store.friends(user)
            except StoreUnavailable:
                self._look_at(user)
                return 1
            person.told = self.shown(user)
            item = self._item(person)
            self._pairs.update(((user, friend), item) for friend in friends if self._registry.sessions(friend))
        here = self._registry.sessions(user)
        person.states = {session: state for session, state in person.states.items() if session in here}
        if not here and not person.told.state:
            del self._people[user]
        return 1 + len(friends) // FRIENDS_PER_LOOK

    async def _look_at_pairs(self, limit: int) -> int:
        """Those who see the other are told with this part; says how many looks it took."""
        pairs = list(islice(self._pairs, limit))
        for who, whom in pairs:
            try:
                visible = await sees(self._store, whom, who)
            except StoreUnavailable:
                continue  # in the next part again
            item = self._pairs.pop((who, whom), None)
            if item is not None and visible:  # else it was withdrawn meanwhile
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
        self._fanout.to_user(whom, codec.event(pb.PRESENCE, event.SerializeToString()))
