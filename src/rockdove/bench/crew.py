"""The load processes together."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Final, Self

from rockdove.bench.errors import BenchError
from rockdove.bench.scenarios.scenario import Outcome, Share
from rockdove.bench.worker import Assignment, work

_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 10


class Crew:
    """Starts so many processes, and ends them when it is left."""

    def __init__(self, processes: int, assign: Callable[[Share], Assignment]) -> None:
        """`assign` says what each of them has to do."""
        context = multiprocessing.get_context("spawn")
        self._orders: list[Connection] = []
        self._processes = []
        for index in range(processes):
            mine, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, assign(Share(index, processes))), daemon=True)
            process.start()
            theirs.close()
            self._orders.append(mine)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for orders in self._orders:
            orders.close()
        deadline = time.monotonic() + _END_SECONDS
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()

    def take(self, step: str, watch: Callable[[int], None]) -> list[Outcome]:
        """Have all processes take a step; `watch` hears now and then how much of it is done. Raises BenchError."""
        for orders in self._orders:
            orders.send(step)
        outcomes: list[Outcome] = []
        done = dict.fromkeys(self._orders, 0)
        while len(outcomes) < len(self._orders):
            ready = wait(self._orders, _LOOK_SECONDS)
            for orders in (each for each in self._orders if each in ready):
                answer = _answer(orders)
                if isinstance(answer, Outcome):
                    outcomes.append(answer)
                else:
                    done[orders] = answer
            watch(sum(done.values()))
        return outcomes


def _answer(orders: Connection) -> Outcome | int:
    try:
        answer: Outcome | BenchError | int = orders.recv()
    except (EOFError, ConnectionError):
        raise BenchError("bench_process_died") from None
    if isinstance(answer, BenchError):
        raise answer
    return answer
