"""Every store, one after the other."""

from asyncio import run
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from rockdove.core.records import NO_RETENTION
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.database import open_database as open_postgres
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from tests.contract.backends import BACKENDS, TENANTS, Backend, add_accounts
from tests.contract.desk import Desk
from tests.contract.postgres_backend import BREAKDOWNS, PostgresBackend
from tests.engines.postgres import PostgresServer

POSTGRES: Final = "postgres"

MakeBackend = Callable[[], Backend]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users, to be copied."""
    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection:
        run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a database with the same users, to be copied."""

    async def fill(name: str) -> None:
        database = await open_postgres(postgres.dsn(name))
        await add_accounts(PostgresAccounts(database))
        await database.close()

    name = postgres.create_database()
    run(fill(name))
    postgres.sql(BREAKDOWNS, name)
    return name


def _maker(kind: str, request: pytest.FixtureRequest) -> MakeBackend:
    if kind == POSTGRES:
        return partial(PostgresBackend, request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template"))
    directory, template = request.getfixturevalue("tmp_path"), request.getfixturevalue("template")
    numbers = count()
    return lambda: BACKENDS[kind](directory / f"data{next(numbers)}", template)


@pytest.fixture(params=[*BACKENDS, POSTGRES])
def make_backend(request: pytest.FixtureRequest) -> MakeBackend:
    """Makes new backends of one kind."""
    return _maker(request.param, request)


@pytest.fixture
def examples(make_backend: MakeBackend) -> int:
    """How many to try: of what has to ask a server for everything fewer."""
    return 20 if isinstance(make_backend, partial) and make_backend.func is PostgresBackend else 100


@pytest.fixture
def backend(make_backend: MakeBackend) -> Iterator[Backend]:
    """A new store."""
    with closing(make_backend()) as backend:
        yield backend


@pytest.fixture(params=[kind for kind in [*BACKENDS, POSTGRES] if kind != "memory"])
def breakable(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """A new store whose commits can be made to fail."""
    with closing(_maker(request.param, request)()) as backend:
        yield backend


@pytest.fixture
def desk(backend: Backend) -> Desk:
    return Desk(backend)


@pytest.fixture
def short_desk(backend: Backend) -> Desk:
    """Where messages do not stay for ever."""
    return Desk(backend, *TENANTS[NO_RETENTION][:2])


@pytest.fixture
def failing_desk(breakable: Backend) -> Desk:
    return Desk(breakable)
