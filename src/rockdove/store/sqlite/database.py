"""A data directory: its SQLite file, the schema in it, the lock of the server that serves it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.store import StoreError
from rockdove.store.beginning import first_settings, first_tenant
from rockdove.store.migrations import Migration, OtherSchemaError, migrations_of, outstanding

DATABASE: Final = "rockdove.db"
SERVE_LOCK: Final = "serve.lock"

BUSY_SECONDS: Final = 5.0  # how long a connection waits for another writer
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",  # durable first (protocol §4): NORMAL loses acknowledged messages in a power cut
    "foreign_keys = ON",
    "cache_size = -65536",  # 64 MiB
    "mmap_size = 268435456",
    "journal_size_limit = 67108864",  # a WAL that once grew is cut back to this
    "temp_store = MEMORY",
    "secure_delete = ON",  # what was recalled or cut is overwritten; some builds of SQLite do so anyway
)
_PASSING: Final = frozenset(  # a later transaction may succeed
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL}
)
_BROKEN: Final = frozenset(  # what the file holds is no longer known
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)


class DataDirectoryError(StoreError):
    """The data directory cannot be used."""


def default_data_directory() -> Path:
    """`$XDG_DATA_HOME/rockdove`, usually ~/.local/share/rockdove."""
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "rockdove"


def open_database(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory` with the newest schema; both are made, for the owner alone, when missing.

    The connection is in autocommit mode and waits up to 5 seconds for another writer. Any number of
    processes may do this at the same time. Raises DataDirectoryError.
    """
    path = directory / DATABASE
    with alone_in(directory):
        _create_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            _migrate(connection, path)
        except sqlite3.Error as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise _foreign(path) from None
            raise DataDirectoryError(f"{path} cannot be opened: {error}") from None
        except (StoreUnavailable, StoreFailed) as error:
            connection.close()
            raise DataDirectoryError(f"{path} cannot be migrated: {error}") from None
        except BaseException:
            connection.close()
            raise
    return connection


def open_unchanged(directory: Path) -> sqlite3.Connection:
    """Open the database in `directory` to read only. Raises DataDirectoryError unless it is there, with the newest schema."""
    path = directory / DATABASE
    if not path.exists():
        raise DataDirectoryError(f"there is no database in {directory}; choose another data directory")
    check_file(path)
    with alone_in(directory):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            check_schema(connection, path)
            if _outstanding(connection, path, _migrations()):
                raise DataDirectoryError(
                    f"{path} was written by an older rockdove; run rockdove admin check, which makes it new"
                )
        except sqlite3.Error as error:
            connection.close()
            raise DataDirectoryError(f"{path} cannot be read: {error}") from None
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def lock_for_serving(directory: Path) -> Iterator[None]:
    """Be the only server on `directory` (made when missing) until the end of the block; the kernel unlocks after a crash.

    Raises DataDirectoryError, which names the process that serves it already.
    """
    _create_directory(directory)
    path = directory / SERVE_LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(path, error) from None
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = file.read().strip() or "unknown"
            reason = f"{directory} is already served by process {process}; stop it first or choose another data directory"
            raise DataDirectoryError(reason) from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def transaction(connection: sqlite3.Connection, *, at_once: bool = True) -> Iterator[None]:
    """One durable transaction: all of the block, or after an exception none of it.

    Takes the write lock at once; or, not `at_once`, when the block calls `begin`, which it need not if it writes by a single
    statement. Raises StoreUnavailable (busy, disk full: nothing was stored) or StoreFailed (do not trust the file any more).
    """
    try:
        if at_once:
            connection.execute("BEGIN IMMEDIATE")
        yield
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise translated(error) from error
        raise


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock, if the transaction that is open has not taken it yet."""
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")


def translated(error: sqlite3.Error) -> Exception:
    """What `error` means for the core: StoreUnavailable, StoreFailed, or `error` itself when it is a bug of ours."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # without the extended part
    if code in _PASSING:
        return StoreUnavailable(f"the database cannot be written now ({error}); try again")
    if code in _BROKEN:
        return StoreFailed(f"the database failed: {error}")
    return error


# ---------------------------------------------------------------- directory and file


def _create_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataDirectoryError(f"{directory} is not a directory; choose another data directory") from None
    except OSError as error:
        raise _unusable(directory, error) from None


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """One process at a time opens or replaces the database: SQLite's switch to WAL does not wait for another's.

    The directory is made when missing. Raises DataDirectoryError.
    """
    _create_directory(directory)
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(directory, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create_file(path: Path) -> None:
    """Make the file for its owner alone; SQLite gives -wal and -shm the same mode."""
    try:
        # Only ever open a new file: closing a second descriptor would drop the locks of a connection of this process.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        check_file(path)
    except OSError as error:
        raise _unusable(path, error) from None


def check_file(path: Path) -> None:
    """Raises DataDirectoryError unless `path` is a file that this system user may use as a database."""
    if not path.is_file():
        raise DataDirectoryError(f"{path} is not a file; choose another data directory")
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise _unusable(path, PermissionError())


def _unusable(path: Path, error: OSError) -> DataDirectoryError:
    if isinstance(error, PermissionError):
        return DataDirectoryError(f"no permission to use {path}; run as its owner or choose another data directory")
    return DataDirectoryError(f"{path} cannot be used ({error.strerror}); choose another data directory")


def _foreign(path: Path) -> DataDirectoryError:
    return DataDirectoryError(f"{path} is not a rockdove database; move it away or choose another")


# ---------------------------------------------------------------- schema


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raises DataDirectoryError unless `path`, which `connection` has open, is a database of this rockdove or an older one."""
    known = _migrations()
    try:
        empty = _outstanding(connection, path, known) == known
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_NOTADB:  # text that is no UTF-8 has none
            raise
        empty = True
    if empty:
        raise _foreign(path) from None


def _migrations() -> list[Migration]:
    """What this program knows, in order."""
    return migrations_of("rockdove.store.sqlite")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    known = _migrations()
    if not _outstanding(connection, path, known):  # the usual case takes no write lock
        return
    with transaction(connection):
        for migration in _outstanding(connection, path, known):
            if migration.number == 1:
                connection.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, checksum TEXT NOT NULL)")
            for statement in _statements(migration.script):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?)", (migration.number, migration.checksum))
            if migration.number == 1:
                _fill(connection)


def _outstanding(connection: sqlite3.Connection, path: Path, known: list[Migration]) -> list[Migration]:
    """The migrations that `connection` lacks. Raises DataDirectoryError when it is not a past of this program."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return known
    if "migration" not in tables:
        raise _foreign(path)
    applied = connection.execute("SELECT number, checksum FROM migration ORDER BY number").fetchall()
    try:
        return outstanding(known, applied, path)
    except OtherSchemaError as error:
        raise DataDirectoryError(str(error)) from None


def _statements(script: str) -> Iterator[str]:
    """`script` one statement at a time, each ending with its line: executescript would commit first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    yield statement


def _fill(connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT INTO setting VALUES (?, ?)", first_settings())
    tenant = first_tenant()
    connection.execute(
        "INSERT INTO tenant (org, appkey, retention_days, strangers, password_cost, messages_per_second, token_secret)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(tenant.org, tenant.appkey, tenant.retention_days, tenant.strangers),
            *(tenant.password_cost, tenant.messages_per_second, tenant.token_secret),
        ),
    )
