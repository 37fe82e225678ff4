"""Who is measured: a server that is started for it, or one that runs already."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Protocol, Self

from rockdove.bench.accounts import Accounts, TokenAccounts
from rockdove.bench.errors import BenchError

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_LOOK_SECONDS: Final = 0.02
_LOOPBACK: Final = "127.0.0.1"
_ORG: Final = "bench"
_PREFIX: Final = "bench"  # of the names of users
_NO_SECRET: Final = "nobody looks at what is signed with this"


@dataclass(frozen=True, slots=True)
class Target:
    """A server that listens, or the nodes of one. Without `pids` nobody knows what it uses."""

    addresses: tuple[tuple[str, int], ...]
    accounts: Accounts
    pids: tuple[int, ...] = ()


class Servers(Protocol):
    """Where scenarios take place."""

    def serve(self, tag: str) -> AbstractContextManager[Target]:
        """A server for one run, whose users bear the tag. Raises BenchError."""
        ...


@dataclass(frozen=True, slots=True)
class RunningServer:
    """One that is there before and after."""

    target: Target

    @contextmanager
    def serve(self, tag: str) -> Iterator[Target]:
        """The same for all runs; its users are others each time, where the load makes them itself."""
        accounts = self.target.accounts
        if isinstance(accounts, TokenAccounts):
            accounts = replace(accounts, prefix=f"{_PREFIX}-{tag}")
        yield replace(self.target, accounts=accounts)


@dataclass(frozen=True, slots=True)
class OwnServers:
    """For each run `rockdove serve` on an empty data directory below `directory`, or on `store`, a PostgreSQL database.

    `pids` are processes that belong to it, those of the database for example. Its log is `server.log` in `directory`.
    """

    directory: Path
    store: str | None = None
    pids: tuple[int, ...] = ()

    @contextmanager
    def serve(self, tag: str) -> Iterator[Target]:
        """Each run has a tenant of its own."""
        with TemporaryDirectory(prefix="data-", dir=self.directory) as data:
            place = {"ROCKDOVE_STORE": self.store} if self.store else {"ROCKDOVE_DATA": data}  # a store holds a password
            _rockdove(place, "tenant", "add", _ORG, tag)
            secret = _rockdove(place, "tenant", "token", _ORG, tag, "--secret").strip()
            command = ["rockdove", "serve", "--tcp", "127.0.0.1:0", "--http", "off"]
            with Process(command, self.directory / "server.log", place) as process:
                accounts = TokenAccounts(_ORG, tag, secret, f"{_PREFIX}-{tag}")
                yield Target(((_LOOPBACK, process.port),), accounts, (process.pid, *self.pids))


@dataclass(frozen=True, slots=True)
class StandIns:
    """A module of Python that speaks the wire and lets everybody in: `rockdove.bench.floor`, or one that tests the bench."""

    directory: Path
    command: tuple[str, ...] = ("rockdove.bench.floor",)

    @contextmanager
    def serve(self, tag: str) -> Iterator[Target]:
        """A process of its own for each run."""
        with Process(self.command, self.directory / "floor.log") as process:
            yield Target(((_LOOPBACK, process.port),), TokenAccounts(_ORG, tag, _NO_SECRET, f"{_PREFIX}-{tag}"), (process.pid,))


class Process:
    """A Python module that serves, as a process of its own: `listening` in its log says where. It ends with this one."""

    def __init__(self, command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are those of a server, as in its environment."""
        self._environment = _environment(settings or {})
        self._command = [sys.executable, "-m", "rockdove.bench.attended", str(os.getpid()), *command]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.DEVNULL, stderr=log, env=self._environment, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.port:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise BenchError("bench_no_start", log=self._log, last=_last_line(self._log))
            time.sleep(_LOOK_SECONDS)
            self.port = _listening(self._log)
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """That of this process, without what configures a server, and with these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROCKDOVE_")}
    return {**kept, "ROCKDOVE_LOG_FORMAT": "json", **settings}


def _rockdove(settings: Mapping[str, str], *arguments: str) -> str:
    """What this command prints. Raises BenchError."""
    command = [sys.executable, "-m", "rockdove", *arguments]
    done = subprocess.run(  # noqa: S603
        command, env=_environment(settings), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError("bench_no_tenant", reason=done.stderr.strip().removeprefix("rockdove: "))
    return done.stdout


def _listening(log: Path) -> int:
    """The port that the log tells; 0 if it tells none yet."""
    for line in log.read_text(errors="replace").splitlines():
        if '"listening"' in line and line.endswith("}"):
            return int(json.loads(line)["port"])
    return 0


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else ""
