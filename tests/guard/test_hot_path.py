"""The hot path has not become grossly dearer. Nothing here looks at a clock; what it costs in time is in docs/benchmarks.md."""

from pathlib import Path

import pytest

from rockdove.server.build import build
from tests.guard.hot_path import EXPECTED, TOLERANCE, count_work

pytestmark = pytest.mark.skipif("compiled" in build(), reason="calls and lines are counted by the interpreter")


@pytest.mark.parametrize("window", EXPECTED)
def test_a_message_makes_no_more_work_than_it_did(tmp_path: Path, window: int) -> None:
    work, expected = count_work(tmp_path, window), EXPECTED[window]
    dearer = [name for name, count, limit in zip(work._fields, work, expected, strict=True) if count > TOLERANCE * limit]
    assert not dearer, f"{work}, of which there may be {TOLERANCE} times {expected}"


def test_counts_are_the_same_each_time(tmp_path: Path) -> None:
    count_work(tmp_path / "warm", 16)  # what is made once for a process
    assert count_work(tmp_path / "one", 16) == count_work(tmp_path / "other", 16)
