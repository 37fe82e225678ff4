"""When stored messages are taken into the search index: while the node has little else to do.

A search looks directly at what is not in the index yet, so that being late costs only the time of searches.
"""

from collections.abc import Callable
from typing import Final

from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Log, Store

STEP: Final = 40  # messages taken in at once, in 1 to 2 ms
SOON_MS: Final = 10  # before the next step, when there is more
SOME_MS: Final = 200  # while messages come in: it is cheaper to take several
IDLE_MS: Final = 1_000
BUSY_MS: Final = 250
BUSY_PER_MS: Final = 4  # messages stored per ms, from which on the node has better things to do: no step could keep up


class Indexing:
    """Takes in a few messages at a time."""

    def __init__(self, store: Store, stored: Callable[[], int], log: Log) -> None:
        """`stored` tells how many messages were stored since the start."""
        self._store = store
        self._stored = stored
        self._log = log
        self._last = (0, 0)  # when the last step was, and how many messages had been stored
        self._waits = False  # the index could not be written
        self.pause_ms = IDLE_MS  # how long to wait before the next step

    async def step(self, now_ms: int) -> None:
        """Do a bounded piece of the work; call it again after `pause_ms`."""
        before_ms, before = self._last
        stored = self._stored()
        self._last = (now_ms, stored)
        busy = stored - before > BUSY_PER_MS * max(now_ms - before_ms, 1)
        try:
            taken = await self._store.index(STEP)
            self._waits = False
        except StoreUnavailable as error:
            taken = 0
            if not self._waits:  # said once, not with every try
                self._waits = True
                self._log.warning("indexing_waits", reason=str(error))
        self.pause_ms = IDLE_MS if not taken else BUSY_MS if busy else SOON_MS if taken == STEP else SOME_MS
