"""rockdove migrate tells what it has moved, what differs, and what to do."""

import asyncio
import io
import sys
from pathlib import Path

import asyncpg
import pytest

from rockdove.cli import progress
from rockdove.cli.progress import Progress
from tests.unit.cli.command import refused, rockdove, succeeded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a user."""
    succeeded(rockdove("user", "add", "alice", "--password-stdin", "--data", tmp_path / "data", stdin=b"wonderland"))
    return tmp_path / "data"


def execute(address: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(address)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_what_was_moved_is_told_table_by_table_and_can_be_used(data: Path, database: str) -> None:
    *tables, last = succeeded(rockdove("migrate", "--data", data, "--store", database)).splitlines()
    assert tables[2].startswith("account: 1 rows, sha256 ")
    assert len(tables[2].split()[-1]) == 64
    assert last.startswith(f"moved {data} to postgresql://127.0.0.1:")
    assert "postgres@" not in last
    assert succeeded(rockdove("user", "list", "--store", database)) == succeeded(rockdove("user", "list", "--data", data))
    *again, last = succeeded(
        rockdove("migrate", "--verify-only", ROCKDOVE_DATA=str(data), ROCKDOVE_STORE=database)
    ).splitlines()
    assert again == tables
    assert last.endswith(f" rows of {data}")


def test_a_difference_ends_with_1_and_names_table_and_key(data: Path, database: str) -> None:
    succeeded(rockdove("migrate", "--data", data, "--store", database))
    execute(database, "UPDATE account SET password_hash = 'secret'")
    result = rockdove("migrate", "--verify-only", "--data", data, "--store", database)
    first, last = result.error.splitlines()
    assert result.code == 1
    assert first == "rockdove: account, id 1: differs in password_hash"
    assert last.startswith(f"rockdove: 1 difference between {data} and postgresql://")
    assert "secret" not in result.error


def test_it_says_what_is_missing(data: Path) -> None:
    assert "--store postgresql://" in refused(rockdove("migrate", "--data", data), 2)
    assert "postgresql://USER" in refused(rockdove("migrate", "--data", data, "--store", "mysql://s3cret@host"), 2)
    line = refused(rockdove("migrate", "--data", data / "none", "--store", "postgresql://u:s3cret@127.0.0.1:1/none"))
    assert line == f"there is no database in {data / 'none'}; choose another data directory"
    line = refused(rockdove("migrate", "--data", data, "--store", "postgresql://u:s3cret@127.0.0.1:1/none"))
    assert "postgresql://127.0.0.1:1/none cannot be opened" in line
    assert "s3cret" not in line


class Clock:
    """Time goes on when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_pipe_gets_a_line_now_and_then(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with Progress() as told:
        told.begin("copy message", 1_000, 61_000)
        for _ in range(6):
            clock.now += 4
            told.advance(2_000)
    assert pipe.getvalue().splitlines() == ["copy message: 7,000 of 61,000 rows, 500 a second, 1:48 left",
                                            "copy message: 13,000 of 61,000 rows, 500 a second, 1:36 left"]  # fmt: skip


def test_a_terminal_has_one_line_that_is_gone_at_the_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress() as told:
        told.begin("copy message", 0, 100)
        clock.now += 1
        told.advance(50)
        clock.now += 0.1
        told.advance(50)
        clock.now += 0.1
        told.advance(1)
    lines = screen.getvalue().split("\r\x1b[K")
    assert lines == [
        "",
        "copy message: 50 of 100 rows, 50 a second, 0:01 left",
        "copy message: 101 of 101 rows, 84 a second",
        "",
    ]
