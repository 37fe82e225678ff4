"""Running the examples of the pages against a server."""

import ast
import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from rockdove.auth.password import hash_password
from rockdove.core.records import DEFAULT_NAME
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database

PEOPLE = {"alice": "wonderland", "bob": "builder"}  # as in the README
ADDRESS = "127.0.0.1:5181"


def add_people(data: Path) -> None:
    """The two users of the examples."""
    connection = open_database(data)

    async def add() -> None:
        accounts = SqliteAccounts(connection)
        tenant = await accounts.tenant(DEFAULT_NAME, DEFAULT_NAME)
        assert tenant
        await accounts.add_users(tenant.id, [(name, hash_password(word, "light")) for name, word in PEOPLE.items()], 0)

    asyncio.run(add())
    connection.close()


def at(source: str, port: int) -> str:
    """An example, for a server on that port."""
    return source.replace(ADDRESS, f"127.0.0.1:{port}")


def promised(source: str) -> list[str]:
    """What the example says it prints: the comments behind `print(…)`, in order."""
    return re.findall(r"^\s*print\(.*\)  # (.+)$", source, re.MULTILINE)


async def run(source: str, names: dict[str, Any]) -> list[str]:
    """Run an example in which `await` may stand anywhere; returns the lines that it printed."""
    printed: list[str] = []
    names["print"] = _printing_to(printed)
    code = compile(source, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = FunctionType(code, names)()
    if asyncio.iscoroutine(result):
        await result
    return printed


def _printing_to(lines: list[str]) -> Callable[..., None]:
    def write(*values: object) -> None:
        lines.append(" ".join(map(str, values)))

    return write
