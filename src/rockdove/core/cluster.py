"""This node among the others that serve the same store."""

from typing import Final

from rockdove.core import news_pb2 as news
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.hearing import Hearing
from rockdove.core.neighbours import BEAT_MS, Neighbours
from rockdove.core.ports import Bus, Log, Scheduler, Store
from rockdove.core.records import Device
from rockdove.core.registry import Registry
from rockdove.core.session import Session
from rockdove.core.topics import NODES, node_topic

LONG_MS: Final = 5 * BEAT_MS  # without a beat: some may take this node for dead


class Cluster:
    """Joins the bus, says that the node lives, takes devices over, and catches up after rings were missed."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        presence: PresenceNews,
        neighbours: Neighbours,
        scheduler: Scheduler,
        log: Log,
        bus: Bus | None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._presence = presence
        self._neighbours = neighbours
        self._scheduler = scheduler
        self._log = log
        self._bus = bus
        self._heard_ms = 0  # when the store last heard that this node is alive
        self._behind: dict[Session, None] = {}  # that may have missed rings, and have not looked since
        self._catching_up = False

    def join(self, hearing: Hearing) -> None:
        """Listen to the others, if there is a bus."""
        self._neighbours.on_gone = self._presence.node_gone
        if self._bus is not None:
            hearing.on_gap = self._look_everywhere
            self._bus.listen(hearing.ring, hearing.question, self._reunite)
            self._bus.attend(NODES)
            self._bus.attend(node_topic(self._neighbours.number))

    async def live_on(self) -> None:
        """Say that this node is alive. Who took it for dead meanwhile has told that its users are gone."""
        if not await self._neighbours.beat():
            return
        now_ms = self._scheduler.now_ms()
        if self._heard_ms and now_ms - self._heard_ms > LONG_MS:
            self._log.warning("node_was_away", seconds=(now_ms - self._heard_ms) // 1000)
            self._presence.announce()
        self._heard_ms = now_ms

    async def open_device(self, user: int, name: str, client: str, now_ms: int) -> Device | None:
        """The device as it logs in here; where it was on another node, it has ended there. Raises StoreUnavailable.

        None if it has logged in once more meanwhile, on whatever node: of those that come at the same time the last one stays.
        """
        number = self._neighbours.number
        device = await self._store.open_device(user, name, client, now_ms, number)
        if device.holder in (0, number):
            return device
        await self._neighbours.replace(device.holder, user, name, device.login)
        # What the older session stored while it ended is to be known, too.
        settled = await self._store.device(user, name)
        return settled if settled is not None and settled.login == device.login else None

    def _reunite(self) -> None:
        """The bus is back: neither this node nor the others have heard everything."""
        assert self._bus is not None
        self._bus.ring(NODES, news.News(items=[news.Item(gap=news.Gap())]).SerializeToString())
        self._look_everywhere()

    def _look_everywhere(self) -> None:
        """Rings may have been missed: what they were about is in the store."""
        self._behind.update(dict.fromkeys(self._registry))
        self._presence.announce()
        if not self._catching_up:
            self._catching_up = True
            self._scheduler.spawn(self._catch_up())

    async def _catch_up(self) -> None:
        """One session after the other, so that new messages are not kept waiting."""
        try:
            while self._behind:
                session, _ = self._behind.popitem()
                if session.live:
                    await self._look(session)
        finally:
            self._catching_up = False

    async def _look(self, session: Session) -> None:
        try:
            await session.look()
        except Exception:
            self._log.exception("work_failed")  # the others are still behind
