"""rockdove backup and rockdove restore tell in one line what they did, or why they did nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.store.sqlite.database import DATABASE, lock_for_serving
from tests.unit.cli.command import refused, rockdove, succeeded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the tenant before/backup, backed up to tmp_path/copy.db, and then after/backup."""
    directory = tmp_path / "data"
    succeeded(rockdove("tenant", "add", "before", "backup", "--data", directory))
    succeeded(rockdove("backup", tmp_path / "copy.db", "--data", directory))
    succeeded(rockdove("tenant", "add", "after", "backup", "--data", directory))
    return directory


def tenants(directory: Path) -> list[str]:
    lines = succeeded(rockdove("tenant", "list", "--data", directory)).splitlines()
    return [line.split("/")[0] for line in lines]


def test_a_backup_is_told_in_a_line(tmp_path: Path, data: Path) -> None:
    copy = tmp_path / "another.db"
    line = succeeded(rockdove("backup", copy, ROCKDOVE_DATA=str(data)))
    assert line == f"backed up {data} to {copy}, {copy.stat().st_size} bytes; rockdove restore puts it back\n"


def test_a_restore_is_told_in_a_line_with_where_the_database_is_that_was_there(tmp_path: Path, data: Path) -> None:
    line = succeeded(rockdove("restore", tmp_path / "copy.db", "--data", data)).strip()
    (aside,) = data.glob(f"{DATABASE}.before-restore-*")
    assert line == f"restored {tmp_path / 'copy.db'} to {data}; the database before it is now {aside}"
    assert tenants(data) == ["before", "default"]
    new = tmp_path / "new"
    line = succeeded(rockdove("restore", aside, "--data", new)).strip()
    assert line == f"restored {aside} to {new}; there was no database before"
    assert tenants(new) == ["after", "before", "default"]


def test_a_backup_overwrites_nothing(tmp_path: Path, data: Path) -> None:
    before = (tmp_path / "copy.db").read_bytes()
    line = refused(rockdove("backup", tmp_path / "copy.db", "--data", data))
    assert line == f"{tmp_path / 'copy.db'} is there already; choose another name or remove it first"
    assert (tmp_path / "copy.db").read_bytes() == before
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere")
    assert "is there already" in refused(rockdove("backup", tmp_path / "link.db", "--data", data))


def test_a_backup_of_nothing_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    line = refused(rockdove("backup", tmp_path / "copy.db", "--data", tmp_path / "data"))
    assert line == f"there is no database in {tmp_path / 'data'}; choose another data directory"
    assert not list(tmp_path.iterdir())


def test_a_backup_to_where_nothing_can_be_written_is_refused(tmp_path: Path, data: Path) -> None:
    copy = tmp_path / "missing" / "copy.db"
    line = refused(rockdove("backup", copy, "--data", data))
    assert line == f"cannot back up {data} to {copy}: no such file or directory"


def make_text(file: Path) -> None:
    file.write_text("a diary, and long enough to be taken for a header" * 100)


def make_empty(file: Path) -> None:
    file.touch()


def make_other_program_s(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipe (name)")


FOREIGN = [make_text, make_empty, make_other_program_s]


@pytest.mark.parametrize("make", FOREIGN)
def test_what_is_no_rockdove_database_is_neither_backed_up_nor_restored(tmp_path: Path, data: Path, make) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other"
    other.mkdir()
    make(other / DATABASE)
    for command in (["backup", tmp_path / "new.db", "--data", other], ["restore", other / DATABASE, "--data", data]):
        line = refused(rockdove(*command))
        assert line == f"{other / DATABASE} is not a rockdove database; move it away or choose another"
    assert not (tmp_path / "new.db").exists()
    assert tenants(data) == ["after", "before", "default"]


def test_a_copy_of_a_newer_rockdove_is_refused(tmp_path: Path, data: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "copy.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO migration VALUES (1000, 'x')")
    line = refused(rockdove("restore", tmp_path / "copy.db", "--data", data))
    assert "was written by a newer rockdove" in line
    assert line.endswith("; upgrade rockdove")
    assert tenants(data) == ["after", "before", "default"]


def test_a_damaged_copy_is_refused(tmp_path: Path, data: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(copy)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'device'").fetchone()
    content = bytearray(copy.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = b"x" * 4096
    copy.write_bytes(content)
    line = refused(rockdove("restore", copy, "--data", data))
    assert line.startswith(f"{copy} is damaged; restore another copy (")
    assert tenants(data) == ["after", "before", "default"]
    assert not list(data.glob("*unfinished"))


def test_a_missing_copy_is_told_before_anything_is_made(tmp_path: Path) -> None:
    line = refused(rockdove("restore", tmp_path / "copy.db", "--data", tmp_path / "data"))
    assert line == f"cannot restore {tmp_path / 'copy.db'} to {tmp_path / 'data'}: no such file or directory"
    assert not list(tmp_path.iterdir())


def test_nothing_is_restored_under_a_running_server(tmp_path: Path, data: Path) -> None:
    with lock_for_serving(data):
        line = refused(rockdove("restore", tmp_path / "copy.db", "--data", data))
    assert line.startswith(f"{data} is already served by process ")
    assert "; stop it first" in line
    assert tenants(data) == ["after", "before", "default"]
