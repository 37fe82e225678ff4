"""A server that does one thing wrong is found out."""

from pathlib import Path

import pytest

from rockdove.bench.measuring import Conditions, Run, run_scenario
from rockdove.bench.scenarios.chat import ChatPlan
from rockdove.bench.scenarios.latency import LatencyPlan
from rockdove.bench.servers import StandIns
from tests.bench.faulty import STALL_SECONDS
from tests.bench.watcher import Steps

ROOT = Path(__file__).parents[2]
PLAN = ChatPlan(pairs=2, window=4, seconds=0.3, warm_up=0)
CONDITIONS = Conditions(processes=1, patience_seconds=0.3)


def run(directory: Path, *command: str) -> Run:
    return run_scenario("chat", PLAN, StandIns(directory, command), CONDITIONS, Steps())


@pytest.fixture(autouse=True)
def stand_ins_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("drop", {"lost"}),
        ("double", {"doubled"}),
        ("swap", {"disordered"}),
        ("alter", {"altered", "lost"}),
        ("misdeliver", {"stray", "lost"}),
        ("refuse", {"refused"}),
        ("silence", {"unanswered"}),
        ("answer_twice", {"doubled"}),
        ("skip", set()),
    ],
)
def test_each_fault_is_found_and_called_by_its_name(tmp_path: Path, fault: str, found: set[str]) -> None:
    result = run(tmp_path, "tests.bench.faulty", fault)
    kinds = {kind for kind, count in result.faults.items() if count}
    assert kinds - {"gap"} == found  # what is missing leaves a gap, too, unless it was the first
    assert fault != "skip" or kinds == {"gap"}
    assert not result.good


def test_the_same_server_without_a_fault_is_good(tmp_path: Path) -> None:
    result = run(tmp_path, "tests.bench.faulty", "none")
    assert result.good, result.faults


def test_a_stall_counts_for_every_message_that_was_due_meanwhile(tmp_path: Path) -> None:
    plan = LatencyPlan(pairs=2, rate=200, seconds=3, warm_up=0)
    stand_in = StandIns(tmp_path, ("tests.bench.faulty", "stall"))
    (talk,) = run_scenario("latency", plan, stand_in, CONDITIONS, Steps()).steps
    slow_ns = 100_000_000
    for what in ("answered", "received"):
        times = talk.times[what]
        slow = times.total * (1 - max((share for share, value in times.curve() if value < slow_ns), default=0.0))
        assert slow > 200 * (STALL_SECONDS - 0.1) * 0.95, what


def test_a_connection_that_the_server_ends_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "tests.bench.faulty", "cut").faults["cut"] == 1
