"""How often: failed logins always, messages where the tenant asks for it (protocol §3, §4)."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

FAILURES_PER_USER: Final = 10  # of one user from one address
FAILURES_PER_ADDRESS: Final = 100  # of all users from one address
FAILURE_WINDOW_MS: Final = 60_000
REMEMBERED: Final = 100_000  # keys; the oldest are forgotten first
FLOOD_FACTOR: Final = 10  # seconds' worth of refused messages in a row that end a session


class Allowance:
    """A bucket that holds `size` and refills evenly over `refill_ms`."""

    __slots__ = ("_left", "_refill_ms", "_size", "_updated_ms")

    def __init__(self, size: int, refill_ms: int, now_ms: int) -> None:
        self._size = size
        self._refill_ms = refill_ms
        self._left = float(size)
        self._updated_ms = now_ms

    def left(self, now_ms: int) -> float:
        """What may be taken now."""
        elapsed = max(0, now_ms - self._updated_ms)
        self._updated_ms = now_ms
        self._left = min(self._size, self._left + self._size * elapsed / self._refill_ms)
        return self._left

    def take(self, now_ms: int) -> bool:
        """Take one if there is one."""
        if self.left(now_ms) < 1:
            return False
        self._left -= 1
        return True


class FailedLogins:
    """Slows guessing down, whoever is being guessed at (protocol §3: too many tries).

    A user who gets it right is not counted, and one address can't lock a user out elsewhere.
    """

    __slots__ = ("_allowances",)

    def __init__(self) -> None:
        self._allowances: OrderedDict[Hashable, Allowance] = OrderedDict()

    def refuses(self, address: str, user: Hashable, now_ms: int) -> bool:
        """Whether this try is not even looked at."""
        return bool(self._allowances) and any(
            key in self._allowances and self._allowances[key].left(now_ms) < 1 for key, _ in self._keys(address, user)
        )

    def failed(self, address: str, user: Hashable, now_ms: int) -> None:
        """Count a failure."""
        for key, size in self._keys(address, user):
            allowance = self._allowances.pop(key, None) or Allowance(size, FAILURE_WINDOW_MS, now_ms)
            allowance.take(now_ms)
            self._allowances[key] = allowance
        while len(self._allowances) > REMEMBERED:
            self._allowances.popitem(last=False)

    @staticmethod
    def _keys(address: str, user: Hashable) -> tuple[tuple[Hashable, int], ...]:
        return (
            ((address, user), FAILURES_PER_USER),
            (address, FAILURES_PER_ADDRESS),
        )


class MessageRate:
    """A tenant's limit on one session's messages."""

    __slots__ = ("_allowance", "_refused", "per_second")

    def __init__(self, per_second: int, now_ms: int) -> None:
        self.per_second = per_second
        self._allowance = Allowance(per_second, 1_000, now_ms)
        self._refused = 0

    def allows(self, now_ms: int) -> bool:
        """Whether one more message is within the limit."""
        if self._allowance.take(now_ms):
            self._refused = 0
            return True
        self._refused += 1
        return False

    @property
    def flooding(self) -> bool:
        """Whether the client goes on and on although it is being refused."""
        return self._refused > FLOOD_FACTOR * self.per_second
