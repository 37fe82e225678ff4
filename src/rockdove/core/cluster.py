"""This node among the others that serve the same store."""

from typing import Final

from rockdove.core import news_pb2 as news
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.hearing import Hearing
from rockdove.core.neighbours import BEAT_MS, Neighbours
from rockdove.core.ports import Bus, Log, Scheduler
from rockdove.core.registry import Registry
from rockdove.core.session import Session
from rockdove.core.topics import NODES, node_topic

LONG_MS: Final = 5 * BEAT_MS  # without a beat: some may take this node for dead


class Cluster:
    """Joins the bus, says that the node lives, and catches up after rings were missed."""

    def __init__(
        self,
        registry: Registry,
        presence: PresenceNews,
        neighbours: Neighbours,
        scheduler: Scheduler,
        log: Log,
        bus: Bus | None,
    ) -> None:
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
