"""Virtual time: what happens when, and in which order, is chosen by the seed."""

import heapq
from collections.abc import Callable, Coroutine, Generator
from random import Random
from types import coroutine
from typing import Any, Final, TypeVar

START_MS: Final = 1_750_000_000_000
MS: Final = 1_000  # the clock counts microseconds
TURN_US: Final = 800  # how long a turn of the loop takes, at most
Result = TypeVar("Result")


class Clock:
    """The only source of order. Things that are due at the same time happen in an order that the seed chooses."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._due: list[tuple[int, float, int, Callable[[], None]]] = []
        self._count = 0
        self.now_us = 0

    @property
    def now_ms(self) -> int:
        return self.now_us // MS

    def after(self, delay_us: int, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.now_us + delay_us, self._random.random(), self._count, call))

    def run(self, until_us: int, finished: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, until `until_us` or until it is `finished`."""
        due = self._due
        while due and due[0][0] <= until_us and not finished():
            self.now_us, _, _, call = heapq.heappop(due)
            call()
        if not finished():
            self.now_us = until_us


@coroutine
def pause(delay_us: int) -> Generator[int, None, None]:
    """What work awaits that takes time."""
    yield delay_us


def at_once(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of work that awaits nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    raise AssertionError("it awaits something")


class NodeScheduler:
    """`core.ports.Scheduler` of one life of a node; when that ends, nothing of it happens any more."""

    def __init__(self, clock: Clock, random: Random, offset_ms: int, on_error: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._random = random
        self._offset_ms = START_MS + offset_ms
        self._on_error = on_error
        self._under_way = 0  # what was begun and goes on soon
        self._deferred: list[Callable[[], None]] = []  # while it is frozen
        self.frozen = False
        self.alive = True

    def call(self, call: Callable[[], None]) -> None:
        """The node does this now, or when it is no more frozen."""
        if not self.alive:
            return
        if self.frozen:
            self._deferred.append(call)
            return
        try:
            call()
        except Exception as error:
            self._on_error(error)

    def soon(self, call: Callable[[], None]) -> None:
        self._go_on(self._random.randrange(TURN_US), call)

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        self._clock.after(delay_ms * MS + self._random.randrange(TURN_US), lambda: self.call(call))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            delay_us = work.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._on_error(error)
            return
        self._go_on(delay_us, lambda: self.spawn(work))

    def _go_on(self, delay_us: int, call: Callable[[], None]) -> None:
        def go_on() -> None:
            self._under_way -= 1
            call()

        self._under_way += 1
        self._clock.after(delay_us, lambda: self.call(go_on))

    def now_ms(self) -> int:
        return self._clock.now_ms + self._offset_ms

    # -- freezing

    @property
    def at_rest(self) -> bool:
        """Whether the node waits for nothing but time, its clients and its commits."""
        return not self._under_way

    def freeze(self, ms: int) -> None:
        """Do nothing for so long."""
        self.frozen = True
        self._clock.after(ms * MS, self.thaw)

    def thaw(self) -> None:
        """Go on, with all that has waited."""
        self.frozen = False
        deferred, self._deferred = self._deferred, []
        for call in deferred:
            self.call(call)
