"""A loop that is held up, and a store that is silent, are noticed."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from rockdove.server import pulse
from rockdove.server.pulse import Pulse


class Events:
    """What an operator is told."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, object]] = []

    def warning(self, event: str, **fields: object) -> None:
        self.warnings.append((event, fields["seconds"]))


class Clock:
    """A loop whose timers come when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timer: tuple[float, Callable[[float], None]] = (0.0, lambda _: None)

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[[float], None], _: float) -> None:
        self._timer = due, call

    def turn(self, late: float = 0.0) -> None:
        """The next timer comes, so much too late."""
        due, call = self._timer
        self.now = due + late
        call(due)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


def make_pulse(beats: Callable[[], int] = lambda: 0) -> tuple[Pulse, Events]:
    log: Any = Events()
    return Pulse(beats, log), log


def test_a_loop_that_was_held_up_is_seen_in_its_lag() -> None:
    async def scenario() -> None:
        heart, _ = make_pulse()
        time.sleep(pulse.PERIOD_SECONDS + 0.3)  # noqa: ASYNC251  # what must not happen on a loop
        async with asyncio.timeout(60):
            while not sum(heart.lag.counts):
                await asyncio.sleep(0)
        assert heart.lag.total >= 0.3
        assert heart.worst_seconds >= 0.3

    asyncio.run(scenario())


def test_the_worst_pause_is_that_of_the_last_minute(clock: Clock) -> None:
    heart, _ = make_pulse()
    assert heart.worst_seconds == 0
    for late in (0.2, 0.4, 0.1, 0.3):
        clock.turn(late)
    assert heart.worst_seconds == pytest.approx(0.4)
    seen = []
    while heart.worst_seconds > 0.01:
        clock.turn()
        if not seen or seen[-1] != heart.worst_seconds:
            seen.append(heart.worst_seconds)
    assert seen == [pytest.approx(0.4), pytest.approx(0.3), pytest.approx(0)]
    assert clock.now == pytest.approx(1000 + 1.0 + pulse.RECENT_SECONDS, abs=1)


def test_what_is_kept_of_a_minute_is_bounded(clock: Clock) -> None:
    heart, _ = make_pulse()
    for _ in range(1_000):
        clock.turn()
    assert len(heart._worst) == 1


def test_the_operator_is_told_of_a_long_pause_once_a_minute(clock: Clock) -> None:
    _, log = make_pulse()
    clock.turn(pulse.LATE_SECONDS - 0.01)
    assert log.warnings == []
    for _ in range(5):
        clock.turn(0.7)
    assert log.warnings == [("loop_late", 0.7)]
    later = clock.now + pulse.RECENT_SECONDS
    while clock.now < later:
        clock.turn()
    clock.turn(0.8)
    clock.turn(0.9)
    assert log.warnings == [("loop_late", 0.7), ("loop_late", 0.8)]


def test_a_store_is_silent_until_it_takes_a_beat() -> None:
    async def scenario() -> None:
        beats = [0]
        heart, _ = make_pulse(lambda: beats[0])
        async with asyncio.timeout(60):
            while heart.silent_seconds < 0.2:
                await asyncio.sleep(0.01)
            beats[0] += 1
            while heart.silent_seconds >= 0.2:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
