"""The buses that the contract holds for, with nodes that note what they hear, and the means to cut them off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

from rockdove.bus.local import Hub, LocalBus
from rockdove.bus.nats.bus import NatsBus
from rockdove.bus.nats.link import NOBODY, Access
from rockdove.bus.nats.server import parse_servers
from rockdove.core.ports import Bus
from rockdove.server.scheduler import LoopScheduler
from tests.engines.nats import NatsServer

DEADLINE_SECONDS: Final = 30
EPOCH: Final = 0x5EED
MARK: Final = "mark"  # every node attends to it, see Node.told


class Lines:
    """A `core.ports.Log` that keeps the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    info = warning = error = exception = debug

    @property
    def names(self) -> list[str]:
        """The events in order."""
        return [name for name, _ in self.events]


class Node:
    """A bus and what was heard of it."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, bytes]] = []
        self.asked: list[tuple[str, bytes]] = []
        self.gaps = 0
        self.on_ring: Callable[[str, bytes], None] = lambda topic, news: None
        self.replies: Callable[[bytes], Sequence[bytes]] = lambda question: []
        self._marks = 0
        self._news = asyncio.Event()
        bus.listen(self._hear, self._hear_question, self._hear_gap)
        bus.attend(MARK)

    def _hear(self, topic: str, news: bytes) -> None:
        self._news.set()
        if topic == MARK:
            self._marks += 1
        else:
            self.heard.append((topic, news))
            self.on_ring(topic, news)

    def _hear_question(self, topic: str, question: bytes, answer: Callable[[bytes], None]) -> None:
        self.asked.append((topic, question))
        for reply in self.replies(question):
            answer(reply)

    def _hear_gap(self) -> None:
        self.gaps += 1
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for what hearing something makes true."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def told(self, *others: "Node") -> None:
        """Wait until the others have heard all that this one has rung: what one node rings keeps its order."""
        marks = [other._marks for other in others]
        self.bus.ring(MARK, b"")
        for other, mark in zip(others, marks, strict=True):
            await other.until(lambda other=other, mark=mark: other._marks > mark)  # type: ignore[misc]


class Exchange(Protocol):
    """Where nodes meet."""

    async def join(self) -> Node:
        """One more, connected."""

    async def cut(self, node: Node) -> None:
        """From now on it hears nothing, and nobody hears it. Returns when it knows."""

    async def mend(self, node: Node) -> None:
        """It does again. Returns when it knows."""


class LocalExchange:
    """A hub."""

    def __init__(self) -> None:
        self._hub = Hub()
        self._scheduler = LoopScheduler(asyncio.get_running_loop(), _fail)

    async def join(self) -> Node:
        return Node(self._hub.join(self._scheduler, lambda delay_ms: asyncio.sleep(delay_ms / 1000)))

    async def cut(self, node: Node) -> None:
        assert isinstance(node.bus, LocalBus)
        node.bus.cut()

    async def mend(self, node: Node) -> None:
        assert isinstance(node.bus, LocalBus)
        node.bus.mend()


class NatsExchange:
    """A NATS server."""

    def __init__(self, server: NatsServer, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack

    async def join(self) -> Node:
        node = await self._stack.enter_async_context(nats_node(self._server.url))
        assert node.bus.connected
        return node

    async def cut(self, node: Node) -> None:
        self._server.kill()
        await until(lambda: not node.bus.connected)

    async def mend(self, node: Node) -> None:
        self._server.start()
        await until(lambda: node.bus.connected)


@asynccontextmanager
async def nats_node(urls: str, log: Lines | None = None, epoch: int = EPOCH, access: Access = NOBODY) -> AsyncIterator[Node]:
    """A node on NATS, started and then stopped."""
    bus = NatsBus(parse_servers(urls), epoch, "test", log or Lines(), access)
    node = Node(bus)
    await bus.start()
    try:
        yield node
    finally:
        await bus.stop()


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


def _fail(error: Exception) -> None:
    raise error
