"""What the hot path does for one message, counted: the same on every machine, however busy.

Everything but the sockets: a sender's bytes to the receiver's, with the answer and the acks, on SQLite.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

from bench.core_path import Pairs

USERS: Final = 40
WARM_ROUNDS: Final = 3  # the first messages look up whom they are for
ROUNDS: Final = 6


class Work(NamedTuple):
    """Per message."""

    calls: float  # of Python functions
    builtin_calls: float
    lines: float  # of Python, run
    sqlite_steps: float  # instructions of SQLite's own machine


# What was counted when it was looked at last, by the messages that each user has in flight.
EXPECTED: Final = {16: Work(8.0, 18.9, 70.9, 0.7), 1: Work(50.1, 58.4, 300.4, 0.9)}
TOLERANCE: Final = 1.5  # only a gross change fails


class Counter:
    """Counts what happens while it is open."""

    def __init__(self, pairs: Pairs) -> None:
        self._database = pairs.database
        self.calls = self.builtin_calls = self.lines = 0
        self._steps: list[None] = []

    @property
    def sqlite_steps(self) -> int:
        """So far."""
        return len(self._steps)

    def __enter__(self) -> "Counter":
        self._before = sys.gettrace(), sys.getprofile()
        self._database.set_progress_handler(partial(self._steps.append, None), 1)  # a function of Python would count itself
        sys.settrace(self._note_line)
        sys.setprofile(self._note_call)
        return self

    def __exit__(self, *_: object) -> None:
        trace, profile = self._before
        sys.setprofile(profile)
        sys.settrace(trace)
        self._database.set_progress_handler(None, 1)

    def _note_call(self, _: FrameType, event: str, __: Any) -> None:
        self.calls += event == "call"
        self.builtin_calls += event == "c_call"

    def _note_line(self, _: FrameType, event: str, __: Any) -> Callable[..., Any]:
        self.lines += event == "line"
        return self._note_line


def count_work(directory: Path, window: int) -> Work:
    """Some rounds, in each of which everybody sends `window` messages to his peer and acknowledges what came before."""
    pairs = Pairs(directory, USERS)
    for _ in range(WARM_ROUNDS):
        pairs.round(pairs.input(window))
        pairs.collect()
    counter = Counter(pairs)
    messages = 0
    for _ in range(ROUNDS):
        data = pairs.input(window)
        with counter:
            pairs.round(data)
        messages += pairs.collect()
    assert messages == ROUNDS * USERS * window
    counts = counter.calls, counter.builtin_calls, counter.lines, counter.sqlite_steps
    return Work(*(count / messages for count in counts))
