"""The stores that every promise must hold on."""

from pathlib import Path
from typing import Protocol

from rockdove.core.ports import Accounts, Store
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore


class Storage(Protocol):
    """Something that outlives a server."""

    def open(self) -> tuple[Store, Accounts]:
        """What a starting server opens."""


class MemoryStorage:
    """One store for all servers."""

    def __init__(self) -> None:
        self._accounts = MemoryAccounts()
        self._store = MemoryStore(self._accounts)

    def open(self) -> tuple[Store, Accounts]:
        return self._store, self._accounts


class SqliteStorage:
    """One file for all servers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self) -> tuple[Store, Accounts]:
        connection = open_database(self._directory)
        return SqliteStore(connection), SqliteAccounts(connection)


def make_storage(kind: str, directory: Path) -> Storage:
    """`kind` is "memory" or "sqlite"."""
    return MemoryStorage() if kind == "memory" else SqliteStorage(directory)
