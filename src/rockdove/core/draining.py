"""A node that stops moves its clients away: evenly over some time, so that no other node is overrun by them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rockdove.core.ports import Scheduler
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

STEP_MS: Final = 50
REASON: Final = "the server stops: reconnect after a random pause"


class Draining:
    """Ends sessions with SERVER_SHUTDOWN. The pause that each client makes is random (protocol §8), the steps need not be."""

    def __init__(self, sessions: Iterable["Session"], within_ms: int, scheduler: Scheduler) -> None:
        self._left = list(sessions)
        self._count = len(self._left)
        self._within_ms = within_ms
        self._over_ms = scheduler.now_ms() + within_ms
        self._scheduler = scheduler
        self._step()

    def _step(self) -> None:
        left_ms = max(0, self._over_ms - self._scheduler.now_ms())
        stay = -(-self._count * left_ms // self._within_ms) if left_ms else 0  # rounded up: the last one goes at the end
        while len(self._left) > stay:
            self._left.pop().end(pb.SERVER_SHUTDOWN, REASON)
        if self._left:
            self._scheduler.later(min(STEP_MS, left_ms), self._step)

    def hurry(self) -> None:
        """End all that are left, now."""
        self._over_ms = self._scheduler.now_ms()
        self._step()
