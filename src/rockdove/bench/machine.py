"""Where it was measured: without that, figures say nothing."""

import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rockdove.wire import im_pb2 as pb

_SYNCS: Final = 50
_BLOCK: Final = b"x" * 4096
_ROUNDS: Final = 5
_FRAMES: Final = 20_000
_IN_MEMORY: Final = {"tmpfs", "ramfs"}


@dataclass(frozen=True, slots=True)
class Machine:
    """`sync_ms` is what it takes to append 4 KiB durably where the data lies.

    `reference_us` is the CPU time to build and parse one frame with protobuf, which no version of rockdove changes: figures of
    two machines are compared as multiples of it.
    """

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    uvloop: str
    rockdove: str
    file_system: str
    sync_ms: float
    reference_us: float

    @property
    def durable(self) -> bool:
        """Whether the data lies on something that survives a power cut."""
        return self.file_system not in _IN_MEMORY


def look(directory: Path) -> Machine:
    """This machine, with the disk on which `directory` lies. Takes a moment."""
    return Machine(
        _processor(),
        len(os.sched_getaffinity(0)),
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        f"{platform.system()} {platform.release()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        version("uvloop"),
        version("rockdove"),
        _file_system(directory),
        _sync_ms(directory),
        _reference_us(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware"))]
    return names[0] if names else platform.machine()


def _file_system(directory: Path) -> str:
    """Its type, as mount(8) names it."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    for line in mounts:
        _, point, found, *_ = line.split()
        if directory.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _sync_ms(directory: Path) -> float:
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(_BLOCK)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _reference_us() -> float:
    """The best of some rounds, for others work here, too."""
    command = pb.Command(version=1, request=pb.Request(payload=b"x" * 100, seqid=1))
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_FRAMES):
            pb.Command.FromString(command.SerializeToString())
        best = min(best, time.process_time() - began)
    return best / _FRAMES * 1e6
