"""The histogram of durations."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.bench.histogram import Histogram

DURATIONS = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(DURATIONS, st.floats(0, 100))
def test_a_percentile_is_that_of_the_values_and_at_most_a_sixtieth_too_high(values: list[int], percent: float) -> None:
    found = filled(values).percentile(percent)
    exact = next(each for n, each in enumerate(sorted(values), 1) if n >= len(values) * percent / 100)
    assert exact <= found <= exact + exact // 60


@given(DURATIONS, DURATIONS)
def test_merged_is_as_if_counted_in_one(one: list[int], other: list[int]) -> None:
    merged, both = pickle.loads(pickle.dumps(filled(one))), filled(one + other)
    merged.merge(filled(other))
    assert merged.total == both.total
    assert merged.largest == both.largest == max(one + other)
    assert merged.curve() == both.curve()


@given(DURATIONS)
def test_the_curve_rises_to_all_of_them(values: list[int]) -> None:
    curve = filled(values).curve()
    assert curve == sorted(curve)
    assert curve[-1] == (1.0, max(values))


@pytest.mark.parametrize("percent", [0, 50, 100])
def test_nothing_counted_is_zero(percent: float) -> None:
    assert Histogram().percentile(percent) == 0


def test_what_is_out_of_range_counts_as_the_nearest() -> None:
    histogram = filled([-5, 1 << 60])
    assert histogram.percentile(50) == 0
    assert histogram.percentile(100) == histogram.largest == (1 << 42) - 1
