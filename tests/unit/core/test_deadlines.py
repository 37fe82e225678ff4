"""Sessions are looked at soon after they asked for it, and not before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.deadlines import SLOT_MS, Deadlines


class Watched:
    """As much of a session as the wheel needs."""

    def __init__(self) -> None:
        self.check_ms = 1 << 62
        self.check_slot = -1
        self.checks: list[int] = []

    def check(self, now_ms: int) -> None:
        self.checks.append(now_ms)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), min_size=1), st.integers(0, 2_000_000_000_000))
def test_a_session_is_checked_once_within_a_slot_after_its_time(times: list[tuple[int, int]], start_ms: int) -> None:
    deadlines = Deadlines()
    watched = []
    for now_ms in range(start_ms, start_ms + 50_000, SLOT_MS):
        deadlines.run(now_ms)
        for begins, delay in times:
            if now_ms <= start_ms + begins < now_ms + SLOT_MS:
                session = Watched()
                deadlines.watch(session, start_ms + begins + delay)  # type: ignore[arg-type]
                watched.append((session, start_ms + begins + delay))
    assert len(watched) == len(times)
    for session, at_ms in watched:
        (checked_ms,) = session.checks
        assert at_ms <= checked_ms <= at_ms + 2 * SLOT_MS


def test_the_earliest_of_several_times_counts_and_later_ones_do_not_count_twice() -> None:
    deadlines, session = Deadlines(), Watched()
    deadlines.watch(session, 5_000)  # type: ignore[arg-type]
    deadlines.watch(session, 1_000)  # type: ignore[arg-type]
    for now_ms in range(0, 4_000, SLOT_MS):
        deadlines.run(now_ms)
    assert len(session.checks) == 1


def test_a_session_that_put_its_time_off_is_not_checked_at_the_old_one() -> None:
    deadlines, session = Deadlines(), Watched()
    deadlines.watch(session, 1_000)  # type: ignore[arg-type]
    deadlines.watch(session, 5_000)  # type: ignore[arg-type]
    deadlines.run(0)
    deadlines.run(4_500)
    assert session.checks == []
    deadlines.run(6_000)
    assert session.checks == [6_000]


def test_a_session_that_is_gone_is_not_checked() -> None:
    deadlines, session = Deadlines(), Watched()
    deadlines.watch(session, 1_000)  # type: ignore[arg-type]
    deadlines.forget(session)  # type: ignore[arg-type]
    deadlines.run(0)
    deadlines.run(10_000)
    assert session.checks == []


def test_after_a_long_sleep_all_that_is_due_is_checked() -> None:
    deadlines = Deadlines()
    sessions = [Watched() for _ in range(10)]
    deadlines.run(0)
    for n, session in enumerate(sessions):
        deadlines.watch(session, n * 1_000)  # type: ignore[arg-type]
    deadlines.run(10**9)
    assert all(session.checks == [10**9] for session in sessions)


def test_a_clock_that_steps_back_loses_nobody() -> None:
    deadlines, session = Deadlines(), Watched()
    deadlines.run(100_000)
    deadlines.watch(session, 101_000)  # type: ignore[arg-type]
    for now_ms in range(50_000, 103_000, SLOT_MS):
        deadlines.run(now_ms)
    assert len(session.checks) == 1
    assert session.checks[0] >= 101_000


def test_a_fault_of_one_session_leaves_the_others_for_the_next_time() -> None:
    class Faulty(Watched):
        def check(self, now_ms: int) -> None:
            raise ZeroDivisionError

    deadlines, sessions = Deadlines(), [Faulty(), Watched(), Watched()]
    for session in sessions:
        deadlines.watch(session, 1_000)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        deadlines.run(2_000)
    deadlines.run(2_500)
    assert [len(session.checks) for session in sessions] == [0, 1, 1]
