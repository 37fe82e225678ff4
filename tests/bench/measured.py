"""Results that nobody measured."""

from rockdove.bench.checking import Faults
from rockdove.bench.histogram import Histogram
from rockdove.bench.machine import Machine
from rockdove.bench.measuring import Measured, Run
from rockdove.bench.results import Result
from rockdove.bench.scenarios.chat import ChatPlan

MACHINE = Machine("CPU & Co", 2, 4 << 30, "Linux 6", "CPython 3.11", "0.21", "0.1", "tmpfs", 0.25, 2.0)


def measured(count: int, cpu_seconds: float | None = 1.0, **more: object) -> Measured:
    times = Histogram()
    for milliseconds in range(1, 101):
        times.add(milliseconds * 1_000_000)
    fields = {"load_cpu": 0.5, "curve": [0.1, 0.2, 0.4]} | more
    return Measured("talk", "message", count, 2.0, cpu_seconds, 1000, 3000, times={"received": times}, **fields)  # type: ignore[arg-type]


def result(*counts: int, faults: dict[str, int] | None = None, **more: object) -> Result:
    runs = [Run([measured(count, **more)], Faults(faults or {})) for count in counts]  # type: ignore[arg-type]
    return Result("chat", ChatPlan(window=1), runs, [Run([measured(100_000, 0.5)], Faults())])
