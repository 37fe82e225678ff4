"""A server in a process of its own, and what is seen of it from outside: memory, CPU, the pauses of its loop."""

import os
import signal
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.process import PASSWORD, ServerProcess, add_users, rockdove

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """As of one moment."""

    anonymous_bytes: int  # memory of its own
    resident_bytes: int  # with the pages of files that it has mapped
    cpu_seconds: float
    worst_pause_seconds: float  # of the last minute
    messages: int  # stored since the start


class WatchedServer:
    """`rockdove serve` on free ports."""

    def __init__(self, data: Path) -> None:
        """Returns when it is ready; `ready_seconds` says how long that took."""
        start = time.monotonic()
        self._process = ServerProcess(data, "--http", "127.0.0.1:0")
        self.port = self._process.port()
        self._metrics = f"http://127.0.0.1:{self._process.port('http')}/metrics"
        self._process.wait_for_event("ready")
        self.ready_seconds = time.monotonic() - start
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """What it has told its operator."""
        return self._process.log

    def figures(self) -> Figures:
        """What it takes now."""
        told = self._told()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return Figures(
            int(status["RssAnon"].split()[0]) * 1024,
            int(status["VmRSS"].split()[0]) * 1024,
            (int(user) + int(system)) / CLOCK_TICKS,
            told["rockdove_loop_lag_worst_seconds"],
            int(told["rockdove_messages_stored_total"]),
        )

    def _told(self) -> dict[str, float]:
        with urllib.request.urlopen(self._metrics, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def stop(self) -> None:
        """As its operator does."""
        self._process.signal(signal.SIGTERM)
        self._process.wait(60)


def make_users(data: Path, names: Iterable[str]) -> str:
    """Accounts whose password is quick to check; returns it."""
    rockdove("tenant", "set", "default", "default", "--password-cost", "light", "--data", str(data))
    add_users(data, names)
    return PASSWORD
