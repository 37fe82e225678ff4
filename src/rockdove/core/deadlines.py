"""When to look at which session again: a wheel of seconds, so that idle sessions cost nothing in between."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rockdove.core.session import Session

SLOT_MS: Final = 500


class Deadlines:
    """Sessions by the time at which something may be due."""

    __slots__ = ("_slots", "_swept")

    def __init__(self) -> None:
        self._slots: dict[int, list[Session]] = {}
        self._swept = -1  # the last slot that was run

    def watch(self, session: "Session", at_ms: int) -> None:
        """Call `session.check` soon after `at_ms`, unless it asks for an earlier time meanwhile."""
        session.check_ms = at_ms
        slot = max(at_ms // SLOT_MS + 1, self._swept + 1)
        self._slots.setdefault(slot, []).append(session)

    def run(self, now_ms: int) -> None:
        """Check every session that is due. Call this about every SLOT_MS."""
        current = now_ms // SLOT_MS
        if self._swept < 0 or current - self._swept > len(self._slots) + 1:
            due = sorted(slot for slot in self._slots if slot <= current)
        else:
            due = list(range(self._swept + 1, current + 1))
        self._swept = current
        for slot in due:
            for session in self._slots.pop(slot, ()):
                if session.check_ms <= now_ms and not session.closed:
                    session.check(now_ms)
