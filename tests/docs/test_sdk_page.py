"""docs/sdk.md and the README's example, run against a server; and their tables, held against the SDK."""

import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

import rockdove
from rockdove import BlockingClient, Client, Refused, RockdoveError
from rockdove.client import events
from tests.conftest import StartServer
from tests.docs.pages import blocks, code_spans, read, section, table
from tests.docs.program import add_people, at, promised, run
from tests.raw import DEADLINE_SECONDS

PAGE = read("docs/sdk.md")


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_examples_do_what_they_say(tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(port: int) -> None:
        names: dict[str, Any] = {"asyncio": asyncio}
        for example in blocks(PAGE, "python"):
            async with asyncio.timeout(DEADLINE_SECONDS):
                printed = await run(at(example, port), names)
            said = promised(example)
            assert example.count("print(") == len(said), "what an example prints stands behind the print"
            assert printed[: len(said)] == said

    add_people(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    asyncio.run(scenario(start_server(tmp_path / "data").port()))
    assert (tmp_path / "alice.db").stat().st_mode & 0o777 == 0o600


def test_the_example_of_the_readme_sends_and_receives(tmp_path: Path, start_server: StartServer) -> None:
    add_people(tmp_path / "data")
    port = start_server(tmp_path / "data").port()
    (example,) = blocks(read("README.md"), "python")
    command = [sys.executable, "-u", "-c", at(example, port)]
    with (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8") as program,
        BlockingClient(f"127.0.0.1:{port}", user="bob", token="builder") as bob,
    ):
        assert program.stdout
        try:
            seq, msgid = program.stdout.readline().split()
            (message,) = bob.history("alice")
            assert (seq, msgid, message.text) == ("1", str(message.msgid), "你好 👋")
            bob.send("alice", "hello alice")
            assert program.stdout.readline() == "bob hello alice\n"
        finally:
            program.kill()


def test_every_name_that_the_page_imports_or_tables_is_part_of_the_sdk() -> None:
    imported = {name for line in re.findall(r"^from rockdove import (.+)$", PAGE, re.MULTILINE) for name in line.split(", ")}
    capitalised = {span for span in code_spans(PAGE) if re.fullmatch(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*", span)}
    assert imported | capitalised - {"None", "True", "TimeoutError"} <= set(rockdove.client.__all__)


def test_every_argument_of_a_client_is_documented_with_its_default() -> None:
    parameters = {name: each for name, each in inspect.signature(Client).parameters.items() if name != "self"}
    rows = [(name, default) for cell, default, _ in table(section(PAGE, "Logging in"), "argument") for name in words(cell)]
    assert [name for name, _ in rows] == list(dict(rows))
    assert {name for name, _ in rows} == set(parameters)
    for name, default in rows:
        if isinstance(parameters[name].default, str):
            assert default == f"`{parameters[name].default}`"


def test_every_event_is_documented_with_its_fields() -> None:
    rows = {name: words(fields) for cell, fields, _ in table(section(PAGE, "Receiving"), "event") for name in words(cell)}
    kinds = {kind.__name__: list(inspect.signature(kind).parameters) for kind in get_args(events.Event)}
    assert rows == kinds


def test_every_error_is_documented() -> None:
    rows = {name for row in table(section(PAGE, "Errors"), "error") for name in words(row[0])}
    errors = {name for name in rockdove.client.__all__ if issubclass_of(name, RockdoveError)} - {"RockdoveError"}
    assert rows == errors | {"TimeoutError"}
    assert "`RockdoveError`s" in section(PAGE, "Errors")
    assert issubclass(rockdove.LoginRefused, Refused)


def issubclass_of(name: str, parent: type) -> bool:
    """Whether that name of the SDK is a kind of `parent`."""
    value = getattr(rockdove, name)
    return isinstance(value, type) and issubclass(value, parent)


def test_every_verb_of_a_client_is_mentioned() -> None:
    verbs = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    assert verbs == {verb for verb in verbs if re.search(rf"\b{verb}\b", PAGE)}
    assert verbs - {"start", "connected"} <= {name for name, _ in inspect.getmembers(BlockingClient)}
