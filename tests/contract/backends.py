"""The stores that the contract holds for, each with the means to restart it and to make it fail."""

import shutil
import sqlite3
from asyncio import Runner
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, Protocol

from rockdove.core.ports import Accounts, Store
from rockdove.core.records import FOREVER, NO_RETENTION, Tenant
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore

# Tenants by their retention, with their users.
TENANTS: Final = {FOREVER: ["alice", "bob", "carol"], NO_RETENTION: ["xavier", "yann", "wendy"], 7: ["zoe"]}
AT_COMMIT: Final = -1  # in place of the number of a statement


class Backend(Protocol):
    """One store that starts empty, and the accounts of its users: those of TENANTS."""

    store: Store
    accounts: Accounts

    def restart(self, *, clean: bool) -> None:
        """Replace `store` by a new one on the same data, where the data outlives a store; not `clean` is like a crash."""

    def failing(self, statement: int, *, rolled_back: bool) -> AbstractContextManager[None]:
        """Within the block a transaction fails as on a full disk, at its statement number `statement` or AT_COMMIT."""

    def close(self) -> None:
        """Let go of everything."""


async def add_accounts(accounts: Accounts) -> None:
    """Fill a new data directory."""
    for days, users in TENANTS.items():
        tenant = await accounts.add_tenant(Tenant(0, "acme", f"days{days}", retention_days=days, token_secret=b"s" * 32))
        assert tenant is not None
        assert not await accounts.add_users(tenant.id, [(user, "") for user in users], 0)


class MemoryBackend:
    """`store.memory`: nothing outlives it, nothing fails."""

    def __init__(self) -> None:
        self.accounts = MemoryAccounts()
        with Runner() as runner:
            runner.run(add_accounts(self.accounts))
        self.store = MemoryStore(self.accounts)

    def restart(self, *, clean: bool) -> None:
        pass

    def failing(self, statement: int, *, rolled_back: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        self.store.close()


class SqliteBackend:
    """`store.sqlite` on files in `directory`, a copy of those in `template`."""

    def __init__(self, directory: Path, template: Path, **options: int) -> None:
        shutil.copytree(template, directory)
        self._directory = directory
        self._options = options
        self._connections: list[sqlite3.Connection] = []
        self._open()

    def _open(self) -> None:
        connection = open_database(self._directory)
        connection.execute("PRAGMA synchronous = OFF")  # nobody cuts the power here
        self._connections.append(connection)
        self._breakable = _BreakableConnection(connection)
        self.store = SqliteStore(self._breakable, **self._options)  # type: ignore[arg-type]
        self.accounts = SqliteAccounts(connection)

    def restart(self, *, clean: bool) -> None:
        if clean:
            self.store.close()
        else:
            self.store._search._index._let_go()  # the kernel takes the locks of a process that is killed
        self._open()

    @contextmanager
    def failing(self, statement: int, *, rolled_back: bool) -> Iterator[None]:
        self._breakable.break_at(statement, rolled_back)
        try:
            yield
        finally:
            self._breakable.mend()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        shutil.rmtree(self._directory)


class _BreakableConnection:
    """A connection on which a chosen statement finds the disk full."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.mend()

    def break_at(self, statement: int, rolled_back: bool) -> None:
        """`rolled_back`: SQLite has ended the transaction by itself, which it may do on such an error."""
        self._at, self._rolled_back, self._seen = statement, rolled_back, 0

    def mend(self) -> None:
        """From now on all is well."""
        self._at: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._count(sql)
        return self._connection.execute(sql, *arguments)

    def executemany(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._count(sql)
        return self._connection.executemany(sql, *arguments)

    def _count(self, sql: str) -> None:
        # A statement outside of a transaction is one by itself.
        alone = not self._connection.in_transaction and sql.startswith(("INSERT", "UPDATE", "DELETE"))
        if self._at is None or sql == "ROLLBACK" or not (self._connection.in_transaction or alone or sql.startswith("BEGIN")):
            return  # to read takes no room
        broken = sql == "COMMIT" or alone if self._at == AT_COMMIT else self._seen == self._at
        self._seen += 1
        if broken:
            if self._rolled_back and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error


# How to make those that need no server, given a new directory and a template.
BACKENDS: Final[dict[str, Callable[[Path, Path], Backend]]] = {
    "memory": lambda directory, template: MemoryBackend(),
    "sqlite": SqliteBackend,
    "sqlite-settling": lambda directory, template: SqliteBackend(directory, template, seal_at=4, span=4),
}
