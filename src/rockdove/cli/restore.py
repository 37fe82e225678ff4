"""rockdove restore: a copy in the place of the database."""

from pathlib import Path
from typing import Annotated

import typer

from rockdove.cli.accounts import Data, StoreAddress, data_directory
from rockdove.cli.errors import CommandError
from rockdove.store.sqlite.backup import CopyError
from rockdove.store.sqlite.backup import restore as put_back
from rockdove.store.sqlite.database import DataDirectoryError


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What rockdove backup has written.")],
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Put a copy in the place of the database, which is kept beside it, and tell clients to forget their cursors.

    The server must not run.
    """
    directory = data_directory(
        data, store, "restore it with pg_restore, and give it a new epoch: see Backup and restore in docs/operations.md"
    )
    try:
        before = put_back(file, directory)
    except (DataDirectoryError, CopyError) as error:
        raise CommandError(str(error)) from None
    kept = f"the database before it is now {before}" if before else "there was no database before"
    print(f"restored {file} to {directory}; {kept}")
