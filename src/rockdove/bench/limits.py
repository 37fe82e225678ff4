"""How many connections the limit on open files allows."""

import resource
from typing import Final

from rockdove.bench.errors import BenchError

SPARE: Final = 100  # files that a process has open besides its connections


def check_open_files(connections: int, processes: int, *, own_server: bool) -> None:
    """Raises BenchError, which says how many connections are possible, unless so many are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return
    each = hard - SPARE
    possible = each if own_server else each * processes
    if connections > possible:
        needed = (connections if own_server else -(-connections // processes)) + SPARE
        raise BenchError("bench_open_files", connections=connections, possible=possible, needed=needed)
