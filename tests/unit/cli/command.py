"""The rockdove command as people run it: its output, its exit code."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from rockdove.cli import main


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    error: str


def clean_environment(added: dict[str, str]) -> dict[str, str]:
    """An environment without the configuration of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROCKDOVE_")}
    return clean | {"PYTHONPATH": os.pathsep.join(sys.path)} | added


def rockdove(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Result:
    """Run the command in this process, which is quick. An exception that it lets through fails the test."""
    out, error = StringIO(), StringIO()
    with (
        patch.dict(os.environ, clean_environment(environment), clear=True),
        patch.object(sys, "argv", ["rockdove", *map(str, arguments)]),
        patch.object(sys, "stdin", TextIOWrapper(BytesIO(stdin))),
        redirect_stdout(out),
        redirect_stderr(error),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, out.getvalue(), error.getvalue())


def rockdove_process(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Result:
    """Run the command in a process of its own, whose Python may complain too."""
    command = [sys.executable, "-m", "rockdove", *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, capture_output=True, env=clean_environment(environment), timeout=120, check=False
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def succeeded(result: Result) -> str:
    """What the command printed; it ended well and had nothing to complain about."""
    assert (result.code, result.error) == (0, "")
    return result.out


def refused(result: Result, code: int = 1) -> str:
    """The one line that the command wrote, without its prefix; it ended with `code` and printed nothing else."""
    (line,) = result.error.splitlines()
    assert (result.code, result.out) == (code, "")
    assert line.startswith("rockdove: ")
    return line.removeprefix("rockdove: ")
