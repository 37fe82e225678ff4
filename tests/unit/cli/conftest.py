"""Where the accounts of a test are: commands do the same to either store."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from rockdove.core.ports import Accounts
from rockdove.store.opening import open_accounts

_T = TypeVar("_T")


class Place(NamedTuple):
    """A new store."""

    options: tuple[str, ...]  # that tell a command of it
    address: str | None
    directory: Path

    def look(self, work: Callable[[Accounts], Coroutine[Any, Any, _T]]) -> _T:
        """What `work` returns, given the accounts as the server sees them."""

        async def open_and_look() -> _T:
            async with open_accounts(self.address, self.directory) as accounts:
                return await work(accounts)

        return asyncio.run(open_and_look())


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(("--data", str(tmp_path)), None, tmp_path)
    address = request.getfixturevalue("store")
    return Place(("--store", address), address, tmp_path)
