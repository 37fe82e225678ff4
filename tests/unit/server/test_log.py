"""The log is one JSON object a line for machines, and holds neither tokens nor messages."""

import json
import subprocess
import sys

import pytest

from rockdove.server.log import REMOVED, SECRET_KEYS, remove_secrets

PROGRAM = """
import logging, sys
sys.path[:0] = {path!r}
from rockdove.server.log import configure_log
configure_log({form!r}, "info")
import structlog
log = structlog.get_logger()
log.debug("unwanted")
log.info("login", user="alice", token="s3cret", details={{"password": "s3cret", "size": 2}})
logging.getLogger("asyncio").warning("a library says %s", "hello")
def check(password):
    raise ValueError("wrong")
try:
    check("s3cret")
except ValueError:
    log.exception("bug")
"""


def logged(form: str) -> str:
    program = PROGRAM.format(form=form, path=sys.path)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == ""
    assert "s3cret" not in result.stderr
    assert "unwanted" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("form", ["json", "auto"])
def test_without_a_terminal_each_line_is_an_event(form: str) -> None:
    login, library, bug = map(json.loads, logged(form).splitlines())
    assert (login["event"], login["level"], login["user"], login["token"]) == ("login", "info", "alice", REMOVED)
    assert login["details"] == {"password": REMOVED, "size": 2}
    assert login["timestamp"].endswith("Z")
    assert (library["event"], library["level"], library["logger"]) == ("a library says hello", "warning", "asyncio")
    assert "ValueError: wrong" in bug["exception"]


def test_for_people_there_are_lines_and_tracebacks_without_values() -> None:
    text = logged("console")
    assert "user=alice" in text
    assert "ValueError: wrong" in text
    assert "\x1b" not in text  # stderr is no terminal: no colours


@pytest.mark.parametrize("name", ["token", "password", "payload", "text", "Token"])
def test_what_is_called_a_secret_is_removed(name: str) -> None:
    assert name.lower() in SECRET_KEYS
    assert remove_secrets(None, "info", {"event": "x", name: "s3cret"}) == {"event": "x", name: REMOVED}
