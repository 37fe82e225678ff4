"""rockdove migrate: from a data directory to a PostgreSQL database."""

import asyncio
import sqlite3
from typing import Annotated

import typer

from rockdove.cli.accounts import Data, StoreAddress
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.cli.progress import Progress
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.store import StoreError
from rockdove.store.address import place_of
from rockdove.store.sqlite.database import default_data_directory


def migrate(
    data: Data = None,
    store: StoreAddress = None,
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Only compare what was moved, before it is served.")
    ] = False,
) -> None:
    """Move all that a data directory holds into an empty PostgreSQL database, and compare both row for row.

    No server may run on either of them; the data directory is not changed. When it was interrupted, run it again: it goes on.
    Servers refuse the database until all is there and was found to be the same. Ends with 1 if there is any difference.
    """
    from rockdove.store.moving.move import compare, move

    if not store:
        raise wrong_usage("say where to move it: --store postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    directory = data or default_data_directory()
    work = compare if verify_only else move
    try:
        place = place_of(store)
    except ValueError as error:
        raise wrong_usage(str(error)) from None
    try:
        with Progress() as progress:
            tables = asyncio.run(work(directory, store, progress))
    except (StoreError, StoreUnavailable, StoreFailed, sqlite3.Error) as error:
        raise CommandError(str(error)) from None
    for table in tables:
        print(f"{table.table}: {table.rows} rows, sha256 {table.digest}")
    differences = [difference for table in tables for difference in table.told]
    if differences:
        found = sum(table.differences for table in tables)
        advice = "no server takes this database: make another one, and move to that" if not verify_only else "do not serve it"
        raise CommandError(
            *differences, f"{found} {'difference' if found == 1 else 'differences'} between {directory} and {place}; {advice}"
        )
    rows = sum(table.rows for table in tables)
    if verify_only:
        print(f"{place} holds all {rows} rows of {directory}")
    else:
        print(
            f"moved {directory} to {place}: all {rows} rows are the same there; serve it with --store, put the directory away"
        )
