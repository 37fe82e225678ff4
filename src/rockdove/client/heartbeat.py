"""Is the connection alive? When to ask, and when to stop believing (protocol §5 Heartbeat)."""

from typing import Final

from rockdove.wire.limits import HEARTBEAT_SECONDS

SILENCE_SECONDS: Final = 5.0  # an answer is due and nothing comes: ask
PONG_SECONDS: Final = 10.0  # asked, and still nothing: the connection is dead


class Heartbeat:
    """All times are seconds on the caller's monotonic clock."""

    __slots__ = ("_asked_at", "_awaiting_since", "_heard_at", "_interval", "_pinged_at")

    def __init__(self, now: float, interval: float = HEARTBEAT_SECONDS) -> None:
        self._interval = interval
        self._pinged_at = now
        self._heard_at = now
        self._asked_at: float | None = None  # of a Ping without its Pong
        self._awaiting_since: float | None = None

    def heard(self, now: float, *, pong: bool) -> None:
        """Something came in."""
        self._heard_at = now
        if pong:
            self._asked_at = None

    def awaiting(self, now: float, *, due: bool) -> None:
        """Whether the server owes an answer."""
        if not due:
            self._awaiting_since = None
        elif self._awaiting_since is None:
            self._awaiting_since = now

    def ping_due(self, now: float) -> bool:
        """Whether to send a Ping now; it counts as sent then."""
        if self._asked_at is not None or now < self.deadline():
            return False
        self._pinged_at = self._asked_at = now
        return True

    def dead(self, now: float) -> bool:
        """Whether a Ping went without any sign of life for 10 s."""
        return self._asked_at is not None and now >= self.deadline()

    def deadline(self) -> float:
        """When to look again."""
        if self._asked_at is not None:
            return max(self._asked_at, self._heard_at) + PONG_SECONDS
        due = self._pinged_at + self._interval
        if self._awaiting_since is not None:
            due = min(due, max(self._awaiting_since, self._heard_at) + SILENCE_SECONDS)
        return due
