"""The store that the operator chose, opened and closed in order."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import NamedTuple

from rockdove.core.ports import Accounts, Nodes, Store
from rockdove.server.config import Config
from rockdove.store import StoreError
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import lock_for_serving, open_database
from rockdove.store.sqlite.store import SqliteStore


class Storage(NamedTuple):
    """What a node keeps things in."""

    place: str  # as it may stand in a log
    store: Store
    accounts: Accounts
    nodes: Nodes | None = None  # None: no other node has it


def open_storage(config: Config) -> AbstractAsyncContextManager[Storage]:
    """Open what `config` names, with the newest schema. Raises StoreError, StoreUnavailable, StoreFailed."""
    if config.store is not None:
        raise StoreError("rockdove serve cannot share a database yet; leave --store away")
    return _alone(config.data)


@asynccontextmanager
async def _alone(directory: Path) -> AsyncIterator[Storage]:
    with lock_for_serving(directory):
        connection = open_database(directory)
        with closing(SqliteStore(connection)) as store:
            yield Storage(str(directory), store, SqliteAccounts(connection))
