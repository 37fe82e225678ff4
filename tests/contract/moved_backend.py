"""A store in SQLite that is moved to PostgreSQL when it is restarted for the first time, with interruptions."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Final
from unittest import mock

from rockdove.core.ports import Accounts, Store
from rockdove.store.moving import comparison, move
from rockdove.store.moving.comparison import Compared
from tests.contract.backends import Backend, SqliteBackend
from tests.contract.postgres_backend import PostgresBackend
from tests.engines.postgres import PostgresServer

PART: Final = 3  # rows in one transaction, so that there are many
PAGE: Final = 2
STEPS: Final = 8  # after at most so many parts it is interrupted


class Interruption(Exception):
    """The work ends here, as far as it is."""


class Interrupting:
    """Watches a move, and ends it after some parts."""

    def __init__(self, parts: int | None) -> None:
        self._parts = parts

    def begin(self, task: str, done: int, total: int) -> None:
        pass

    def advance(self, rows: int) -> None:
        if self._parts is not None:
            self._parts -= 1
            if self._parts < 0:
                raise Interruption


class MovedBackend:
    """`store.sqlite` until the first restart; from then on `store.postgres` with what was moved. Only the former can fail."""

    def __init__(
        self, directory: Path, template: Path, server: PostgresServer, empty: str, interruptions: Iterator[int]
    ) -> None:
        """`empty` is the name of a database to be copied; `interruptions` says after how many parts a move ends."""
        self._directory = directory
        self._server = server
        self._empty = empty
        self._interruptions = interruptions
        self._backend: Backend = SqliteBackend(directory, template, seal_at=4)

    @property
    def store(self) -> Store:
        return self._backend.store

    @property
    def accounts(self) -> Accounts:
        return self._backend.accounts

    def restart(self, *, clean: bool) -> None:
        if isinstance(self._backend, PostgresBackend):
            self._backend.restart(clean=clean)
            return
        if clean:
            self._backend.store.close()
        name = self._server.create_database(self._empty)
        with small_parts():
            move_with_interruptions(self._directory, self._server.dsn(name), self._interruptions)
        self._backend.close()
        self._backend = PostgresBackend(self._server, name)
        self._server.drop_database(name)

    def failing(self, statement: int, *, rolled_back: bool) -> AbstractContextManager[None]:
        if isinstance(self._backend, PostgresBackend):
            return nullcontext()
        return self._backend.failing(statement, rolled_back=rolled_back)

    def close(self) -> None:
        self._backend.close()


def interruptions() -> Iterator[int]:
    """Sooner and later ones, in turn."""
    return (number % STEPS for number in count())


@contextmanager
def small_parts() -> Iterator[None]:
    """Move little at a time."""
    with mock.patch.object(move, "PART", PART), mock.patch.object(comparison, "PAGE", PAGE):
        yield


def move_with_interruptions(directory: Path, address: str, after: Iterator[int]) -> list[Compared]:
    """Begin several times, each after an interruption, and then get to the end."""
    for _ in range(2):
        try:
            asyncio.run(move.move(directory, address, Interrupting(next(after))))
        except Interruption:
            continue
        raise AssertionError("it was too short to be interrupted")
    tables = asyncio.run(move.move(directory, address, Interrupting(None)))
    assert [table.told for table in tables if table.differences] == []
    return tables
