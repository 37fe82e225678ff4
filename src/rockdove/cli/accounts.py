"""The accounts of a data directory, as commands reach them: whether its server runs or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.ports import Accounts
from rockdove.core.records import Tenant
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import DataDirectoryError, default_data_directory, open_database
from rockdove.wire import names

Data = Annotated[Path | None, typer.Option("--data", envvar="ROCKDOVE_DATA", metavar="DIR", help="The data directory.")]
Org = Annotated[str, typer.Option("--org", metavar="ORG", help="Organisation of the tenant.")]
App = Annotated[str, typer.Option("--app", metavar="APPKEY", help="Appkey of the tenant.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def open_accounts(directory: Path | None) -> Iterator[Accounts]:
    """The accounts in `directory`, None for the default one. What the store raises in the block becomes a CommandError."""
    try:
        with closing(open_database(directory or default_data_directory())) as connection:
            yield SqliteAccounts(connection)
    except (DataDirectoryError, StoreUnavailable, StoreFailed, sqlite3.Error) as error:
        raise CommandError(str(error)) from None


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
