"""The store that the operator chose, opened and closed in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Accounts, Nodes, Store
from rockdove.server.config import Config
from rockdove.store.address import place_of
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import lock_for_serving, open_database
from rockdove.store.sqlite.store import SqliteStore

CLOSE_SECONDS: Final = 2.0  # for a database to hear that this node ends; one that does not answer finds out by itself


class Storage(NamedTuple):
    """What a node keeps things in."""

    place: str  # as it may stand in a log
    store: Store
    accounts: Accounts
    nodes: Nodes | None = None  # None: no other node has it


def open_storage(config: Config) -> AbstractAsyncContextManager[Storage]:
    """Open what `config` names, with the newest schema. Raises StoreError, StoreUnavailable, StoreFailed."""
    return _alone(config.data) if config.store is None else _shared(config.store, config.node_name)


@asynccontextmanager
async def _alone(directory: Path) -> AsyncIterator[Storage]:
    with lock_for_serving(directory):
        connection = open_database(directory)
        with closing(SqliteStore(connection)) as store:
            yield Storage(str(directory), store, SqliteAccounts(connection))


@asynccontextmanager
async def _shared(address: str, name: str) -> AsyncIterator[Storage]:
    from rockdove.store.postgres.accounts import PostgresAccounts
    from rockdove.store.postgres.database import open_database as open_postgres
    from rockdove.store.postgres.nodes import PostgresNodes
    from rockdove.store.postgres.store import PostgresStore

    stack = AsyncExitStack()
    try:
        database = await open_postgres(address)
        stack.push_async_callback(database.close)
        nodes = await PostgresNodes.register(database, name)
        stack.push_async_callback(nodes.leave)
        store = await PostgresStore.open(database, nodes)
        stack.push_async_callback(store.stop)
        yield Storage(place_of(address), store, PostgresAccounts(database), nodes)
    finally:
        with suppress(StoreUnavailable, TimeoutError):
            await asyncio.wait_for(stack.aclose(), CLOSE_SECONDS)
