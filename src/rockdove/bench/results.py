"""What several runs of a scenario say together, and as JSON (docs/bench.md)."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple

from rockdove.bench.checking import FAULTS
from rockdove.bench.machine import Machine
from rockdove.bench.measuring import Measured, Run

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_TIMES: Final = {"seconds", "warm_up"}
FORMAT: Final = 1  # of the JSON


class Spread(NamedTuple):
    """One figure of several runs."""

    median: float
    lowest: float
    highest: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one scenario, and those against the floor, if there were any."""

    scenario: str
    plan: Any
    runs: Sequence[Run]
    floor: Sequence[Run] = ()

    @property
    def label(self) -> str:
        """The scenario, and in what its plan is not the default."""
        changed = {each.name: getattr(self.plan, each.name) for each in fields(self.plan) if each.name not in _TIMES}
        told = [f"{name}={value:g}" for name, value in changed.items() if value != getattr(type(self.plan)(), name)]
        return " ".join([self.scenario, *told])

    @property
    def file_name(self) -> str:
        """The same, as a part of a file's name."""
        return self.label.replace(" ", "-").replace("=", "-").replace("_", "-")

    @property
    def good(self) -> bool:
        """Whether every run kept what was promised."""
        return all(run.good for run in (*self.runs, *self.floor))

    @property
    def steps(self) -> list[tuple[Measured, ...]]:
        """Each step that was measured: all its runs."""
        return list(zip(*(run.steps for run in self.runs), strict=True))

    def faults(self) -> dict[str, int]:
        """What went wrong in all runs together, by kind."""
        return {kind: sum(run.faults[kind] for run in self.runs) for kind in FAULTS}

    def over_floor(self, step: int) -> float | None:
        """What one of the unit costs, as a multiple of what it costs the floor; None when that is not known."""
        own = figure([run.steps[step] for run in self.runs], lambda each: each.server_cpu_us)
        floor = figure([run.steps[step] for run in self.floor], lambda each: each.server_cpu_us)
        return own.median / floor.median if own and floor and floor.median else None


def figure(runs: Sequence[Measured], of: Callable[[Measured], float | None]) -> Spread | None:
    """One figure of a step; None when a run does not know it."""
    values = [value for value in map(of, runs) if value is not None]
    return spread(values) if values and len(values) == len(runs) else None


def percentiles(runs: Sequence[Measured], what: str) -> dict[str, Spread]:
    """How long it took, in ms, by percentile; the last is the maximum."""
    found = {
        f"p{percent:g}": spread([run.times[what].percentile(percent) / 1e6 for run in runs if what in run.times])
        for percent in PERCENTILES
    }
    return found | {"max": spread([run.times[what].largest / 1e6 for run in runs if what in run.times])}


def as_json(results: Sequence[Result], machine: Machine, processes: int, pictures: Iterable[str]) -> dict[str, Any]:
    """The whole report, for programs; `pictures` are the names of files beside it."""
    return {
        "format": FORMAT,
        "good": all(result.good for result in results),
        "machine": asdict(machine),
        "processes": processes,
        "scenarios": [_scenario(result) for result in results],
        "pictures": sorted(pictures),
    }


def _scenario(result: Result) -> dict[str, Any]:
    return {
        "scenario": result.scenario,
        "plan": asdict(result.plan),
        "good": result.good,
        "faults": result.faults(),
        "steps": [_step(runs, result.over_floor(index)) for index, runs in enumerate(result.steps)],
        "floor": [_step(runs, None) for runs in zip(*(run.steps for run in result.floor), strict=True)],
    }


def _step(runs: Sequence[Measured], over_floor: float | None) -> dict[str, Any]:
    def told(of: Callable[[Measured], float | None]) -> dict[str, float] | None:
        found = figure(runs, of)
        return found._asdict() if found else None

    return {
        "step": runs[0].step,
        "unit": runs[0].unit,
        "count": told(lambda run: run.count),
        "seconds": told(lambda run: run.seconds),
        "per_second": told(lambda run: run.per_second),
        "server_cpu_us": told(lambda run: run.server_cpu_us),
        "server_cpu_us_over_floor": over_floor,
        "server_rss_bytes": told(lambda run: run.server_rss_after),
        "server_rss_growth_bytes_per_unit": told(lambda run: run.rss_growth),
        "load_cpu": told(lambda run: run.load_cpu),
        "times_ms": {
            what: {name: found._asdict() for name, found in percentiles(runs, what).items()} for what in runs[0].times
        },
    }
