"""Logins of a crowd: so many at a time, the rest in order, and whoever would wait too long is told to come again.

After a network or a node was away, everybody comes back at once. What a login costs, a password's hash above all, then takes
turns with messages instead of standing before them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rockdove.core.errors import Refusal
from rockdove.core.ports import Scheduler
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session


class LoginQueue:
    """Who logs in now, and who waits for it: first come first served, but the addresses take turns.

    So one address with many logins does not keep the others waiting, and behind a proxy that hides them it is a plain queue.
    """

    __slots__ = ("_at_once", "_queues", "_scheduler", "_waiting_limit", "under_way", "waiting")

    def __init__(self, at_once: int, waiting: int, scheduler: Scheduler) -> None:
        self._at_once = at_once
        self._waiting_limit = waiting
        self._scheduler = scheduler
        self._queues: dict[str, dict[Session, tuple[int, Callable[[], None]]]] = {}  # by address; whose turn is next is first
        self.under_way = 0
        self.waiting = 0

    def enter(self, session: "Session", begin: Callable[[], None]) -> None:
        """Call `begin` when it is the session's turn, perhaps at once; then `leave` has to follow.

        Raises Refusal(UNAVAILABLE) when too many wait.
        """
        if self.under_way < self._at_once:
            self.under_way += 1
            begin()
        elif self.waiting < self._waiting_limit:
            self.waiting += 1
            self._queues.setdefault(session.address, {})[session] = (self._scheduler.now_ms(), begin)
        else:
            raise Refusal(pb.UNAVAILABLE, f"too many are logging in: try again in {self._wait_seconds()} s")

    def leave(self) -> None:
        """A login that had begun is over."""
        self.under_way -= 1
        while self._queues and self.under_way < self._at_once:
            address = next(iter(self._queues))
            queue = self._queues.pop(address)
            session = next(iter(queue))
            _, begin = queue.pop(session)
            if queue:
                self._queues[address] = queue  # behind all others
            self.waiting -= 1
            self.under_way += 1
            self._scheduler.soon(begin)

    def withdraw(self, session: "Session") -> None:
        """The connection is gone; harmless when it does not wait."""
        queue = self._queues.get(session.address, {})
        if queue.pop(session, None) is not None:
            self.waiting -= 1
            if not queue:
                del self._queues[session.address]

    def _wait_seconds(self) -> int:
        """About how long one waits in a full queue: as long as whoever is next has waited."""
        now_ms = self._scheduler.now_ms()
        queue = next(iter(self._queues.values()), {})
        since_ms, _ = next(iter(queue.values()), (now_ms, None))
        return max(1, round((now_ms - since_ms) / 1000))
