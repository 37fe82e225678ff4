"""How far long work is: a line that changes on a terminal, now and then a new one elsewhere."""

import sys
import time
from types import TracebackType
from typing import Final, Self

TERMINAL_SECONDS: Final = 0.2  # between two lines
PIPE_SECONDS: Final = 10.0
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Tells on stderr: what, how many rows, how fast, how long it will take. It is `store.moving.Watcher`."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._pause = TERMINAL_SECONDS if self._terminal else PIPE_SECONDS
        self._task = ""
        self._before = self._done = self._total = 0
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._end()

    def begin(self, task: str, done: int, total: int) -> None:
        """Another task begins, of which `done` of about `total` rows were done before."""
        self._end()
        self._task, self._before, self._done, self._total = task, done, done, total
        self._began = self._told = time.monotonic()

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        self._done += rows
        now = time.monotonic()
        if now - self._told >= self._pause:
            self._told = now
            self._show(self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        """`seconds` is how long this task takes already."""
        rate = (self._done - self._before) / seconds
        line = f"{self._task}: {self._done:,} of {max(self._total, self._done):,} rows, {rate:,.0f} a second"
        return f"{line}, {_clock((self._total - self._done) / rate)} left" if rate and self._total > self._done else line

    def _show(self, line: str) -> None:
        print(f"{_CLEAR}{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def _end(self) -> None:
        """The last task is over: its line makes room."""
        if self._terminal and self._task:
            print(_CLEAR, end="", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"
