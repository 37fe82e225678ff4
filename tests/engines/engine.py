"""A process that rockdove depends on, real, on a loopback port of its own; started, killed and paused by tests."""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

DEADLINE_SECONDS: Final = 60
HOST: Final = "127.0.0.1"
_PORTS: Final = range(20_000, 32_000)  # nobody's connections come from there, so a port stays free while its engine is down
_ATTEMPTS: Final = 5  # to find a port that nobody takes first
_NOBODY: Final = 65534
_ENDED: Final = frozenset("ZX")  # states of a process, see proc_pid_stat(5)


class EngineError(Exception):
    """It did not start; the text has its log."""


class Engine(ABC):
    """One such process, in a directory of its own that goes with it. Runs once made; as nobody where the tests run as root."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="rockdove-test-"))
        atexit.register(self.close)
        if os.geteuid() == 0:
            os.chown(self.directory, _NOBODY, _NOBODY)
        self.port = 0

    @abstractmethod
    def command(self) -> Sequence[str]:
        """How to run it on `port`, in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the running process has said that it serves."""

    @property
    def pid(self) -> int:
        """Of the process, which may have children."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def _log_file(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        """Run it, the first time on any free port and then on the same. Returns when it serves. Raises EngineError."""
        if self.port:
            self._run()
            return
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = free_port()
            try:
                self._run()
            except EngineError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Let it end in order."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGINT)
        self._process.wait(DEADLINE_SECONDS)
        self._process = None

    def kill(self) -> None:
        """kill -9 of it and all its children at the same moment; harmless when it does not run."""
        if self._process is None:
            return
        self.pause()  # or there might be a new child
        family = self._family()
        self._signal(signal.SIGKILL)
        self._process.wait(DEADLINE_SECONDS)
        self._process = None
        _wait_for_states(family, _ENDED)

    def pause(self) -> None:
        """SIGSTOP of it and all its children: connections stay open, and nothing is answered."""
        for _ in range(2):  # a child may be born until its parent has stopped
            self._signal(signal.SIGSTOP)
            _wait_for_states(self._family(), _ENDED | {"T"})

    def resume(self) -> None:
        """SIGCONT, after `pause`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and forget its data. May be called twice."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.close)

    def run(self, *command: str, text: str = "") -> str:
        """Run a tool of the engine to its end, as the same user; returns what it printed. Raises EngineError."""
        done = subprocess.run(
            command, check=False, input=text, text=True, capture_output=True, timeout=DEADLINE_SECONDS, **self._as_whom()
        )
        if done.returncode:
            raise EngineError(f"{command[0]}: exit code {done.returncode}: {done.stderr}")
        return done.stdout

    def _run(self) -> None:
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **self._as_whom()
            )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise EngineError(f"{type(self).__name__} does not start on port {self.port}:\n{self.log}")
            time.sleep(0.01)

    def _as_whom(self) -> Mapping[str, Any]:
        """PostgreSQL refuses to run as root. A session of its own keeps Ctrl-C from it."""
        options: dict[str, Any] = {"start_new_session": True, "cwd": self.directory}
        if os.geteuid() == 0:
            options |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        return options

    def _family(self) -> list[int]:
        """The process and its children, itself first."""
        children = ""
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended by itself
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [self.pid, *map(int, children.split())]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._family():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def free_port() -> int:
    """A loopback port that nothing listens on, and that no connection will come from."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def _wait_for_states(pids: Sequence[int], states: Set[str]) -> None:
    """Until each thread of each process is in one of them: signals take effect a little after they were sent."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not all(state in states for pid in pids for state in _thread_states(pid)):
        assert time.monotonic() < deadline, f"of the processes {pids} some are not {states}"
        time.sleep(0.005)


def _thread_states(pid: int) -> Iterator[str]:
    """A letter each; nothing of a process that is gone."""
    for file in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield file.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
