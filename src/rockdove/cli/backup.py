"""rockdove backup: a copy of the database."""

from pathlib import Path
from typing import Annotated

import typer

from rockdove.cli.accounts import Data, StoreAddress, data_directory
from rockdove.cli.errors import CommandError
from rockdove.store.sqlite.backup import CopyError, back_up
from rockdove.store.sqlite.database import DataDirectoryError


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy. It will hold keys and messages.")],
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Copy the database as of now into one file, whether the server runs or not; see rockdove restore."""
    directory = data_directory(data, store, "back it up with pg_dump or pg_basebackup")
    try:
        size = back_up(directory, file)
    except (DataDirectoryError, CopyError) as error:
        raise CommandError(str(error)) from None
    print(f"backed up {directory} to {file}, {size} bytes; rockdove restore puts it back")
