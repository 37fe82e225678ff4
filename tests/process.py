"""The server as its users run it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROCKDOVE = Path(sys.executable).with_name("rockdove")
DEADLINE_SECONDS = 60
PASSWORD = "correct horse battery staple"  # of every user in these tests


def rockdove(*arguments: str, text: str = "") -> str:
    """What this command prints, with `text` as its input; it has to succeed."""
    command = [str(ROCKDOVE), *arguments]
    done = subprocess.run(command, input=text, text=True, check=False, capture_output=True, timeout=DEADLINE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def add_users(place: Path | str, names: Iterable[str]) -> None:
    """Create users with PASSWORD in the data directory, or in the database with that address."""
    lines = "".join(f"{name}:{PASSWORD}\n" for name in names)
    where = ["--data", str(place)] if isinstance(place, Path) else ["--store", place]
    rockdove("user", "add", "--from-file", "-", *where, text=lines)


class ServerProcess:
    """`rockdove serve` on free ports. `wrapper` is a command that starts it, such as strace; `program` is its stand-in.

    `environment` is added to that of the tests.
    """

    def __init__(
        self,
        data: Path,
        *arguments: str,
        wrapper: Sequence[str] = (),
        program: Sequence[str] = (str(ROCKDOVE),),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [*wrapper, *program, "serve", "--data", str(data), "--tcp", "127.0.0.1:0", *arguments]
        if "--http" not in arguments:
            command += ["--http", "off"]
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | dict(environment or {}),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as log:
            for line in log:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def log(self) -> str:
        """What it has written to its log so far."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def port(self, transport: str = "tcp") -> int:
        """Where it listens; waits for that. Raises AssertionError when it ends before it listens."""
        return int(self.wait_for_event("listening", lambda event: event.get("transport") == transport)["port"])

    @property
    def events(self) -> int:
        """How many lines it has written to its log so far."""
        return len(self._lines)

    def wait_for_event(
        self, name: str, wanted: Callable[[dict[str, Any]], bool] = lambda event: True, after: int = 0
    ) -> dict[str, Any]:
        """The first log event of that name which is `wanted`, past or still to come, behind the first `after` lines."""
        found: list[dict[str, Any]] = []
        seen = after

        def look() -> bool:
            nonlocal seen
            while seen < len(self._lines) and not found:
                event = _parsed(self._lines[seen])
                seen += 1
                if event.get("event") == name and wanted(event):
                    found.append(event)
            return bool(found) or not self._reader.is_alive()

        with self._news:
            self._news.wait_for(look, DEADLINE_SECONDS)
        assert found, f"no {name!r} in the log of the server (exit code {self._process.poll()}):\n{self.log}"
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def wait(self, timeout_seconds: float = DEADLINE_SECONDS) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        code = self._process.wait(timeout_seconds)
        self._reader.join(DEADLINE_SECONDS)
        return code

    def kill(self) -> None:
        """kill -9; harmless when it has ended already."""
        self._process.kill()
        self.wait()

    def stop(self) -> None:
        """SIGTERM. Raises AssertionError unless it exits with 0 within 10 s."""
        self.signal(signal.SIGTERM)
        code = self.wait(10)
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.log}"


def _parsed(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
