"""A data directory with something in every table."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, single_conversation
from rockdove.store.moving.tables import TABLES
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import DATABASE, open_database
from rockdove.store.sqlite.store import SqliteStore
from tests.contract.machine import EVERYTHING, START_MS, commit
from tests.contract.model import draft_of

MESSAGES: Final = 40
CUT: Final = 5  # of them, from the beginning
ROWS: Final = 5  # that are made up, of each table
_FROM_MESSAGES: Final = ("setting", "message", "request")


def fill(directory: Path, seal_at: int = 16) -> None:
    """Messages of two users, some of them cut, some not settled (`seal_at`: see SqliteStore); and rows that are made up."""
    asyncio.run(_talk(directory, seal_at))
    with closing(sqlite3.connect(directory / DATABASE)) as connection:
        for table in TABLES:
            if table.name not in _FROM_MESSAGES:
                _make_up(connection, {"account": "user"}.get(table.name, table.name))
        connection.commit()


async def _talk(directory: Path, seal_at: int) -> None:
    connection = open_database(directory)
    connection.execute("UPDATE tenant SET retention_days = 7")
    accounts = SqliteAccounts(connection)
    await accounts.add_users(1, [("alice", ""), ("bob", "")], START_MS)
    alice, bob = await accounts.users(1, "", EVERYTHING)
    with closing(SqliteStore(connection, seal_at)) as store:
        device = (await store.open_device(alice.id, "phone", "test", START_MS)).id
        for number, msgid in enumerate(MsgidSource(0, 0).run(MESSAGES, START_MS), 1):
            batch = Batch()
            batch.now_ms = START_MS
            batch.messages.append(draft_of(alice, device, number % 7 and number, bob, f"words {number}", msgid))
            assert commit(store, batch) is None
            if number == 30:
                await cut(store, single_conversation(alice.id, bob.id), CUT)


async def cut(store: SqliteStore, conversation: int, through: int) -> None:
    """Cut the messages up to there, as soon as they are settled."""
    for _ in range(through):
        await store.spans(0, 0, EVERYTHING)  # settles a part
        await store.cut(conversation, through, 1 << 62, through)
    assert not await store.messages(conversation, 0, through + 1, 1)


def _make_up(connection: sqlite3.Connection, table: str) -> None:
    columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
    for number in range(11, 11 + ROWS):
        row = [_value(column, kind, number) for column, kind in columns]
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in row)})", row)


def _value(column: str, kind: str, number: int) -> Any:
    if column in {"strangers", "members_invite", "only_admins_post", "history_for_new", "dissolved", "blocked"}:
        return number % 2
    return {"INTEGER": number, "TEXT": f"{column} {number} 字", "BLOB": f"{column} {number}".encode()}[kind]
