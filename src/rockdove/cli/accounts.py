"""The accounts of a store, as commands reach them: whether its server runs or not."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.ports import Accounts
from rockdove.core.records import Tenant
from rockdove.store import StoreError
from rockdove.store.opening import open_accounts
from rockdove.store.sqlite.database import default_data_directory
from rockdove.wire import names

_T = TypeVar("_T")

Data = Annotated[Path | None, typer.Option("--data", envvar="ROCKDOVE_DATA", metavar="DIR", help="The data directory.")]
StoreAddress = Annotated[
    str | None,
    typer.Option(
        "--store", envvar="ROCKDOVE_STORE", metavar="URL", help="The PostgreSQL database to use in place of a data directory."
    ),
]
Org = Annotated[str, typer.Option("--org", metavar="ORG", help="Organisation of the tenant.")]
App = Annotated[str, typer.Option("--app", metavar="APPKEY", help="Appkey of the tenant.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def with_accounts(data: Path | None, store: str | None, work: Callable[[Accounts], Coroutine[Any, Any, _T]]) -> _T:
    """What `work` returns, given the accounts at `store`, or else in `data`, None for the default directory.

    What the store raises becomes a CommandError.
    """

    async def open_and_work() -> _T:
        async with open_accounts(store or None, data or default_data_directory()) as accounts:
            return await work(accounts)

    try:
        return asyncio.run(open_and_work())
    except (StoreError, StoreUnavailable, StoreFailed, sqlite3.Error) as error:
        raise CommandError(str(error)) from None


def data_directory(data: Path | None, store: str | None, instead: str) -> Path:
    """Where a command looks that is for data directories only. Raises CommandError, which says what to do with a database."""
    if store:
        raise CommandError(f"the store is a PostgreSQL database: {instead}")
    return data or default_data_directory()


async def find_tenant(accounts: Accounts, org: str, appkey: str) -> Tenant:
    """The tenant of that name. Raises CommandError."""
    check_name("org", org)
    check_name("appkey", appkey)
    tenant = await accounts.tenant(org, appkey)
    if not tenant:
        raise CommandError(f"there is no tenant {org}/{appkey}; see rockdove tenant add {org} {appkey}")
    return tenant


def check_name(kind: str, name: str) -> None:
    """Raises CommandError unless `name` is legal (protocol §4 Limits); `kind` is user, org or appkey."""
    if not names.is_name(name):
        raise wrong_usage(f"{name!r} is not a legal {kind}; use {names.RULE}")
