"""Copies of a database: made while it is in use, and put in its place again."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rockdove.store.beginning import new_epoch
from rockdove.store.sqlite.database import (
    BUSY_SECONDS,
    DATABASE,
    DataDirectoryError,
    alone_in,
    check_file,
    check_schema,
    lock_for_serving,
)

_BESIDE: Final = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file and would apply to whatever has its name


class CopyError(Exception):
    """A copy cannot be made or used; the text is one line for people that says why."""


def back_up(directory: Path, copy: Path) -> int:
    """Write the database in `directory`, as of now, to the new file `copy`, for the owner alone; returns its bytes.

    A server may run and waits for nothing. The copy holds whatever was acknowledged before, and is durable when this
    returns; until then there is no file of that name. Raises DataDirectoryError and CopyError.
    """
    if os.path.lexists(copy):
        raise CopyError(f"{copy} is there already; choose another name or remove it first")
    with (
        _failing(f"cannot back up {directory} to {copy}"),
        closing(_open_in_use(directory)) as connection,
        _unfinished(copy) as unfinished,
    ):
        _vacuum_into(connection, unfinished)
        _sync(unfinished)
        size = unfinished.stat().st_size
        unfinished.rename(copy)
        _sync(copy.parent)
    return size


def restore(copy: Path, directory: Path) -> Path | None:
    """Serve `copy` from now on in `directory`, with a new epoch (protocol §3 epoch); returns where the database before it is.

    After a crash it is either the old one or the new one, whole. Raises DataDirectoryError, also when a server
    runs there, and CopyError.
    """
    database = directory / DATABASE
    with _failing(f"cannot restore {copy} to {directory}"):
        copy.open("rb").close()  # before anything is made
        with lock_for_serving(directory), _unfinished(database) as unfinished:
            with closing(_open_copy(copy)) as connection:
                _vacuum_into(connection, unfinished)
            _renew_epoch(unfinished)
            _sync(unfinished)
            with alone_in(directory):
                aside = _set_aside(database)
                unfinished.replace(database)
                _sync(directory)
    return aside


# ---------------------------------------------------------------- opening


def _open_in_use(directory: Path) -> sqlite3.Connection:
    """The database as it is: neither made nor migrated, so that a copy can still be made before an upgrade."""
    path = directory / DATABASE
    if not path.exists():
        raise CopyError(f"there is no database in {directory}; choose another data directory")
    check_file(path)
    with alone_in(directory):
        connection = _connect(path, "rw")
        try:
            check_schema(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _open_copy(copy: Path) -> sqlite3.Connection:
    """Open for reading. Raises unless it is whole, and of a schema that this program knows."""
    connection = _connect(copy, "ro")
    try:
        check_schema(connection, copy)
        (fault,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if fault != "ok":
            raise CopyError(f"{copy} is damaged; restore another copy ({' '.join(fault.split())})")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode` is ro or rw; a missing file is not made."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


# ---------------------------------------------------------------- writing


def _vacuum_into(connection: sqlite3.Connection, target: Path) -> None:
    """Copy all of it, as of one moment. SQLite's backup interface would begin anew whenever somebody writes."""
    connection.execute("VACUUM INTO ?", (str(target.absolute()),))


def _renew_epoch(path: Path) -> None:
    """After this no client believes its cursors: the same seq may soon be given to another message."""
    with closing(_connect(path, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")  # nothing is left beside it
        connection.execute("UPDATE setting SET value = ? WHERE name = 'epoch'", (new_epoch(),))


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, for the owner alone; removed at the end of the block unless it was renamed."""
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".unfinished", dir=target.absolute().parent)
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """fsync of a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------- setting aside


def _set_aside(database: Path) -> Path | None:
    """Give `database` a second name, under which it lasts, and remove what lies beside it; None when there is none."""
    if database.exists():
        _checkpoint(database)
    aside = f"{database}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    there = [suffix for suffix in ("", *_BESIDE) if Path(f"{database}{suffix}").exists()]
    for suffix in there:
        os.link(f"{database}{suffix}", f"{aside}{suffix}")
    _sync(database.parent)
    for suffix in _BESIDE:
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    return Path(aside) if "" in there else None


def _checkpoint(database: Path) -> None:
    """Put everything into the one file, unless it is broken. Raises DataDirectoryError when another process has it open:

    at its end that one would remove, by name, what SQLite keeps beside the new file.
    """
    with closing(_connect(database, "rw")) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:  # without the extended part
                reason = f"another rockdove command is at work in {database.parent}; try again when it has ended"
                raise DataDirectoryError(reason) from None


@contextmanager
def _failing(attempt: str) -> Iterator[None]:
    """Turns what the system or SQLite raises into a CopyError that begins with `attempt`."""
    try:
        yield
    except OSError as error:
        raise CopyError(f"{attempt}: {(error.strerror or str(error)).lower()}") from None
    except sqlite3.Error as error:
        raise CopyError(f"{attempt}: {error}") from None
