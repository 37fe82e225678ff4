"""Several nodes in one process: for tests and the simulator."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from rockdove.core.ports import Scheduler

STEP_MS: Final = 5  # between two looks whether a question has its answers

PROMPT: Final = (0,)


def prompt() -> Sequence[int]:
    """The fate of what arrives once, at once and in order."""
    return PROMPT


class Hub:
    """Carries what the buses of several nodes tell each other, and may be told to do it badly."""

    def __init__(self, fate: Callable[[], Sequence[int]] = prompt) -> None:
        """`fate` is asked for everything that is carried to somebody: when each copy arrives, in ms from now.

        Nothing is lost, twice is doubled. What takes 0 ms keeps its order among its like.
        """
        self.fate = fate
        self._buses: list[LocalBus] = []

    def join(self, scheduler: Scheduler, pause: Callable[[int], Awaitable[None]]) -> "LocalBus":
        """The bus of one more node. What it hears it is told by its `scheduler`; `pause` takes that many ms."""
        bus = LocalBus(self, scheduler, pause)
        self._buses.append(bus)
        return bus

    def remove(self, bus: "LocalBus") -> None:
        """That node is no more."""
        self._buses.remove(bus)

    def listeners(self, topic: str, but: "LocalBus") -> list["LocalBus"]:
        """Who attends and can be reached, without `but`."""
        return [bus for bus in self._buses if bus is not but and bus.connected and topic in bus.topics]


class LocalBus:
    """`core.ports.Bus` of one node at a hub."""

    def __init__(self, hub: Hub, scheduler: Scheduler, pause: Callable[[int], Awaitable[None]]) -> None:
        self._hub = hub
        self._scheduler = scheduler
        self._pause = pause
        self._prompt: deque[Callable[[], None]] = deque()  # what comes at once: a scheduler need not keep the order
        self._connected = True
        self.topics: set[str] = set()

    def listen(
        self,
        on_ring: Callable[[str, bytes], None],
        on_question: Callable[[str, bytes, Callable[[bytes], None]], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._on_ring = on_ring
        self._on_question = on_question
        self._on_gap = on_gap

    @property
    def connected(self) -> bool:
        return self._connected

    def cut(self) -> None:
        """From now on nothing comes and nothing goes."""
        self._connected = False

    def mend(self) -> None:
        """It does again, and the node hears that it may have missed something."""
        self._connected = True
        self._scheduler.soon(self._on_gap)

    def attend(self, topic: str) -> None:
        self.topics.add(topic)

    def leave(self, topic: str) -> None:
        self.topics.discard(topic)

    async def settled(self) -> None:
        """At once: here `attend` holds immediately."""

    def ring(self, topic: str, news: bytes) -> None:
        if self._connected:
            for bus in self._hub.listeners(topic, but=self):
                bus.carry(partial(bus.hear, topic, news))

    async def ask(self, topic: str, question: bytes, answers: int, timeout_ms: int) -> Sequence[bytes]:
        asked = self._hub.listeners(topic, but=self) if self._connected else []
        heard: list[bytes] = []

        def answer(data: bytes) -> None:
            self.carry(partial(heard.append, data))

        for bus in asked:
            bus.carry(partial(bus.hear_question, topic, question, answer))
        waited_ms = 0
        while asked and len(heard) < answers and waited_ms < timeout_ms:
            step_ms = min(STEP_MS, timeout_ms - waited_ms)
            await self._pause(step_ms)
            waited_ms += step_ms
        return heard[:answers]

    def hear(self, topic: str, news: bytes) -> None:
        """Another has rung."""
        if topic in self.topics:
            self._on_ring(topic, news)

    def hear_question(self, topic: str, question: bytes, answer: Callable[[bytes], None]) -> None:
        """Another has asked."""
        if topic in self.topics:
            self._on_question(topic, question, answer)

    def carry(self, call: Callable[[], None]) -> None:
        """To this node, if fate allows."""
        for delay_ms in self._hub.fate():
            if delay_ms:
                self._scheduler.later(delay_ms, partial(self._arrive, call))
            else:
                self._prompt.append(call)
                self._scheduler.soon(self._arrive_next)

    def _arrive_next(self) -> None:
        self._arrive(self._prompt.popleft())

    def _arrive(self, call: Callable[[], None]) -> None:
        if self._connected:
            call()
