"""One run: a server, a crew, the steps of a scenario, and what came of them."""

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rockdove.bench.checking import Faults
from rockdove.bench.crew import Crew
from rockdove.bench.histogram import Histogram
from rockdove.bench.scenarios import SCENARIOS
from rockdove.bench.scenarios.scenario import Outcome, Share, Step
from rockdove.bench.servers import Servers, Target
from rockdove.bench.usage import Usage, usage
from rockdove.bench.worker import Assignment


class Watcher(Protocol):
    """Hears how far a run is."""

    def begin(self, scenario: str, step: str, total: float) -> None:
        """Another step, which takes `total` of something; 0 when nobody knows."""
        ...

    def advance(self, done: float) -> None:
        """So much of the step is done."""
        ...


@dataclass(slots=True)
class Measured:
    """A step of one run. What the server used is None when nobody knows."""

    step: str
    unit: str
    count: int
    seconds: float
    server_cpu_seconds: float | None
    server_rss_before: int | None  # bytes
    server_rss_after: int | None
    load_cpu: float  # of the busiest load process: 1 is a core
    times: dict[str, Histogram]
    curve: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """How many of the unit were done a second."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def server_cpu_us(self) -> float | None:
        """What one of the unit costs the server."""
        if self.server_cpu_seconds is None or not self.count:
            return None
        return self.server_cpu_seconds / self.count * 1e6

    @property
    def rss_growth(self) -> float | None:
        """Bytes by which the server grew, for one of the unit."""
        if self.server_rss_before is None or self.server_rss_after is None or not self.count:
            return None
        return (self.server_rss_after - self.server_rss_before) / self.count


@dataclass(slots=True)
class Run:
    """What one run of a scenario has brought."""

    steps: list[Measured]
    faults: Faults

    @property
    def good(self) -> bool:
        """Whether all that was promised was kept, and there was something to keep."""
        return not self.faults.total() and all(step.count for step in self.steps)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which scenarios run: so many load processes, which wait so long for what does not come."""

    processes: int
    patience_seconds: float


def run_scenario(name: str, plan: Any, servers: Servers, conditions: Conditions, watcher: Watcher) -> Run:
    """Run it once. Raises BenchError when that cannot be done."""
    tag = secrets.token_hex(4)
    run = Run([], Faults())
    watcher.begin(name, "start", 0)
    with servers.serve(tag) as target:

        def assign(share: Share) -> Assignment:
            return Assignment(name, plan, target.addresses, target.accounts, tag.encode(), share, conditions.patience_seconds)

        with Crew(conditions.processes, assign) as crew:
            for step in SCENARIOS[name].STEPS:
                outcomes = _take(crew, name, step, plan, target, watcher, run)
        for outcome in outcomes:  # what they say last counts for all steps
            run.faults += outcome.faults
    return run


def _take(crew: Crew, name: str, step: Step, plan: Any, target: Target, watcher: Watcher, run: Run) -> list[Outcome]:
    seconds = getattr(plan, step.seconds) if step.seconds else 0
    total = getattr(plan, step.total) if step.total else 0
    watcher.begin(name, step.name, seconds or total)
    before = usage(target.pids) if target.pids else None
    began = time.monotonic()

    def watch(done: int) -> None:
        watcher.advance(min(time.monotonic() - began, seconds) if seconds else done)

    outcomes = crew.take(step.name, watch)
    elapsed = time.monotonic() - began
    after = usage(target.pids) if target.pids else None
    if step.unit:
        run.steps.append(_measured(step, outcomes, elapsed, before, after))
    return outcomes


def _measured(step: Step, outcomes: Sequence[Outcome], seconds: float, before: Usage | None, after: Usage | None) -> Measured:
    times: dict[str, Histogram] = {}
    for outcome in outcomes:
        for what, histogram in outcome.times.items():
            times.setdefault(what, Histogram()).merge(histogram)
    return Measured(
        step.name,
        step.unit,
        sum(outcome.count for outcome in outcomes),
        seconds,
        after.cpu_seconds - before.cpu_seconds if before and after and after.processes >= before.processes else None,
        before.rss_bytes if before else None,
        after.rss_bytes if after else None,
        max(outcome.cpu_seconds for outcome in outcomes) / seconds if seconds else math.nan,
        {what: histogram for what, histogram in times.items() if histogram.total},
        sorted(second for outcome in outcomes for second in outcome.curve),
    )
