"""The PostgreSQL database that a data directory is moved into, and how far that is noted in it."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import asyncpg

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import DEFAULT_NAME
from rockdove.store.address import place_of
from rockdove.store.moving import MovingError
from rockdove.store.moving.tables import MESSAGE, TABLES, Key, Row, Table
from rockdove.store.postgres.chunk import COLUMNS, Message, all_unfolded, folded, kept_of
from rockdove.store.postgres.database import MOVING, open_whole, passes
from rockdove.store.postgres.nodes import LEASE

_LOCK: Final = 0x726F636B6D6F7665  # "rockmove"
_MESSAGES: Final = f"SELECT {COLUMNS} FROM chunk c WHERE c.last_msgid > $1 ORDER BY c.last_msgid LIMIT $2"  # each one message
_SEQUENCES: Final = {  # what gives the ids of a table
    **{table: f"pg_get_serial_sequence('{table}', 'id')" for table in ("tenant", "account", "device")},
    "account_change": "pg_get_serial_sequence('account_change', 'position')",
    "chat_group": "'group_conversation'",
}


class Progress(NamedTuple):
    """How far the copying is."""

    table: str = TABLES[0].name  # the one that is being copied
    after: Key = ()  # the last key that is there
    rows: int = 0  # of this table, that are there


ALL_COPIED: Final = Progress("")


class Target:
    """One database. Nothing but `begin`, `store` and `finish` writes to it."""

    def __init__(self, connection: asyncpg.Connection, place: str) -> None:
        self._connection = connection
        self._place = place
        self._epoch = b""

    async def begin(self, epoch: bytes) -> Progress:
        """Begin to move what has that epoch here, or go on. Raises MovingError if something else is here."""
        self._epoch = epoch
        noted = await self._noted()
        if noted is None:
            async with self._connection.transaction():
                await self._check_empty(epoch)
                await self._connection.execute("DELETE FROM setting")
                await self._connection.execute("DELETE FROM tenant")
                await self._note(Progress())
            return Progress()
        begun, *progress = noted
        if begun != epoch.hex():
            raise MovingError(f"another data directory was being moved to {self._place}; make another database")
        table, after, rows = progress
        return Progress(table, tuple(after), rows)

    async def check_moved(self, epoch: bytes) -> None:
        """Raises MovingError unless all of what has that epoch was moved here."""
        if await self._noted() is not None:
            raise MovingError(f"{self._place} holds only a part; run rockdove migrate without --verify-only")
        if not await self._has_epoch(epoch):
            raise MovingError(f"{self._place} does not come from this data directory; give the address of the one that does")

    async def store(self, table: Table, rows: Iterable[Row], progress: Callable[[], Progress]) -> None:
        """Add rows, and note the progress that this makes, which is asked for when they are through."""
        async with self._connection.transaction():
            await self._copy(table, rows)
            await self._note(progress())

    async def count(self, table: Table) -> int:
        """How many rows there are."""
        return int(await self._connection.fetchval(f"SELECT count(*) FROM {_name(table)} WHERE {table.only}"))

    async def page(self, table: Table, after: Key, limit: int) -> Sequence[Row]:
        """The first `limit` rows above that key, upwards."""
        if table is MESSAGE:
            (last,) = after or (0,)
            found = await self._connection.fetch(_MESSAGES, last, limit)
            return [_moved(message) for message in all_unfolded(found)]
        key = ", ".join(table.key)
        above = f"AND ({key}) > ({', '.join(f'${number}' for number, _ in enumerate(after, 1))})" if after else ""
        columns = ", ".join(table.columns)
        rows = await self._connection.fetch(
            f"SELECT {columns} FROM {table.name} WHERE {table.only} {above} ORDER BY {key} LIMIT {limit}", *after
        )
        return [tuple(row) for row in rows]

    async def prepare(self) -> None:
        """After copying: the database is to know how much there is, to choose good ways to it."""
        await self._connection.execute("ANALYZE")

    async def finish(self, last_ids: Mapping[str, int], last_msgid: int) -> None:
        """All is here: from now on it may be served. New ids lie above these."""
        async with self._connection.transaction():
            for table, last in last_ids.items():
                await self._connection.execute(f"SELECT setval({_SEQUENCES[table]}, $1, $2)", max(last, 1), last > 0)
            await self._connection.execute(
                "UPDATE progress SET cut_msgid = $1 WHERE $1 > (SELECT coalesce(max(last_msgid), 0) FROM chunk)", last_msgid
            )
            await self._connection.execute("DELETE FROM setting WHERE name = $1", MOVING)

    async def lock(self) -> None:
        """Be the only one who moves something here. Raises MovingError."""
        if not await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise MovingError(f"another rockdove migrate is at work on {self._place}; wait for its end")

    # -- what is there

    async def _check_empty(self, epoch: bytes) -> None:
        if await self._connection.fetchval(
            f"SELECT EXISTS (SELECT FROM node WHERE token <> 0 AND seen > now() - interval '{LEASE}')"
        ):
            raise MovingError(f"a server runs on {self._place}; stop it first")
        names = [(DEFAULT_NAME, DEFAULT_NAME)]
        is_used = [tuple(row) for row in await self._connection.fetch("SELECT org, appkey FROM tenant")] != names
        for table in TABLES:
            if table.name not in {"setting", "tenant"}:
                is_used = is_used or await self._connection.fetchval(f"SELECT EXISTS (SELECT FROM {_name(table)})")
        if is_used and await self._has_epoch(epoch):
            raise MovingError(f"{self._place} has it all already; rockdove migrate --verify-only compares it")
        if is_used:
            raise MovingError(f"{self._place} holds something else; make a database for what is moved")

    async def _has_epoch(self, epoch: bytes) -> bool:
        return bool(await self._connection.fetchval("SELECT value = $1 FROM setting WHERE name = 'epoch'", epoch))

    # -- progress

    async def _noted(self) -> list[Any] | None:
        value = await self._connection.fetchval("SELECT value FROM setting WHERE name = $1", MOVING)
        return None if value is None else json.loads(value)

    async def _note(self, progress: Progress) -> None:
        await self._connection.execute(
            "INSERT INTO setting VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            *(MOVING, json.dumps([self._epoch.hex(), *progress]).encode()),
        )

    async def _copy(self, table: Table, rows: Iterable[Row]) -> None:
        is_message = table is MESSAGE
        await self._connection.copy_records_to_table(
            _name(table),
            records=map(_lying, rows) if is_message else rows,
            columns=COLUMNS.replace("c.", "").split(", ") if is_message else table.columns,
        )


@asynccontextmanager
async def writing(address: str) -> AsyncIterator[Target]:
    """The database at `address`, alone. Raises DatabaseError, MovingError, and StoreUnavailable when it cannot go on now."""
    connection = await open_whole(address)
    place = place_of(address)
    target = Target(connection, place)
    try:
        await target.lock()
        yield target
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        if passes(error):
            raise StoreUnavailable(f"{place} cannot go on now ({reason}); run it again when it can") from error
        raise MovingError(f"{place} does not take what is in the data directory ({reason}); report it") from error
    finally:
        await connection.close()


def _name(table: Table) -> str:
    """Where its rows lie."""
    return "chunk" if table is MESSAGE else table.name


def _lying(row: Row) -> Row:
    """A row of MESSAGE as it lies in the table: each has a chunk of its own."""
    msgid, conversation, seq, device, seqid, sender, counted, digest, record = row
    kept, whole = kept_of(record, msgid, seq)
    return folded([Message(conversation, seq, msgid, device, seqid, sender, counted, whole, digest, kept)])


def _moved(message: Message) -> Row:
    """And back."""
    place = message.msgid, message.conversation, message.seq
    return *place, message.device, message.seqid, message.sender, message.counted, message.digest, message.record
