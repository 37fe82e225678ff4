"""How long to wait before trying again."""

from collections.abc import Callable
from typing import Final

BASE_SECONDS: Final = 0.5
CAP_SECONDS: Final = 30.0


class Backoff:
    """Exponential with full jitter: uniform between 0 and a bound that doubles from 0.5 s to 30 s.

    Full jitter spreads thousands of clients, cut off at the same moment, evenly over the time.
    """

    __slots__ = ("_random", "attempt")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random  # uniform in [0, 1)
        self.attempt = 0

    def next_delay(self, at_least_attempt: int = 0) -> float:
        """Seconds to wait before this attempt; counts it. `at_least_attempt` widens the bound of this and later ones."""
        self.attempt = max(self.attempt, at_least_attempt)
        bound = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(self.attempt, 16))
        self.attempt += 1
        return bound * self._random()

    def reset(self) -> None:
        """It worked: begin small next time."""
        self.attempt = 0
