"""Who is here, and who is told of it (protocol §6)."""

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.ports import Scheduler, Store
from rockdove.core.records import Contact, ContactState
from rockdove.core.registry import Registry
from rockdove.core.rules.contact import sees
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

ROUND_MS: Final = 1_000  # nobody's presence is told more often than this
PAUSE_MS: Final = 50  # between the parts of a round that is long
LOOKS: Final = 500  # pairs looked at in one part: some ms of work
FRIENDS_PER_LOOK: Final = 20  # of a list, which is read at once
_ORDER: Final = (pb.Presence.OFFLINE, pb.Presence.AWAY, pb.Presence.ONLINE)  # a user's state is the highest of his sessions


class Shown(NamedTuple):
    """What there is to see of a user."""

    state: int = pb.Presence.OFFLINE
    text: str = ""


GONE: Final = Shown()


class _Person:
    """One who is here, or whose going was not told yet."""

    __slots__ = ("name", "states", "text", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: dict[Session, int] = {}  # what they have published; those that have not are ONLINE
        self.text = ""
        self.told = GONE


class PresenceNews:
    """Tells friends who comes, goes, or says something else of himself. Nothing of it is stored."""

    def __init__(self, store: Store, registry: Registry, fanout: Fanout, scheduler: Scheduler) -> None:
        self._store = store
        self._registry = registry
        self._fanout = fanout
        self._scheduler = scheduler
        self._people: dict[int, _Person] = {}
        self._armed = False
        self._changed: dict[int, None] = {}  # who is to be looked at in the next round
        self._round: dict[int, None] = {}  # who is still to be looked at in this one
        self._pairs: dict[tuple[int, int], None] = {}  # (who, to whom): to be told, if he may see it
        self._news: dict[int, dict[int, None]] = {}  # to whom: of whom, in the frame of this part

    # -- what happens

    def note(self, user: int) -> None:
        """A session of this user came or went."""
        sessions = self._registry.sessions(user)
        if sessions and user not in self._people:
            self._people[user] = _Person(sessions[0].name)
        self._look_at(user)

    def publish(self, session: "Session", state: int, text: str) -> None:
        """A session says how its user is: ONLINE, AWAY or OFFLINE."""
        person = self._people[session.user]
        person.states[session] = state
        person.text = text
        self._look_at(session.user)

    def related(self, before: tuple[Contact, Contact], after: tuple[Contact, Contact]) -> None:
        """It has changed, durably, how two users stand to each other: they see each other now, or no more."""
        seen, sees_now = _see_each_other(before), _see_each_other(after)
        if seen == sees_now:
            return
        for contact in after:
            pair = contact.user, contact.peer
            if sees_now:
                self._pairs[pair] = None
                self._arm()
            else:
                self._withdraw(*pair)

    def _withdraw(self, who: int, whom: int) -> None:
        """`whom` sees nothing of `who` any more, from here on."""
        self._news.get(whom, {}).pop(who, None)
        untold = self._pairs.pop((who, whom), self) is None
        person = self._people.get(who)
        if person is not None and (untold or person.told.state):
            self._send(whom, [pb.PresenceState(user=person.name)])

    def shown(self, user: int) -> Shown:
        """What there is to see of a user now, by those who may."""
        person = self._people.get(user)
        if person is None:
            return GONE
        states = [person.states.get(session, pb.Presence.ONLINE) for session in self._registry.sessions(user)]
        state = max(states, key=_ORDER.index, default=pb.Presence.OFFLINE)
        return Shown(state, person.text) if state else GONE

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
        """Find whom to tell of the next user, if there is anything new; says how many looks it took."""
        user = next(iter(self._round))
        del self._round[user]
        person = self._people[user]
        shown = self.shown(user)
        here = self._registry.sessions(user)
        person.states = {session: state for session, state in person.states.items() if session in here}
        if not here:
            del self._people[user]
        if shown == person.told:
            return 1
        person.told = shown
        friends = await self._store.friends(user)
        self._pairs.update(((user, friend), None) for friend in friends if self._registry.sessions(friend))
        return 1 + len(friends) // FRIENDS_PER_LOOK

    async def _look_at_pairs(self, limit: int) -> int:
        """Those who may see it are told with this part; says how many looks it took."""
        pairs = list(islice(self._pairs, limit))
        for pair in pairs:
            visible = await sees(self._store, pair[1], pair[0])
            if self._pairs.pop(pair, self) is None and visible:  # else it was withdrawn meanwhile
                self._news.setdefault(pair[1], {})[pair[0]] = None
        return len(pairs)

    def _tell_news(self) -> None:
        pass
