"""rockdove admin: looking after a data directory."""

import asyncio
import sqlite3
import struct
from pathlib import Path

import typer
from google.protobuf.message import DecodeError

from rockdove.cli.accounts import Data, StoreAddress, data_directory
from rockdove.cli.errors import CommandError
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.store.sqlite.audit import Totals, auditing
from rockdove.store.sqlite.compaction import compact as make_small
from rockdove.store.sqlite.compaction import sizes
from rockdove.store.sqlite.database import DataDirectoryError

admin = typer.Typer(help="Check and compact a data directory.", rich_markup_mode=None, add_completion=False)


@admin.command()
def check(data: Data = None, store: StoreAddress = None) -> None:
    """Compute unread counts, ends of logs and sizes of groups from all messages, and tell where the database says otherwise.

    The server may run: it is looked at as of now. Ends with 1 if there is any difference.
    """
    directory = data_directory(data, store, "check it with pg_amcheck")
    try:
        found, totals = asyncio.run(_check(directory))
    except (DataDirectoryError, StoreUnavailable, StoreFailed, sqlite3.Error) as error:
        raise CommandError(str(error)) from None
    except (struct.error, DecodeError):
        raise CommandError(f"the log in {directory} holds bytes that are no messages; restore a backup") from None
    print(
        f"checked {directory}: {totals.conversations} conversations, {totals.messages} messages, {totals.groups} groups, "
        f"{totals.unread} unread counts, {totals.cursors} cursors"
    )
    if found:
        raise CommandError(f"{found} differences; keep a copy (rockdove backup) and report them")


async def _check(directory: Path) -> tuple[int, Totals]:
    """Print the differences; returns how many there are."""
    found = 0
    with auditing(directory) as audit:
        async for difference in audit.differences():
            print(difference)
            found += 1
        return found, audit.totals()


@admin.command()
def compact(data: Data = None, store: StoreAddress = None) -> None:
    """Make the files small again, and free of what was recalled or deleted. The server must not run."""
    directory = data_directory(data, store, "it compacts itself; to give room back to the disk, VACUUM FULL")
    before = sizes(directory)
    try:
        make_small(directory)
    except DataDirectoryError as error:
        raise CommandError(str(error)) from None
    after = sizes(directory)
    changes = ", ".join(f"{name} from {before[name]} to {after[name]} bytes" for name in after)
    print(f"compacted {directory}: {changes}")
