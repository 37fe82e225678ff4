"""When to look at which session again: a wheel of seconds, so that idle sessions cost nothing in between."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rockdove.core.session import Session

SLOT_MS: Final = 500


class Deadlines:
    """Sessions by the time at which something may be due."""

    __slots__ = ("_slots", "_swept")

    def __init__(self) -> None:
        self._slots: dict[int, dict[Session, None]] = {}  # each session stands in one slot at most
        self._swept = -1  # the last slot that was run

    def watch(self, session: "Session", at_ms: int) -> None:
        """Call `session.check` soon after `at_ms`, and not before."""
        self.forget(session)
        session.check_ms = at_ms
        session.check_slot = max(at_ms // SLOT_MS + 1, self._swept + 1)
        self._slots.setdefault(session.check_slot, {})[session] = None

    def forget(self, session: "Session") -> None:
        """Do not call it."""
        self._slots.get(session.check_slot, {}).pop(session, None)

    def run(self, now_ms: int) -> None:
        """Check every session that is due. Call this about every SLOT_MS."""
        current = now_ms // SLOT_MS
        if self._swept < 0 or current - self._swept > len(self._slots) + 1:
            due = sorted(slot for slot in self._slots if slot <= current)
        else:
            due = list(range(self._swept + 1, current + 1))
        for slot in due:
            sessions = self._slots.get(slot, {})
            while sessions:  # what a fault leaves here is checked the next time
                session = next(iter(sessions))
                del sessions[session]
                session.check(now_ms)
            self._slots.pop(slot, None)
            self._swept = slot
        self._swept = current
