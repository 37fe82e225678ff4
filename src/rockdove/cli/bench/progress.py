"""How far a run is: a bar on a terminal, a line for each scenario elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rockdove.locale import Texts


class BenchProgress:
    """Tells on stderr. It is `bench.measuring.Watcher`."""

    def __init__(self, texts: Texts, runs: int) -> None:
        """So many runs will be done."""
        self._texts = texts
        self._terminal = sys.stderr.isatty()
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
        )
        self._runs = self._bars.add_task("rockdove bench", total=runs) if self._terminal else TaskID(0)
        self._step: TaskID | None = None
        self._total = 0.0

    def __enter__(self) -> Self:
        if self._terminal:
            self._bars.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._terminal:
            self._bars.stop()

    def run(self, title: str) -> None:
        """A run begins."""
        if not self._terminal:
            print(title, file=sys.stderr, flush=True)

    def done(self) -> None:
        """A run is over."""
        if self._terminal:
            self._bars.advance(self._runs)

    def begin(self, scenario: str, step: str, total: float) -> None:
        """Another step."""
        if not self._terminal:
            return
        if self._step is not None:
            self._bars.remove_task(self._step)
        self._step = self._bars.add_task(f"{scenario}: {self._texts[f'step_{step}']}", total=total or None)

    def advance(self, done: float) -> None:
        """So much of it is done."""
        if self._step is not None:
            self._bars.update(self._step, completed=done)
