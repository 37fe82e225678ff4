"""Moving a data directory into a PostgreSQL database: all of it, with the same ids, compared row for row."""

from typing import Protocol

from rockdove.store import StoreError


class MovingError(StoreError):
    """It cannot be moved there, or is not the same there."""


class Watcher(Protocol):
    """Is told how far the work is."""

    def begin(self, task: str, done: int, total: int) -> None:
        """A part begins: of about `total` rows so many were done before."""

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
