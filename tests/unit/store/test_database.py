"""A data directory is made once, safely, and refused with one line when it cannot be used."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.store.sqlite.database import (
    DATABASE,
    SERVE_LOCK,
    DataDirectoryError,
    lock_for_serving,
    open_database,
    transaction,
)


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Run `code` in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def refusal(directory: Path) -> str:
    """The one line that says why `directory` is not opened."""
    with pytest.raises(DataDirectoryError) as caught:
        open_database(directory)
    text = str(caught.value)
    assert "\n" not in text
    return text


# ---------------------------------------------------------------- creation


def test_a_new_directory_and_all_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "some" / "where"
    umask = os.umask(0)
    try:
        with lock_for_serving(directory), closing(open_database(directory)) as connection:
            connection.execute("INSERT INTO setting VALUES ('x', 'y')")
            assert mode(directory) == 0o700
            found = {file.name: mode(file) for file in directory.iterdir()}
    finally:
        os.umask(umask)
    assert found == dict.fromkeys([DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", SERVE_LOCK], 0o600)


def test_a_commit_is_synchronous_in_a_write_ahead_log(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
        assert connection.isolation_level is None


def test_identity_and_key_are_made_once(tmp_path: Path) -> None:
    def settings(directory: Path) -> dict[str, bytes]:
        with closing(open_database(directory)) as connection:
            return dict(connection.execute("SELECT name, value FROM setting").fetchall())

    first = settings(tmp_path / "one")
    assert len(first["epoch"]) == 8
    assert first["epoch"] != bytes(8)
    assert len(first["signing_key"]) == 32
    assert settings(tmp_path / "one") == first
    other = settings(tmp_path / "other")
    assert other["epoch"] != first["epoch"]
    assert other["signing_key"] != first["signing_key"]


def test_processes_that_create_at_the_same_time_all_succeed(tmp_path: Path) -> None:
    code = """
import sys; from pathlib import Path; from rockdove.store.sqlite.database import open_database
sys.stdin.readline()
for round in range(10):
    connection = open_database(Path(sys.argv[1]) / str(round))
    print(connection.execute("SELECT hex(value) FROM setting WHERE name = 'epoch'").fetchone()[0])
    connection.close()
"""
    processes = [python(code, tmp_path) for _ in range(4)]
    for process in processes:  # all are started before the first is let go
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(outputs[0]) == 10
    assert outputs == [outputs[0]] * 4


# ---------------------------------------------------------------- refusals


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is not a directory" in refusal(tmp_path / "file")
    assert "is not a directory" in refusal(tmp_path / "file" / "below")


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    assert "is not a file" in refusal(tmp_path)


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    code = """
import os, sys; from pathlib import Path; from rockdove.store.sqlite.database import DataDirectoryError, open_database
if not os.geteuid():
    os.setuid(65534)
try:
    open_database(Path(sys.argv[1]))
except DataDirectoryError as error:
    print(error)
"""
    tmp_path.chmod(0o500)
    assert python(code, tmp_path).communicate(timeout=60)[0].startswith("no permission to use ")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_text("a diary, and long enough to be taken for a header" * 100)
    before = (tmp_path / DATABASE).read_bytes()
    assert "is not a rockdove database" in refusal(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("CREATE TABLE recipe (name)")
    assert "is not a rockdove database" in refusal(tmp_path)


def test_an_older_program_refuses_a_newer_file(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        (newest,) = connection.execute("SELECT max(number) FROM migration").fetchone()
        connection.execute("INSERT INTO migration VALUES (?, 'x')", (newest + 1,))
    assert f"newer rockdove (schema {newest + 1}, this one knows {newest}); upgrade" in refusal(tmp_path)


def test_a_migration_that_was_changed_afterwards_is_refused(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        connection.execute("UPDATE migration SET checksum = 'x' WHERE number = 1")
    assert "another schema 1 than this rockdove" in refusal(tmp_path)


def test_creation_that_was_cut_short_begins_again(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch(0o600)
    with closing(open_database(tmp_path)) as connection:
        assert connection.execute("SELECT count(*) FROM tenant").fetchone() == (1,)


# ---------------------------------------------------------------- serving


def test_a_second_server_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    (tmp_path / SERVE_LOCK).write_text("12345678901\n")  # of a server that ended long ago
    with lock_for_serving(tmp_path):
        with (
            pytest.raises(DataDirectoryError, match=f"already served by process {os.getpid()}; stop it"),
            lock_for_serving(tmp_path),
        ):
            pass
        open_database(tmp_path).close()  # commands work meanwhile


def test_a_killed_server_leaves_no_lock_behind(tmp_path: Path) -> None:
    code = """
import sys; from pathlib import Path; from rockdove.store.sqlite.database import lock_for_serving
with lock_for_serving(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.readline()
"""
    process = python(code, tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(DataDirectoryError, match=f"process {process.pid};"), lock_for_serving(tmp_path):
        pass
    process.kill()
    process.communicate(timeout=60)
    with lock_for_serving(tmp_path):
        assert (tmp_path / SERVE_LOCK).read_text() == f"{os.getpid()}\n"


# ---------------------------------------------------------------- transactions


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            connection.executemany("INSERT INTO setting VALUES (?, 'y')", [("x",), ("epoch",)])
        assert connection.execute("SELECT * FROM setting WHERE name = 'x'").fetchall() == []
        assert not connection.in_transaction


def test_a_database_that_stays_busy_is_unavailable(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection, closing(open_database(tmp_path)) as other:
        other.execute("PRAGMA busy_timeout = 0")
        with transaction(connection), pytest.raises(StoreUnavailable), transaction(other):
            pass


def test_a_full_disk_is_unavailable_and_a_read_only_file_has_failed(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreUnavailable), transaction(connection):
            connection.execute("INSERT INTO setting VALUES ('x', zeroblob(1000000))")
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreFailed), transaction(connection):
            connection.execute("INSERT INTO setting VALUES ('x', 'y')")
