"""Every store, one after the other."""

from asyncio import run
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from tests.contract.backends import BACKENDS, BREAKABLE, Backend, add_accounts

MakeBackend = Callable[[], Backend]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users, to be copied."""
    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection:
        run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.fixture(params=BACKENDS)
def make_backend(request: pytest.FixtureRequest, tmp_path: Path, template: Path) -> MakeBackend:
    """Makes new backends of one kind."""
    numbers = count()
    return lambda: BACKENDS[request.param](tmp_path / f"data{next(numbers)}", template)


@pytest.fixture
def backend(make_backend: MakeBackend) -> Iterator[Backend]:
    """A new store."""
    with closing(make_backend()) as backend:
        yield backend


@pytest.fixture(params=BREAKABLE)
def breakable(request: pytest.FixtureRequest, tmp_path: Path, template: Path) -> Iterator[Backend]:
    """A new store whose commits can be made to fail."""
    with closing(BACKENDS[request.param](tmp_path / "data", template)) as backend:
        yield backend
