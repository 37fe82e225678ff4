"""A data directory is moved whole or not at all, to where nothing else is; whatever is different there is found."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import single_conversation
from rockdove.store import StoreError
from rockdove.store.moving import comparison, move
from rockdove.store.moving.comparison import Compared
from rockdove.store.moving.tables import MESSAGE, TABLES, Table
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.chunk import COLUMNS
from rockdove.store.postgres.database import MOVING, DatabaseError, open_database
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.store import PostgresStore
from rockdove.store.sqlite.database import DATABASE, lock_for_serving
from rockdove.store.sqlite.database import open_database as open_sqlite
from rockdove.store.sqlite.store import SqliteStore
from tests.contract.machine import START_MS
from tests.contract.moved_backend import Interrupting, Interruption, small_parts
from tests.unit.store.everything import CUT, MESSAGES, ROWS, cut, fill

QUIET = Interrupting(None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with something in every table. Nothing writes to it."""
    directory = tmp_path_factory.mktemp("data")
    fill(directory)
    return directory


def moved(data: Path, address: str) -> list[Compared]:
    return asyncio.run(move.move(data, address, QUIET))


def differences(tables: list[Compared]) -> list[str]:
    told = [difference for table in tables for difference in table.told]
    assert len(told) == sum(table.differences for table in tables)
    return told


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises(StoreError) as caught:
        work()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sql(address: str, statement: str, *arguments: object) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(address)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def interrupted(data: Path, address: str, parts: int) -> None:
    with small_parts(), pytest.raises(Interruption):
        asyncio.run(move.move(data, address, Interrupting(parts)))


# ---------------------------------------------------------------- what is moved


def test_every_table_is_moved_with_every_row(data: Path, store: str) -> None:
    before = (data / DATABASE).read_bytes()
    tables = moved(data, store)
    assert differences(tables) == []
    rows = {table.table: table.rows for table in tables}
    assert rows["message"] == MESSAGES - CUT
    assert rows["request"] == CUT  # the keys of the others lie with their messages
    assert min(rows.values()) > 0
    assert (data / DATABASE).read_bytes() == before


def test_no_column_is_forgotten(data: Path, store: str) -> None:
    """Columns of either side that are not moved: what the other one does not have, or computes."""
    columns = sql(store, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
    known = {(table.name, column) for table in TABLES for column in table.columns}
    tables = {table.name for table in TABLES}
    left_out = {(table, column) for table, column in columns if table in tables} - known
    assert left_out == {("conversation", "version"), ("device", "login"), ("device", "holder")}
    assert {column for table, column in columns if table == "chunk"} == set(COLUMNS.replace("c.", "").split(", "))
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        schema = connection.execute(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
        ).fetchall()
    ours = {("account" if table == "user" else table, "account" if column == "user" else column) for table, column in schema}
    whole = {
        "log",
        "place",
        "tally",
        "request_block",
        "request_expiry",
        "migration",
        "sqlite_sequence",
    }  # put together otherwise
    assert {(table, column) for table, column in ours if table not in whole} <= known


def test_new_ids_lie_above_those_of_before(data: Path, store: str) -> None:
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        given = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
    with closing(SqliteStore(open_sqlite(data))) as source:
        last_msgid = source.last_msgid
    moved(data, store)

    async def look() -> None:
        database = await open_database(store)
        accounts = PostgresAccounts(database)
        await accounts.add_users(1, [("new", "")], START_MS)
        user = await accounts.user(1, "new")
        nodes = await PostgresNodes.register(database)
        there = await PostgresStore.open(database, nodes)
        assert user is not None
        assert user.id == given["user"] + 1
        assert (await accounts.changes(-1)).position == given["account_change"] + 1
        assert (await there.open_device(user.id, "", "", START_MS)).id == 10 + ROWS + 1
        assert await there.new_group() == given["chat_group"] + 1
        assert there.last_msgid == last_msgid
        await there.stop()
        await database.close()

    asyncio.run(look())


def test_msgids_go_on_above_messages_that_were_cut(tmp_path: Path, store: str) -> None:
    fill(tmp_path)
    with closing(SqliteStore(open_sqlite(tmp_path))) as source:
        last_msgid = source.last_msgid
        asyncio.run(cut(source, single_conversation(1, 2), MESSAGES))
    moved(tmp_path, store)
    assert sql(store, "SELECT count(*) FROM chunk") == [(0,)]
    assert sql(store, "SELECT cut_msgid FROM progress") == [(last_msgid,)]


def test_it_is_the_same_however_it_lies_in_the_file(tmp_path: Path, postgres: Any, migrated: str) -> None:
    """Settled or not: only what finds messages again is kept otherwise."""
    seen = set()
    for seal_at in (3, 16, 1000):
        name = postgres.create_database(migrated)
        fill(tmp_path / str(seal_at), seal_at)
        tables = {table.table: table.digest for table in moved(tmp_path / str(seal_at), postgres.dsn(name))}
        seen.add((tables["message"], tables["request"], tables["conversation"]))
        postgres.drop_database(name)
    assert len(seen) == 1


# ---------------------------------------------------------------- interruptions


@pytest.mark.parametrize("parts", [0, 1, 9, 25, 60, 90])
def test_what_was_interrupted_goes_on_and_is_not_served_before_its_end(data: Path, store: str, parts: int) -> None:
    interrupted(data, store, parts)
    assert refusal(lambda: asyncio.run(open_database(store))).endswith("run rockdove migrate again")
    assert "without --verify-only" in refusal(lambda: asyncio.run(move.compare(data, store, QUIET)))
    assert differences(moved(data, store)) == []
    assert sql(store, "SELECT count(*) FROM chunk") == [(MESSAGES - CUT,)]


def test_what_is_copied_is_not_copied_again(data: Path, store: str) -> None:
    interrupted(data, store, 40)
    sql(store, "UPDATE account SET name = name || 'changed' WHERE id = 11")  # it would be overwritten, or fail
    assert differences(moved(data, store)) == ["account, id 11: differs in name"]
    assert refusal(lambda: asyncio.run(open_database(store))).endswith("run rockdove migrate again")


def test_a_connection_that_is_lost_is_told_and_the_next_run_goes_on(data: Path, postgres: Any, store: str) -> None:
    class Cutting(Interrupting):
        def advance(self, rows: int) -> None:
            name = store.rpartition("/")[2]
            postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    with pytest.raises(StoreUnavailable, match=r"cannot go on now .* run it again"):
        asyncio.run(move.move(data, store, Cutting(None)))
    assert differences(moved(data, store)) == []


@pytest.mark.parametrize("change", ["nickname = char(0)", "tenant = 1 << 40"])
def test_what_a_database_cannot_hold_is_told(tmp_path: Path, store: str, change: str) -> None:
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute(f"UPDATE profile SET {change}")
    assert "does not take what is in the data directory" in refusal(lambda: moved(tmp_path, store))


# ---------------------------------------------------------------- refusals


def test_a_database_with_something_else_is_refused(data: Path, tmp_path: Path, store: str) -> None:
    sql(store, "INSERT INTO tenant (retention_days, messages_per_second, recall_seconds, edit_seconds, strangers, org, appkey,"
        " password_cost, token_secret) VALUES (1, 1, 1, 1, true, 'acme', 'shop', '', '')")  # fmt: skip
    before = sql(store, "SELECT name, value FROM setting ORDER BY name")
    assert "holds something else" in refusal(lambda: moved(data, store))
    assert sql(store, "SELECT name, value FROM setting ORDER BY name") == before


def test_a_database_that_another_directory_is_being_moved_to_is_refused(data: Path, tmp_path: Path, store: str) -> None:
    interrupted(data, store, 5)
    fill(tmp_path)
    assert "another data directory was being moved" in refusal(lambda: moved(tmp_path, store))
    assert differences(moved(data, store)) == []
    assert "holds something else" in refusal(lambda: moved(tmp_path, store))
    assert "does not come from this data directory" in refusal(lambda: asyncio.run(move.compare(tmp_path, store, QUIET)))


def test_what_was_moved_is_not_moved_again(data: Path, store: str) -> None:
    moved(data, store)
    assert "has it all already" in refusal(lambda: moved(data, store))
    assert differences(asyncio.run(move.compare(data, store, QUIET))) == []


def test_neither_side_may_be_in_use(data: Path, store: str) -> None:
    with lock_for_serving(data):
        assert "already served by process" in refusal(lambda: moved(data, store))

    async def serve() -> str:
        database = await open_database(store)
        nodes = await PostgresNodes.register(database)
        with pytest.raises(StoreError) as caught:
            await move.move(data, store, QUIET)
        await nodes.leave()
        await database.close()
        return str(caught.value)

    assert "a server runs on" in asyncio.run(serve())
    assert differences(moved(data, store)) == []


def test_two_at_a_time_are_one_too_many(data: Path, store: str) -> None:
    connection = asyncio.run(_lock_elsewhere(data, store))
    assert "another rockdove migrate is at work" in connection


async def _lock_elsewhere(data: Path, store: str) -> str:
    from rockdove.store.moving.target import writing

    async with writing(store):
        with pytest.raises(StoreError) as caught:
            await move.move(data, store, QUIET)
    return str(caught.value)


def test_a_directory_without_a_database_is_refused_and_stays_as_it_is(tmp_path: Path, store: str) -> None:
    directory = tmp_path / "nothing"
    assert "there is no database" in refusal(lambda: moved(directory, store))
    assert not directory.exists()


def test_a_database_of_an_older_rockdove_is_refused(tmp_path: Path, store: str) -> None:
    open_sqlite(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DELETE FROM migration WHERE number >= 2")
    assert "an older rockdove" in refusal(lambda: moved(tmp_path, store))


# ---------------------------------------------------------------- differences


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value + ("x" if isinstance(value, str) else b"x")


@pytest.fixture(scope="module")
def moved_template(data: Path, postgres: Any, migrated: str) -> str:
    """The name of a database to which it was moved, to be copied."""
    name = postgres.create_database(migrated)
    assert differences(moved(data, postgres.dsn(name))) == []
    sql(postgres.dsn(name), "ALTER TABLE account DROP CONSTRAINT account_tenant_fkey")
    return str(name)


@pytest.fixture
def copy(postgres: Any, moved_template: str) -> Any:
    """The address of such a copy."""
    name = postgres.create_database(moved_template)
    yield postgres.dsn(name)
    postgres.drop_database(name)


@pytest.mark.parametrize("table", [table for table in TABLES if table is not MESSAGE], ids=lambda table: table.name)
@pytest.mark.parametrize("page", [2, 2000])
def test_any_difference_is_found_and_told_without_the_value(
    data: Path, copy: str, table: Table, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "PAGE", page)
    order = ", ".join(table.key)
    (row, *_) = sql(copy, f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {order} LIMIT 1 OFFSET 1")
    where = " AND ".join(f"{column} = ${number}" for number, column in enumerate(table.key, 2))
    place = f"{table.name}, {', '.join(f'{column} {value}' for column, value in zip(table.key, row, strict=False))}"
    compare = lambda: differences(asyncio.run(move.compare(data, copy, QUIET)))  # noqa: E731
    for column, value in zip(table.values, row[len(table.key) :], strict=True):
        statement = f"UPDATE {table.name} SET {column} = $1 WHERE {where}"
        if value is None:
            continue
        sql(copy, statement, changed(value), *row[: len(table.key)])
        assert compare() == [f"{place}: differs in {column}"]
        sql(copy, statement, value, *row[: len(table.key)])
    assert compare() == []
    where = " AND ".join(f"{column} = ${number}" for number, column in enumerate(table.key, 1))
    sql(copy, f"DELETE FROM {table.name} WHERE {where}", *row[: len(table.key)])
    assert compare() == [f"{place}: is missing in the database"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("device = device + 1", "device"),
        ("last_seqid = last_seqid + 1", "seqid"),
        ("sender = sender + 1", "sender"),
        ("counted = NOT counted", "counted"),
        ("records = set_byte(records, 7, 255 - get_byte(records, 7))", "digest"),
        ("records = set_byte(records, 9, 255 - get_byte(records, 9))", "record"),
    ],
)
def test_any_difference_of_a_message_is_found(data: Path, copy: str, change: str, column: str) -> None:
    ((msgid,),) = sql(copy, "SELECT last_msgid FROM chunk ORDER BY last_msgid LIMIT 1 OFFSET 1")
    sql(copy, f"UPDATE chunk SET {change} WHERE last_msgid = $1", msgid)
    assert differences(asyncio.run(move.compare(data, copy, QUIET))) == [f"message, msgid {msgid}: differs in {column}"]


def test_message_that_is_missing_is_found(data: Path, copy: str) -> None:
    ((msgid,),) = sql(copy, "DELETE FROM chunk WHERE last_seq = 10 RETURNING last_msgid")
    told = differences(asyncio.run(move.compare(data, copy, QUIET)))
    assert told == [f"message, msgid {msgid}: is missing in the database"]


@pytest.mark.parametrize("page", [2, 2000])
def test_rows_that_are_only_there_or_twice_are_found(data: Path, copy: str, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PAGE", page)
    sql(copy, "INSERT INTO edit VALUES (1, 1), (12, 13), (9999, 1)")
    sql(copy, "INSERT INTO chunk SELECT conversation, last_seq + 1000, last_msgid, device, last_seqid, sender, size, step,"
        " counted, true, records FROM chunk WHERE last_seq = 10")  # fmt: skip
    told = differences(asyncio.run(move.compare(data, copy, QUIET)))
    assert [line for line in told if line.startswith("edit")] == [
        f"edit, msgid {msgid}, edit {edit}: is only in the database" for msgid, edit in [(1, 1), (12, 13), (9999, 1)]
    ]
    assert "message: 1 rows are in the database a second time" in told


def test_a_node_that_opened_the_database_before_a_move_began_does_not_serve_it(store: str) -> None:
    async def come_late() -> None:
        database = await open_database(store)
        try:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO setting VALUES ($1, $2)", MOVING, b"{}")
            with pytest.raises(DatabaseError, match="wait for rockdove migrate"):
                await PostgresNodes.register(database)
        finally:
            await database.close()

    asyncio.run(come_late())
