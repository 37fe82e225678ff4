"""The open loop: nothing that was due is left out, and each message is timed from when it was due."""

import asyncio
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rockdove.bench.histogram import Histogram
from rockdove.bench.pacing import Metronome, Schedule

SECOND = 10**9


@given(st.floats(0.1, 10_000), st.lists(st.integers(0, SECOND), max_size=20))
def test_whenever_it_is_asked_all_that_was_due_is_told_once(rate: float, pauses: list[int]) -> None:
    schedule, now, told = Schedule(0, rate), 0, list[int]()
    for pause in pauses:
        now += pause
        told += schedule.due(now)
        assert told[-1:] <= [now] < [schedule.next_ns]
    assert told == [int(number * (SECOND / rate)) for number in range(len(told))]


def test_a_stall_of_a_second_shows_in_all_percentiles_that_it_concerns() -> None:
    """The server does nothing from 5 s to 6 s, and the load cannot send meanwhile: both ways to count, side by side."""
    schedule = Schedule(0, 1000)
    from_due, from_sending = Histogram(), Histogram()
    for now in [*range(0, 5 * SECOND, SECOND // 1000), *range(6 * SECOND, 10 * SECOND, SECOND // 1000)]:
        for due in schedule.due(now):
            from_due.add(now - due)
            from_sending.add(0)  # it is answered at once, when it was sent at last
    assert from_sending.percentile(99.9) == 0
    assert from_due.percentile(89) == 0
    assert from_due.percentile(95) > SECOND * 0.45
    assert from_due.percentile(99.9) > SECOND * 0.95


def test_beats_of_a_loop_that_was_busy_are_made_up_for() -> None:
    due = asyncio.run(beats(150))
    assert {later - sooner for sooner, later in pairwise(due)} == {SECOND // 1000}


async def beats(count: int) -> list[int]:
    """When so many were due, of a thousand a second, on a loop that does nothing for a while."""
    due, all_came = list[int](), asyncio.Event()

    def beat(due_ns: int) -> None:
        assert due_ns <= time.monotonic_ns()
        due.append(due_ns)
        if len(due) == 20:
            time.sleep(0.1)
        if len(due) == count:
            all_came.set()

    metronome = Metronome(1000, 0, beat)
    async with asyncio.timeout(60):
        await all_came.wait()
    metronome.stop()
    return due
