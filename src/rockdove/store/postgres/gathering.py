"""Batches of several lanes go to the database together: a statement costs it, and us, about as much as fifty messages.

While one is under way the others wait for its end and then share the next one; unless it takes unusually long, as where a
conversation is locked by another node, or the connection was lost. Then they go by a connection of their own.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from rockdove.core.records import Batch
from rockdove.store.postgres.lane import Lane

PATIENCE: Final = 2.0  # times as long as the last one took
LEAST_SECONDS: Final = 0.005
MOST_SECONDS: Final = 0.25

Done = Callable[[Exception | None], None]


class Gathering:
    """Gives batches to connections. Of one lane of the core there is one batch at a time, so nothing overtakes."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._free = list(reversed(lanes))  # the one used last is used next: its plans are warm
        self._waiting: list[tuple[Batch, Done]] = []
        self._timer: asyncio.Handle | None = None
        self._under_way = 0
        self._seconds = 0.0  # that the last one took

    def commit(self, batch: Batch, done: Done) -> None:
        """See Store.commit; `done` is called later."""
        self._waiting.append((batch, done))
        if self._timer is None:
            loop = asyncio.get_running_loop()
            if batch.changes or not self._under_way:
                self._timer = loop.call_soon(self._start)
            else:
                self._timer = loop.call_later(min(MOST_SECONDS, max(LEAST_SECONDS, PATIENCE * self._seconds)), self._start)

    def stop(self) -> None:
        """What waits is given up: nobody hears of it."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        together = [each for each in waiting if not each[0].changes]
        if together:
            self._give(together)
        for each in waiting:  # a change holds locks while its rules are asked: nobody waits for it
            if each[0].changes:
                self._give([each])

    def _give(self, together: Sequence[tuple[Batch, Done]]) -> None:
        lane = self._free.pop()
        self._under_way += 1
        began = asyncio.get_running_loop().time()

        def done(error: Exception | None) -> None:
            self._seconds = asyncio.get_running_loop().time() - began
            self._free.append(lane)
            self._under_way -= 1
            for _, tell in together:
                tell(error)
            if self._timer is not None:  # who was told may have more, with the end of this turn
                self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_soon(self._start)

        lane.commit(Batch.joined([batch for batch, _ in together]), done)
