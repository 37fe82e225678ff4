"""The report for people: a table that a terminal can show, in any language."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

from wcwidth import wcswidth

from rockdove.bench.machine import Machine
from rockdove.bench.measuring import Measured
from rockdove.bench.results import Result, Spread, figure, percentiles
from rockdove.locale import Texts

_BUSY: Final = 0.9  # from here on the load itself keeps messages waiting
_GAP: Final = "  "


def describe_machine(machine: Machine, texts: Texts) -> list[str]:
    """Lines that say where this was measured."""
    lines = [
        texts["machine"].format(
            processor=machine.processor,
            cores=machine.cores,
            memory=f"{machine.memory_bytes / 2**30:.0f}",
            system=machine.system,
        ),
        texts["software"].format(rockdove=machine.rockdove, python=machine.python, uvloop=machine.uvloop),
        texts["calibration"].format(
            sync=f"{machine.sync_ms:.2f}", file_system=machine.file_system, reference=f"{machine.reference_us:.2f}"
        ),
    ]
    if not machine.durable:
        lines.append(texts["not_durable"].format(file_system=machine.file_system))
    return lines


def describe_results(results: Sequence[Result], texts: Texts) -> list[str]:
    """The table, and below it what has to be said about it."""
    head = [texts[key] for key in ("what", "per_second", "cpu", "over_floor", "memory", "load")]
    head += [texts["times"], "p50", "p90", "p99", "p99.9", texts["max"]]
    rows = [row for result in results for row in _rows(result, texts)]
    lines = [*_aligned([head, *rows]), "", *(_verdict(result, texts) for result in results)]
    lines += [line for result in results for line in _connections(result, texts)]
    busy = max((step.load_cpu for result in results for run in result.runs for step in run.steps), default=0)
    if busy > _BUSY:
        lines.append(texts["busy"].format(percent=f"{busy * 100:.0f}"))
    return lines


def step_name(step: Measured, texts: Texts) -> str:
    """What was done, and in what it is counted."""
    return f"{texts['step_' + step.step]} ({texts['unit_' + step.unit]})"


def _rows(result: Result, texts: Texts) -> Iterator[list[str]]:
    """One row for each thing that was timed, the first with the other figures."""
    title = f"{result.scenario} {_plan(result.plan)}"
    yield [title]
    for index, runs in enumerate(result.steps):
        over = result.over_floor(index)
        figures = [
            f"  {step_name(runs[0], texts)}",
            _figure(figure(runs, lambda run: run.per_second), 0),
            _figure(figure(runs, lambda run: run.server_cpu_us), 1),
            f"{over:.1f} ×" if over else "",
            _figure(figure(runs, lambda run: (run.server_rss_after or 0) / 2**20), 0),
            _figure(figure(runs, lambda run: run.load_cpu * 100), 0),
        ]
        timed = [[texts[f"time_{what}"], *_times(runs, what)] for what in runs[0].times]
        yield [*figures, *(timed[0] if timed else [])]
        for row in timed[1:]:
            yield [*[""] * len(figures), *row]


def _plan(plan: Any) -> str:
    return " ".join(f"{field.name.replace('_', '-')}={getattr(plan, field.name):g}" for field in fields(plan))


def _times(runs: Sequence[Measured], what: str) -> list[str]:
    return [f"{found.median:,.2f}" for found in percentiles(runs, what).values()]


def _figure(found: Spread | None, digits: int) -> str:
    """The median, and the spread where there is one."""
    if not found:
        return "–"
    if f"{found.lowest:.{digits}f}" == f"{found.highest:.{digits}f}":
        return f"{found.median:,.{digits}f}"
    return f"{found.median:,.{digits}f} [{found.lowest:,.{digits}f}–{found.highest:,.{digits}f}]"


def _verdict(result: Result, texts: Texts) -> str:
    if result.good:
        return texts["good"].format(scenario=result.label)
    wrong = {kind: count for kind, count in result.faults().items() if count}
    told = texts["comma"].join(texts[f"fault_{kind}"].format(count=count) for kind, count in wrong.items())
    return texts["failed"].format(scenario=result.label, faults=told or texts["nothing_done"])


def _connections(result: Result, texts: Texts) -> Iterator[str]:
    """What one connection takes, where people did nothing but log in."""
    for runs in result.steps:
        grown = figure(runs, lambda run: run.rss_growth)
        if runs[0].step == "log_in" and grown:
            kibibytes = Spread(*(each / 1024 for each in grown))
            yield texts["connection"].format(scenario=result.label, kibibytes=_figure(kibibytes, 1))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, the first to the left, the others to the right. A row of one cell is a heading."""
    columns = max(map(len, rows))
    widths = [max((wcswidth(row[n]) for row in rows if n < len(row) > 1), default=0) for n in range(columns)]
    return [row[0] if len(row) == 1 else _line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell + " " * (width - wcswidth(cell)) if not n else " " * (width - wcswidth(cell)) + cell
        for n, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return _GAP.join(cells).rstrip()
