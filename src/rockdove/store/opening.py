"""Opening whichever store is meant, without importing the others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from rockdove.core.ports import Accounts


@asynccontextmanager
async def open_accounts(address: str | None, directory: Path) -> AsyncIterator[Accounts]:
    """The accounts in the PostgreSQL database at `address`, or where that is None in the data directory. Raises StoreError."""
    if address is None:
        from rockdove.store.sqlite.accounts import SqliteAccounts
        from rockdove.store.sqlite.database import open_database

        with closing(open_database(directory)) as connection:
            yield SqliteAccounts(connection)
    else:
        from rockdove.store.postgres.accounts import PostgresAccounts
        from rockdove.store.postgres.database import open_database as open_postgres

        database = await open_postgres(address)
        try:
            yield PostgresAccounts(database)
        finally:
            await database.close()
