"""Making the files of a data directory small again, and free of what was deleted."""

import sqlite3
from contextlib import closing
from pathlib import Path

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.store.sqlite.database import DATABASE, DataDirectoryError, lock_for_serving, open_database, translated
from rockdove.store.sqlite.search_index import SEARCH_INDEX
from rockdove.store.sqlite.store import SqliteStore


def compact(directory: Path) -> None:
    """Write the database in `directory` and its search index anew, without a trace of messages that were recalled or cut.

    Takes about as long as copying the database twice, and as much room; then the index, a minute for two million messages.
    Raises DataDirectoryError, also when a server runs there.
    """
    path = directory / DATABASE
    if not path.exists():
        raise DataDirectoryError(f"there is no database in {directory}; choose another data directory")
    with lock_for_serving(directory), closing(open_database(directory)) as connection:
        try:
            connection.execute("PRAGMA temp_store = FILE")  # it may be larger than the memory
            connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise DataDirectoryError(f"another rockdove command is at work in {directory}; try again when it has ended")
            with closing(SqliteStore(connection)) as store:
                store.rebuild_index()
        except (sqlite3.Error, StoreUnavailable) as error:
            reason = translated(error) if isinstance(error, sqlite3.Error) else error
            if not isinstance(reason, StoreUnavailable | StoreFailed):
                raise
            raise DataDirectoryError(f"{path} cannot be compacted: {error}") from None


def sizes(directory: Path) -> dict[str, int]:
    """Bytes of the database and of its search index, by file; what SQLite keeps beside a file counts with it."""
    return {
        name: sum(path.stat().st_size for path in directory.glob(f"{name}*") if path.name in {name, f"{name}-wal"})
        for name in (DATABASE, SEARCH_INDEX)
    }
