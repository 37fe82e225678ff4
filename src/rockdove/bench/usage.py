"""What the server's processes use, as Linux tells it in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PARENT, _USER_TICKS, _SYSTEM_TICKS, _PAGES = 1, 11, 12, 21  # fields of stat, behind the name


class Usage(NamedTuple):
    """Of all processes together."""

    cpu_seconds: float
    rss_bytes: int
    processes: int


def usage(roots: Iterable[int]) -> Usage:
    """What these processes and all their descendants use; those that have ended use nothing."""
    stats = _stats()
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found, left = set[int](), list(roots)
    while left:
        pid = left.pop()
        if pid in stats and pid not in found:
            found.add(pid)
            left += children.get(pid, [])
    used = [stats[pid] for pid in found]
    return Usage(
        sum(int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS]) for fields in used) / _TICKS,
        sum(int(fields[_PAGES]) for fields in used) * _PAGE,
        len(used),
    )


def _stats() -> dict[int, list[str]]:
    """The fields of each process's stat, from its state on."""
    stats = {}
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            try:
                text = (directory / "stat").read_text()
            except OSError:  # it has just ended
                continue
            stats[int(directory.name)] = text[text.rindex(")") + 2 :].split()
    return stats
