"""Which session has a device: of all logins, on whatever node, the newest one that is still wanted.

A login may come late, of a client that has given it up and is in again already: its Connect waited for a store that was away,
or the store carried it out when nobody waited for it any more. Such a login takes the device from nobody.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rockdove.core import news_pb2 as news
from rockdove.core.errors import REPLACED, StoreUnavailable
from rockdove.core.neighbours import Neighbours
from rockdove.core.ports import Scheduler, Store
from rockdove.core.records import Device
from rockdove.core.registry import Registry
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

CLEARLY_MS: Final = 1_000  # by so much, a Connect elsewhere is newer whatever the question's way took; else the number decides


class Holding:
    """Numbers the logins of devices here, and settles with other nodes who stays."""

    def __init__(self, store: Store, registry: Registry, neighbours: Neighbours, scheduler: Scheduler) -> None:
        self._store = store
        self._registry = registry
        self._neighbours = neighbours
        self._scheduler = scheduler
        self._under_way: dict[Session, list[Callable[[], None]]] = {}  # logins here, and who waits for their end

    async def open_device(self, session: "Session", client: str, now_ms: int) -> Device | None:
        """The device as it logs in here; where it was on another node, it has ended there. Raises StoreUnavailable.

        None, and the session is ended, if this login is not wanted any more, or another one has the device, on whatever node.
        """
        self._under_way[session] = []
        try:
            return await self._open_device(session, client, now_ms)
        finally:
            for call in self._under_way.pop(session):
                self._scheduler.soon(call)  # nothing begins while a node that stops is cleaned up

    async def _open_device(self, session: "Session", client: str, now_ms: int) -> Device | None:
        user, name, number = session.user, session.device_name, self._neighbours.number
        device = await self._store.open_device(user, name, client, now_ms, number)
        login, before = device.login, device.holder
        elsewhere = before not in (0, number)
        waited_ms = self._scheduler.now_ms() - session.connected_ms
        if not session.arriving or (elsewhere and await self._neighbours.replace(before, user, name, login, waited_ms)):
            session.end(pb.REPLACED, REPLACED)
            if number:
                await self._give_back(session, login, before)
            return None
        if not elsewhere:
            return device
        # What the older session stored while it ended is to be known, too; and two may have come at once.
        settled = await self._store.device(user, name)
        if settled is None or (settled.login != login and await self.is_lost(session, settled, login)):
            session.end(pb.REPLACED, REPLACED)
            return None
        return settled._replace(login=login)

    async def _give_back(self, session: "Session", login: int, before: int) -> None:
        user, name, number = session.user, session.device_name, self._neighbours.number
        await self._store.give_back(user, name, (login, number), (login - 1, before))
        if before not in (0, number):
            device = await self._store.device(user, name)
            if device is not None and device.login > login:  # who came in between takes the older session for ended
                await self._neighbours.replace(before, user, name, login, 0)

    async def is_lost(self, session: "Session", device: Device, login: int) -> bool:
        """Whether another login has the device of this session, whose own number is `login`. Raises StoreUnavailable.

        `device` is what the store says. If nobody is where it says, or one who came before, the session has the device again.
        """
        user, name, number = session.user, session.device_name, self._neighbours.number
        now_ms = self._scheduler.now_ms()
        if device.holder == number:
            there = any(other is not session for other in self._registry.holders(user, name))
        else:
            waited_ms = (
                now_ms - session.connected_ms if device.login > login else now_ms
            )  # it was given back: by whoever is there
            there = await self._neighbours.holds(device.holder, user, name, waited_ms)
        if not there:
            await self._store.give_back(user, name, (device.login, device.holder), (login, number))
        return there

    # -- asked by other nodes

    async def is_overtaken(self, session: "Session") -> bool:
        """Whether the store, too, knows of a newer login of the session's device: who asks may have given his back since."""
        try:
            device = await self._store.device(session.user, session.device_name)
        except StoreUnavailable:  # better one session too few than one too many
            return True
        return device is None or device.login > session.login

    def stays(self, asked: news.Replace) -> bool:
        """Whether the device is here by a Connect that is clearly newer than that of who asks."""
        since_ms = self._scheduler.now_ms() - asked.waited_ms + CLEARLY_MS
        return any(session.connected_ms > since_ms for session in self._registry.holders(asked.user, asked.device))

    def holds(self, asked: news.Holds) -> bool:
        """Whether the device is here by a Connect that is not clearly older than that of who asks."""
        since_ms = self._scheduler.now_ms() - asked.waited_ms - CLEARLY_MS
        return any(session.connected_ms > since_ms for session in self._registry.holders(asked.user, asked.device))

    def when_settled(self, user: int, name: str, call: Callable[[], None]) -> None:
        """Call back once all logins of the device that were given up here are over, and what they were about to end, too."""
        for session, waiting in self._under_way.items():
            if not session.arriving and (session.user, session.device_name) == (user, name):
                waiting.append(lambda: self.when_settled(user, name, call))
                return
        call()
