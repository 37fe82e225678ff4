"""A copy is whole, and takes the place of a database in one step, whatever happens in between."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.store.sqlite import backup
from rockdove.store.sqlite.backup import CopyError, back_up, restore
from rockdove.store.sqlite.database import DATABASE, DataDirectoryError, lock_for_serving, open_database

_WRITE_AND_DIE = """
import os, sys; from pathlib import Path; from rockdove.store.sqlite.database import open_database
open_database(Path(sys.argv[1])).execute("INSERT OR REPLACE INTO setting VALUES (?, '')", (sys.argv[2],))
os._exit(0)
"""
_DIE_AT = """
import os, sys; from pathlib import Path
left = int(sys.argv[3])
def dying(call):
    def counted(*arguments, **options):
        global left
        left -= 1
        if not left:
            os._exit(9)
        return call(*arguments, **options)
    return counted
for name in ("fsync", "link", "unlink", "replace"):
    setattr(os, name, dying(getattr(os, name)))
from rockdove.store.sqlite.backup import restore
restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def python(code: str, *arguments: object) -> int:
    """Run `code` in a process of its own; its exit code."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, timeout=60, check=False
    ).returncode


def write(directory: Path, mark: str) -> None:
    """Commit something as a process that is killed afterwards: it is in the -wal file alone."""
    assert python(_WRITE_AND_DIE, directory, mark) == 0
    assert (directory / f"{DATABASE}-wal").stat().st_size


def marks(directory: Path) -> set[str]:
    """What `write` has put there."""
    with closing(open_database(directory)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM setting WHERE length(value) = 0")}


def epoch(directory: Path) -> bytes:
    with closing(open_database(directory)) as connection:
        (value,) = connection.execute("SELECT value FROM setting WHERE name = 'epoch'").fetchone()
        return bytes(value)


def files(directory: Path) -> dict[str, bytes]:
    """Everything in the directory but the lock."""
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.name != "serve.lock"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory in which "first" was written, then backed up to tmp_path/copy.db, then "second" was written."""
    directory = tmp_path / "data"
    write(directory, "first")
    with closing(open_database(directory)):
        back_up(directory, tmp_path / "copy.db")
        write(directory, "second")
    write(directory, "third")
    return directory


# ---------------------------------------------------------------- backup


def test_a_copy_is_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        write(tmp_path / "data", "x")
        size = back_up(tmp_path / "data", tmp_path / "copy.db")
    finally:
        os.umask(umask)
    copy = tmp_path / "copy.db"
    assert (copy.stat().st_mode & 0o777, copy.stat().st_size) == (0o600, size)
    assert {file.name for file in tmp_path.iterdir()} == {"data", "copy.db"}


def test_a_copy_may_be_made_into_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", "x")
    monkeypatch.chdir(tmp_path)
    back_up(Path("data"), Path("copy.db"))
    restore(Path("copy.db"), Path("other"))
    assert marks(tmp_path / "other") == {"x"}


def test_a_copy_is_not_migrated_nor_is_what_it_was_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rockdove.store.sqlite import database

    write(tmp_path / "data", "x")
    known = database._migrations()
    later = known[-1]._replace(number=len(known) + 1, script="CREATE TABLE later (x);")
    monkeypatch.setattr(database, "_migrations", lambda: [*known, later])
    back_up(tmp_path / "data", tmp_path / "copy.db")
    for file in (tmp_path / "data" / DATABASE, tmp_path / "copy.db"):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT max(number) FROM migration").fetchone() == (len(known),)


# ---------------------------------------------------------------- restore


def test_what_is_served_is_the_copy_and_what_was_there_is_kept_in_one_file(tmp_path: Path, data: Path) -> None:
    aside = restore(tmp_path / "copy.db", data)
    assert aside is not None
    assert aside.name.startswith(f"{DATABASE}.before-restore-")
    assert files(data).keys() == {DATABASE, aside.name}
    assert marks(data) == {"first"}
    (tmp_path / "old").mkdir()
    aside.rename(tmp_path / "old" / DATABASE)
    assert marks(tmp_path / "old") == {"first", "second", "third"}
    assert (data / DATABASE).stat().st_mode & 0o777 == 0o600


def test_each_restore_gives_an_epoch_that_nobody_has_met(tmp_path: Path, data: Path) -> None:
    epochs = [epoch(data)]
    for _ in range(3):
        restore(tmp_path / "copy.db", data)
        epochs.append(epoch(data))
    assert len(set(epochs)) == 4
    assert bytes(8) not in epochs


def test_the_copy_itself_stays_as_it_is(tmp_path: Path, data: Path) -> None:
    before = (tmp_path / "copy.db").read_bytes()
    restore(tmp_path / "copy.db", data)
    write(data, "fourth")
    assert (tmp_path / "copy.db").read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"copy.db", "data"}


def test_a_restore_into_an_empty_place_makes_it(tmp_path: Path, data: Path) -> None:
    assert restore(tmp_path / "copy.db", tmp_path / "new" / "data") is None
    assert marks(tmp_path / "new" / "data") == {"first"}
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
    assert data.exists()


def test_a_broken_database_is_kept_too(tmp_path: Path, data: Path) -> None:
    (data / DATABASE).write_bytes(b"noise" * 10_000)
    (data / f"{DATABASE}-wal").write_bytes(b"more noise")
    aside = restore(tmp_path / "copy.db", data)
    assert aside is not None
    assert aside.read_bytes() == b"noise" * 10_000
    assert marks(data) == {"first"}


def test_a_database_that_cannot_be_put_into_one_file_is_kept_with_the_others(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_checkpoint", lambda _: None)  # as on a full disk
    aside = restore(tmp_path / "copy.db", data)
    assert aside is not None
    assert marks(data) == {"first"}
    (tmp_path / "old").mkdir()
    for file in data.glob(f"{aside.name}*"):
        file.rename(tmp_path / "old" / file.name.replace(aside.name, DATABASE))
    assert marks(tmp_path / "old") == {"first", "second", "third"}


def test_what_is_left_of_a_database_that_is_gone_does_not_get_into_the_new_one(tmp_path: Path, data: Path) -> None:
    (data / DATABASE).unlink()
    left = (data / f"{DATABASE}-wal").read_bytes()
    assert restore(tmp_path / "copy.db", data) is None
    assert marks(data) == {"first"}
    assert left in files(data).values()


def test_a_restore_that_dies_anywhere_leaves_the_old_one_or_the_new_one_whole(tmp_path: Path, data: Path) -> None:
    old = epoch(data)
    outcomes = []
    for step in range(1, 20):
        write(data, "at the end")
        code = python(_DIE_AT, tmp_path / "copy.db", data, step)
        now, found = epoch(data), marks(data)
        assert found == ({"first", "second", "third", "at the end"} if now == old else {"first"})
        outcomes.append(now == old)
        if code == 0:
            break
        assert code == 9
        if now != old:  # begin again with the old one
            newest = max(data.glob(f"{DATABASE}.before-restore-*"))
            newest.rename(data / DATABASE)
            for beside in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
                (data / beside).unlink(missing_ok=True)
    assert outcomes[0]
    assert not outcomes[-1]
    assert len(outcomes) > 4


# ---------------------------------------------------------------- refusals


def test_nothing_is_restored_while_somebody_has_the_database(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "BUSY_SECONDS", 0)
    with closing(open_database(data)), pytest.raises(DataDirectoryError, match="another rockdove command is at work"):
        restore(tmp_path / "copy.db", data)
    with lock_for_serving(data), pytest.raises(DataDirectoryError, match=f"already served by process {os.getpid()}; stop it"):
        restore(tmp_path / "copy.db", data)
    assert files(data).keys() == {DATABASE}
    assert marks(data) == {"first", "second", "third"}


def test_a_full_disk_leaves_the_old_database_and_no_rest(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    before = files(data)
    monkeypatch.setattr(backup, "_vacuum_into", full)
    with pytest.raises(CopyError, match=f"cannot restore .* to {data}: database or disk is full"):
        restore(tmp_path / "copy.db", data)
    with pytest.raises(CopyError, match=f"cannot back up {data} to .*: database or disk is full"):
        back_up(data, tmp_path / "another.db")
    assert files(data).keys() <= before.keys()
    assert {file.name for file in tmp_path.iterdir()} == {"copy.db", "data"}
    assert marks(data) == {"first", "second", "third"}
