"""An open loop: messages go out when they are due, whether the server keeps up or not.

What takes long then counts for each message that had to wait for it, not only for the one that was under way when it began
(coordinated omission): a message is timed from when it was due.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_SHORTEST_NS: Final = 200_000  # between two looks at the clock


class Schedule:
    """When messages are due: at a steady rate, from a beginning on. Nothing is left out, however late it is asked."""

    def __init__(self, begin_ns: int, per_second: float) -> None:
        self._begin_ns = begin_ns
        self._step_ns = 1e9 / per_second
        self._taken = 0

    @property
    def next_ns(self) -> int:
        """When the next one is due."""
        return self._begin_ns + int(self._taken * self._step_ns)

    def due(self, now_ns: int) -> Iterator[int]:
        """When each of those was due that have been since it was asked last."""
        while (due_ns := self.next_ns) <= now_ns:
            self._taken += 1
            yield due_ns


class Metronome:
    """Calls `beat` with the time at which each message was due. A thread waits for it: timers of the loop are 1 ms coarse."""

    def __init__(self, per_second: float, delay_ns: int, beat: Callable[[int], None]) -> None:
        """It begins after `delay_ns`, so that those of several processes do not beat together."""
        self._schedule = Schedule(time.monotonic_ns() + delay_ns, per_second)
        self._beat = beat
        self._loop = asyncio.get_running_loop()
        self._asked = False
        self._stopped = False
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is due any more."""
        self._stopped = True

    def _wait(self) -> None:
        while not self._stopped:
            time.sleep(max(self._schedule.next_ns - time.monotonic_ns(), _SHORTEST_NS) / 1e9)
            if not self._asked and not self._stopped:
                self._asked = True
                self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        self._asked = False
        if not self._stopped:
            for due_ns in self._schedule.due(time.monotonic_ns()):
                self._beat(due_ns)
