"""What a node counts of its work: plain numbers, for whoever asks. Counting costs next to nothing, and names nobody."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

BATCH_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Histogram:
    """How many values there were up to each bound, and beyond the last one."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """`bounds` go upwards."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Figures:
    """Of all lanes of a node, since its start."""

    __slots__ = ("clock", "commit_messages", "commit_seconds", "commits_refused", "cursors", "pushes")

    def __init__(self) -> None:
        self.clock: Callable[[], float] = lambda: 0.0  # seconds, finer than the scheduler's; the core has none of its own
        self.commit_messages = Histogram(BATCH_SIZES)  # with changes counted as messages
        self.commit_seconds = Histogram(SECONDS)
        self.commits_refused = 0  # nothing of the batch was stored
        self.cursors = 0  # moved and stored
        self.pushes = 0  # of messages, re-pushes included
