"""How often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core import quota
from rockdove.core.quota import Allowance, FailedLogins, MessageRate

MINUTE = 60_000


@given(st.integers(1, 100), st.lists(st.integers(0, 500), max_size=300))
def test_no_second_sees_more_than_twice_the_size_and_the_long_run_no_more_than_the_rate(size: int, steps: list[int]) -> None:
    allowance = Allowance(size, 1_000, 0)
    now_ms, taken = 0, []
    for step in steps:
        now_ms += step
        if allowance.take(now_ms):
            taken.append(now_ms)
    assert len(taken) <= size + size * now_ms / 1_000 + 1e-6
    for at_ms in taken:
        assert sum(at_ms <= other < at_ms + 1_000 for other in taken) <= 2 * size


def test_a_bucket_refills_evenly_and_not_beyond_its_size() -> None:
    allowance = Allowance(10, 1_000, 0)
    assert [allowance.take(0) for _ in range(11)] == [True] * 10 + [False]
    assert not allowance.take(99)
    assert allowance.take(200)
    assert allowance.left(10**9) == 10


def test_a_clock_that_steps_back_gives_and_takes_nothing() -> None:
    allowance = Allowance(2, 1_000, 10_000)
    allowance.take(10_000)
    assert allowance.left(0) == 1
    assert allowance.left(0) == 1


def failures(logins: FailedLogins, address: str, user: str, now_ms: int = 0) -> int:
    """How many failures it takes until the next try is refused."""
    count = 0
    while not logins.refuses(address, user, now_ms):
        logins.failed(address, user, now_ms)
        count += 1
    return count


def test_after_ten_failures_for_one_user_an_address_is_refused_for_that_user() -> None:
    logins = FailedLogins()
    assert failures(logins, "a", "alice") == quota.FAILURES_PER_USER
    assert not logins.refuses("a", "bob", 0)
    assert not logins.refuses("b", "alice", 0)


def test_after_a_hundred_failures_an_address_is_refused_for_everybody() -> None:
    logins = FailedLogins()
    count = 0
    while not logins.refuses("a", f"user{count}", 0):
        logins.failed("a", f"user{count}", 0)
        count += 1
    assert count == quota.FAILURES_PER_ADDRESS
    assert logins.refuses("a", "alice", 0)
    assert not logins.refuses("b", "alice", 0)


def test_a_minute_later_all_is_forgiven() -> None:
    logins = FailedLogins()
    failures(logins, "a", "alice")
    assert not logins.refuses("a", "alice", MINUTE)
    assert failures(logins, "a", "alice", MINUTE) == quota.FAILURES_PER_USER


def test_the_memory_of_failures_is_bounded_and_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "REMEMBERED", 1_000)
    logins = FailedLogins()
    for n in range(2_000):
        logins.failed(f"address{n}", "alice", 0)
        assert len(logins._allowances) <= 1_000
    failures(logins, "a", "alice")
    assert logins.refuses("a", "alice", 0)


def test_a_rate_of_messages_says_when_it_is_ignored() -> None:
    rate = MessageRate(5, 0)
    assert [rate.allows(0) for _ in range(6)] == [True] * 5 + [False]
    for _ in range(49):
        rate.allows(0)
    assert not rate.flooding
    rate.allows(0)
    assert rate.flooding


def test_one_who_slows_down_is_not_flooding() -> None:
    rate = MessageRate(5, 0)
    for now_ms in range(0, 60_000, 100):  # ten a second: every other one is refused
        rate.allows(now_ms)
        assert not rate.flooding
