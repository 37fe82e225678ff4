"""When stored messages are taken into the search index: while the node has little else to do.

A search looks directly at what is not in the index yet, so that being late costs only the time of searches.
"""

from collections.abc import Callable
from typing import Final

from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Log, Store

STEP: Final = 20  # messages taken in at once, in some 0.7 ms
STEP_SHARED: Final = 40  # where each step is a question to a database elsewhere
SOON_MS: Final = 5  # before the next step, when there is more
SOME_MS: Final = 200  # while messages come in: it is cheaper to take several
IDLE_MS: Final = 1_000
BUSY_MS: Final = 250
BUSY_PER_MS: Final = 1  # messages stored per ms, from which on the node has better things to do: no step could keep up
LOOK_MS: Final = 100  # how long it is counted how many are stored


class Indexing:
    """Takes in a few messages at a time."""

    def __init__(self, store: Store, stored: Callable[[], int], log: Log) -> None:
        """`stored` tells how many messages were stored since the start."""
        self._store = store
        self._stored = stored
        self._log = log
        self._step = STEP_SHARED if store.shared else STEP
        self._last = (0, 0)  # when it was looked last, and how many messages had been stored
        self._busy = False  # so many were stored since the time before
        self._waits = False  # the index could not be written
        self.pause_ms = IDLE_MS  # how long to wait before the next step

    async def step(self, now_ms: int) -> None:
        """Do a bounded piece of the work; call it again after `pause_ms`."""
        self._look(now_ms)
        try:
            taken = await self._store.index(self._step)
            self._waits = False
        except StoreUnavailable as error:
            taken = 0
            if not self._waits:  # said once, not with every try
                self._waits = True
                self._log.warning("indexing_waits", reason=str(error))
        if not taken:
            self.pause_ms = IDLE_MS
        elif self._busy:
            self.pause_ms = BUSY_MS
        else:
            self.pause_ms = SOON_MS if taken == self._step else SOME_MS

    def _look(self, now_ms: int) -> None:
        before_ms, before = self._last
        passed_ms = now_ms - before_ms
        if not 0 <= passed_ms < LOOK_MS:
            stored = self._stored()
            self._busy = stored - before > BUSY_PER_MS * max(passed_ms, 1)
            self._last = (now_ms, stored)
