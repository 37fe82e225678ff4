"""Shared fixtures: a real server process on free ports, with its own data; real PostgreSQL and NATS."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from rockdove.store.postgres.database import open_database
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import ServerProcess, add_users

settings.register_profile("untimed", settings.default, deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")


class StartServer(Protocol):
    """Starts a server on `data`; whatever still runs is killed when the test ends."""

    def __call__(self, data: Path, *arguments: str, **options: Sequence[str]) -> ServerProcess:
        """Arguments and options as of ServerProcess."""


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """A function that starts servers."""
    started: list[ServerProcess] = []

    def start(data: Path, *arguments: str, **options: Sequence[str]) -> ServerProcess:
        started.append(ServerProcess(data, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def server(tmp_path: Path, start_server: StartServer) -> ServerProcess:
    """A running server with the users alice, bob and carol, whose password is `tests.process.PASSWORD`."""
    data = tmp_path / "data"
    add_users(data, ["alice", "bob", "carol"])
    process = start_server(data)
    process.port()
    return process


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests, which they leave running. Their databases are their own."""
    with closing(PostgresServer()) as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """How to connect to a new, empty database."""
    name = postgres.create_database()
    yield postgres.dsn(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """The name of a database with the newest schema, to be copied."""

    async def migrate(name: str) -> None:
        database = await open_database(postgres.dsn(name))
        await database.close()

    name = postgres.create_database()
    asyncio.run(migrate(name))
    return name


@pytest.fixture
def store(postgres: PostgresServer, migrated: str) -> Iterator[str]:
    """How to connect to a new database that has the newest schema, and nothing else."""
    name = postgres.create_database(migrated)
    yield postgres.dsn(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """A NATS server for all tests, which they leave running."""
    with closing(NatsServer()) as server:
        yield server


@pytest.fixture
def start_postgres() -> Iterator[Callable[..., PostgresServer]]:
    """Makes a PostgreSQL that the test may stop and kill; arguments as of PostgresServer."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(closing(PostgresServer(*arguments, **options)))


@pytest.fixture
def start_nats() -> Iterator[Callable[..., NatsServer]]:
    """Makes a NATS server that the test may stop and kill; arguments as of NatsServer."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(closing(NatsServer(*options)))
