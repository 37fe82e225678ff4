"""What the parts of the PostgreSQL store share."""

from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg

_ORDER = 1 << 63


class Rows(Protocol):
    """Where statements go: to the pool, or into the transaction of a lane."""

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """All rows."""

    async def row(self, statement: str, *arguments: object) -> Any:
        """The first row; None if there is none."""


class Statements:
    """`Rows` on one connection: within its transaction, if it has one."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        rows: Sequence[Any] = await self._connection.fetch(statement, *arguments)
        return rows

    async def row(self, statement: str, *arguments: object) -> Any:
        return await self._connection.fetchrow(statement, *arguments)


class Tables:
    """Some tables of the database. A part only reads; see effects.py for what is written."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows


def array(values: Sequence[int]) -> str:
    """A parameter `$n::text::bigint[]`: to encode it costs a third of what asyncpg takes for a list."""
    return "{" + str(values)[1:-1] + "}"


def parameters(*types: str) -> str:
    """$1, $2 and so on, of these types."""
    return ", ".join(f"${number}::{kind}" for number, kind in enumerate(types, 1))


def to_order(seqid: int) -> int:
    """An unsigned 64-bit number as PostgreSQL keeps it, in the same order."""
    return seqid - _ORDER


def from_order(value: int) -> int:
    """And back."""
    return value + _ORDER
