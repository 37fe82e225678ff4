"""Which groups those who are here are in, so that they get what is said there."""

from collections.abc import Sequence

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Bus, Scheduler, Store
from rockdove.core.records import GROUPS_END
from rockdove.core.registry import Inbox, Registry


class Seating:
    """Keeps the registry's groups right. Other nodes change them, too; what they tell of it may be missed, and is then read."""

    def __init__(self, store: Store, registry: Registry, fanout: Fanout, scheduler: Scheduler, bus: Bus | None) -> None:
        self._store = store
        self._registry = registry
        self._fanout = fanout
        self._scheduler = scheduler
        self._bus = bus
        self._rereading: set[int] = set()  # groups
        if bus is not None:
            registry.on_interest = lambda topic, wanted: bus.attend(topic) if wanted else bus.leave(topic)
            fanout.on_unknown = self._reread_soon
            fanout.on_joined = lambda user, conversation: scheduler.spawn(self._attend(user, conversation))

    async def seat(self, inbox: Inbox) -> None:
        """Find the groups of a user who has just come. From then on nothing is missed that is rung for him.

        Raises StoreUnavailable.
        """
        while not inbox.seated:
            seatings = inbox.seatings
            groups = await self._store.groups_of(inbox.user)
            if seatings == inbox.seatings:  # else he came into one, or went, while the store was read
                for conversation in self._registry.seat(inbox, groups):
                    self._fanout.look_again(inbox.user, conversation)
        await self._attended()

    async def seat_for(self, inbox: Inbox, owed: Sequence[int]) -> None:
        """He is owed something in these conversations: is he in a group of which we have missed it? Raises StoreUnavailable."""
        if self._store.shared and any(group < GROUPS_END and group not in inbox.groups for group in owed):
            inbox.seated = False
            await self.seat(inbox)

    async def _attended(self) -> None:
        """From here on we hear what is rung for those who are here; what was stored before is to be read."""
        if self._bus is not None:
            await self._bus.settled()

    async def _attend(self, user: int, conversation: int) -> None:
        """A user has come into a group of which we may not have heard what was said meanwhile."""
        await self._attended()
        for session in self._registry.sessions(user):
            session.outbound.owe(conversation)

    def _reread_soon(self, conversation: int) -> None:
        if conversation not in self._rereading:
            self._rereading.add(conversation)
            self._scheduler.spawn(self._reread(conversation))

    async def _reread(self, conversation: int) -> None:
        """News of a group were missed, or are late: who of those who are here is in it?"""
        try:
            group = await self._store.group(conversation)
            assert group is not None
            for inbox in list(self._registry.group(conversation)):
                if await self._store.member(conversation, inbox.user) is None:
                    self._registry.parted((inbox.user,), conversation)
            self._registry.reread(conversation, group.version)
        except StoreUnavailable:
            pass  # the next message of the group tries again
        finally:
            self._rereading.discard(conversation)
