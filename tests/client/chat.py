"""`rockdove chat` as its users run it: through pipes, or in a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import pyte

from tests.process import ROCKDOVE

DEADLINE_SECONDS = 60
_ROWS, _COLUMNS = 40, 100


def chat_command(*arguments: str, command: str = "chat") -> list[str]:
    """The command line."""
    return [str(ROCKDOVE), command, *arguments]


def run_chat(*arguments: str, environment: Mapping[str, str], lines: str = "") -> subprocess.CompletedProcess[str]:
    """Through pipes, until it ends by itself."""
    return subprocess.run(
        chat_command(*arguments),
        input=lines,
        env=dict(environment),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=DEADLINE_SECONDS,
    )


class Script(subprocess.Popen[str]):
    """A chat whose pipes the test holds. It is killed when `with` ends, and after the deadline."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        super().__init__(
            chat_command(*arguments), env=dict(environment), stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8"
        )
        self._watchdog = threading.Timer(DEADLINE_SECONDS, self.kill)
        self._watchdog.start()

    def say(self, line: str) -> None:
        """Write a line to it."""
        assert self.stdin
        self.stdin.write(line + "\n")
        self.stdin.flush()

    def hear(self) -> str:
        """The next line that it prints."""
        assert self.stdout
        return self.stdout.readline()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watchdog.cancel()
        self.kill()
        super().__exit__(kind, error, trace)


class Terminal:
    """The chat in a terminal. `with` ends it."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], command: str = "chat") -> None:
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            chat_command(*arguments, command=command),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(inner)
        self.raw = b""  # everything that it has written
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._screen.write_process_input = lambda data: os.write(self._terminal, data.encode())
        self._stream = pyte.ByteStream(self._screen)
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # the chat has ended
                data = b""
            with self._news:
                self.raw += data
                self._stream.feed(data)
                self._news.notify_all()
            if not data:
                return

    @property
    def shown(self) -> str:
        """What is on the screen, from the top."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def expect(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        with self._news:
            self._news.wait_for(lambda: text in self.shown or not self._reader.is_alive(), DEADLINE_SECONDS)
            assert text in self.shown, f"{text!r} is not in\n{self.shown}"

    def press(self, keys: str) -> None:
        """Press keys; \\r is Enter."""
        self.press_bytes(keys.encode())

    def press_bytes(self, data: bytes) -> None:
        """The same, with what the terminal sends."""
        os.write(self._terminal, data)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(DEADLINE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE_SECONDS)
        os.close(self._terminal)
