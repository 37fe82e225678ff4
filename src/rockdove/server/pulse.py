"""How well this process keeps up: whether its loop turns in time, and the shared store hears of it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from rockdove.core.figures import SECONDS, Histogram
from rockdove.core.ports import Log

PERIOD_SECONDS: Final = 0.02  # a pause is seen less this, at most; 50 timers a second took 0.5 % of a CPU of a busy machine
RECENT_SECONDS: Final = 60.0
LATE_SECONDS: Final = 0.5  # the operator is told of a pause from here on, once in RECENT_SECONDS


class Pulse:
    """Looks at the loop regularly, from its making to the end of the loop."""

    def __init__(self, beats: Callable[[], int], log: Log) -> None:
        """`beats` counts the signs of life of this node that the shared store has taken."""
        self._loop = asyncio.get_running_loop()
        self._beats = beats
        self._log = log
        self._beats_before = beats()
        self._beaten_at = self._loop.time()
        self._told_at = -RECENT_SECONDS
        self._worst: deque[tuple[float, float]] = deque()  # when, and how late: each less than all before it
        self.lag = Histogram(SECONDS)  # how much too late a timer comes
        self._wait()

    def _wait(self) -> None:
        due = self._loop.time() + PERIOD_SECONDS
        self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        now = self._loop.time()
        late = max(0.0, now - due)
        self.lag.add(late)
        self._note(now, late)
        beats = self._beats()
        if beats != self._beats_before:
            self._beats_before = beats
            self._beaten_at = now
        self._wait()

    def _note(self, now: float, late: float) -> None:
        worst = self._worst
        while worst and worst[-1][1] <= late:
            worst.pop()
        worst.append((now, late))
        while worst[0][0] <= now - RECENT_SECONDS:
            worst.popleft()
        if late >= LATE_SECONDS and now >= self._told_at + RECENT_SECONDS:
            self._told_at = now
            self._log.warning("loop_late", seconds=round(late, 3))

    @property
    def worst_seconds(self) -> float:
        """The worst lag of the last minute."""
        return self._worst[0][1] if self._worst else 0.0

    @property
    def silent_seconds(self) -> float:
        """For how long the shared store has taken no sign of life."""
        return self._loop.time() - self._beaten_at
