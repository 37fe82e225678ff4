"""The report as pictures: what it cost, how long it took, and how soon all were back."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from rockdove.bench import svg
from rockdove.bench.histogram import Histogram
from rockdove.bench.measuring import Measured
from rockdove.bench.results import Result, figure
from rockdove.bench.table import step_name
from rockdove.locale import Texts

_PERCENTILES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
_POINTS: Final = 500  # of a line, about
_NINES: Final = 5.0  # the axis ends at 99.999 %


def plots(results: Sequence[Result], texts: Texts) -> dict[str, str]:
    """SVG documents by their file names."""
    found = {}
    rows = list(_costs(results, texts))
    if rows:
        found["cpu.svg"] = svg.bars(texts["plot_cpu"], rows)
    for result in results:
        for index, runs in enumerate(result.steps):
            name = f"{result.file_name}-{runs[0].step.replace('_', '-')}"
            floor = [run.steps[index] for run in result.floor]
            title = f"{result.label}: {texts['step_' + runs[0].step]}"
            times = _times(runs, floor, texts)
            if times:
                found[f"{name}-times.svg"] = _percentiles(title, times, texts)
            if runs[0].curve:
                found[f"{name}-progress.svg"] = _progress(title, runs, texts)
    return found


def _costs(results: Sequence[Result], texts: Texts) -> Iterator[tuple[str, float, str]]:
    for result in results:
        for index, runs in enumerate(result.steps):
            for prefix, steps in (("", runs), (f"{texts['floor']}: ", [run.steps[index] for run in result.floor])):
                cost = figure(steps, lambda run: run.server_cpu_us)
                if cost:
                    yield f"{prefix}{result.label}: {step_name(runs[0], texts)}", cost.median, f"{cost.median:,.1f}"


def _times(runs: Sequence[Measured], floor: Sequence[Measured], texts: Texts) -> list[tuple[str, Histogram]]:
    """All runs together, with what was timed as its name."""
    found = []
    for prefix, steps in (("", runs), (f"{texts['floor']}: ", floor)):
        for what in ("answered", "received", "caught_up", "login"):
            merged = Histogram()
            for step in steps:
                if what in step.times:
                    merged.merge(step.times[what])
            if merged.total:
                found.append((f"{prefix}{texts['time_' + what]}", merged))
    return found


def _percentiles(title: str, times: Sequence[tuple[str, Histogram]], texts: Texts) -> str:
    """Slow ones to the right, where each step of the axis is ten times rarer."""
    across = svg.Axis(
        texts["plot_percent"],
        [(percent, f"{percent:g} %") for percent in _PERCENTILES],
        0.0,
        100 * (1 - 10**-_NINES),
        lambda percent: -math.log10(max(1 - percent / 100, 10**-_NINES)),
    )
    series = [(name, [(share * 100, value / 1e6) for share, value in histogram.curve()]) for name, histogram in times]
    up = svg.logarithmic(texts["plot_ms"], [value for _, points in series for _, value in points])
    return svg.lines(title, across, up, series)


def _progress(title: str, runs: Sequence[Measured], texts: Texts) -> str:
    """How many were done after so many seconds."""
    series = [
        (f"{number}", [(0.0, 0.0), *_thinned([(second, float(done)) for done, second in enumerate(run.curve, 1)])])
        for number, run in enumerate(runs, 1)
    ]
    points = [point for _, line in series for point in line]
    across = svg.linear(texts["plot_seconds"], [second for second, _ in points])
    return svg.lines(title, across, svg.linear(texts["plot_done"], [done for _, done in points]), series)


def _thinned(points: Sequence[svg.Point]) -> Sequence[svg.Point]:
    """Some of the points, with the last."""
    return [*points[: -1 : max(1, len(points) // _POINTS)], *points[-1:]]
