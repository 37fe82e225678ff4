"""The stores that every promise must hold on."""

from pathlib import Path
from typing import Final, Protocol

import pytest

from rockdove.core.ports import Accounts, Store
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore

STORES: Final = ["memory", "sqlite", "cluster"]

# For tests of what each node counts for itself, and of what comes into one commit; it makes `make_virtual`.
on_one_node = pytest.mark.parametrize("make_virtual", ["memory", "sqlite"], indirect=True)


class Storage(Protocol):
    """Something that outlives a server."""

    def open(self) -> tuple[Store, Accounts]:
        """What a starting server opens."""


class MemoryStorage:
    """One store for all servers."""

    def __init__(self, *, shared: bool = False) -> None:
        """`shared`: by several at a time."""
        self._accounts = MemoryAccounts()
        self._store = MemoryStore(self._accounts, shared=shared)

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
    """`kind` is "memory", "sqlite", or "cluster" for a memory that nodes share."""
    return SqliteStorage(directory) if kind == "sqlite" else MemoryStorage(shared=kind == "cluster")
