"""How well this process keeps up: whether its loop turns in time, and the shared store hears of it."""

import asyncio
from collections.abc import Callable
from typing import Final

from rockdove.core.figures import SECONDS, Histogram

PERIOD_SECONDS: Final = 0.5


class Pulse:
    """Looks twice a second, from its making to the end of the loop."""

    def __init__(self, beats: Callable[[], int]) -> None:
        """`beats` counts the signs of life of this node that the shared store has taken."""
        self._loop = asyncio.get_running_loop()
        self._beats = beats
        self._beats_before = beats()
        self._beaten_at = self._loop.time()
        self.lag = Histogram(SECONDS)  # how much too late a timer comes
        self._wait()

    def _wait(self) -> None:
        due = self._loop.time() + PERIOD_SECONDS
        self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        self.lag.add(max(0.0, self._loop.time() - due))
        beats = self._beats()
        if beats != self._beats_before:
            self._beats_before = beats
            self._beaten_at = self._loop.time()
        self._wait()

    @property
    def silent_seconds(self) -> float:
        """For how long the shared store has taken no sign of life."""
        return self._loop.time() - self._beaten_at
