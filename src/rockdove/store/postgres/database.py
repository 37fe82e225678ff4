"""A PostgreSQL database: connections to it, the schema in it, what its errors mean."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import asyncpg

from rockdove.core.errors import StoreUnavailable
from rockdove.store import StoreError
from rockdove.store.address import place_of
from rockdove.store.beginning import first_settings, first_tenant, new_epoch
from rockdove.store.migrations import Migration, OtherSchemaError, migrations_of, outstanding

OLDEST: Final = 15  # major version of PostgreSQL
POOL: Final = 8  # connections for reading, at most; each lane has one more
RESERVED: Final = 4  # for what lanes read before they commit: one for each of nodes.LANES
CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 1.0  # for connections in use; what matters is stored by then
ANSWER_SECONDS: Final = 10.0  # a server that says nothing for so long is gone

MOVING: Final = "moving"  # a row of `setting`: a data directory is being moved here; see store/moving
IS_MOVING: Final = f"SELECT EXISTS (SELECT FROM setting WHERE name = '{MOVING}')"

_SETTINGS: Final = {  # of each session: whoever is stuck, or frozen, lets go of his locks
    "application_name": "rockdove",
    "idle_in_transaction_session_timeout": "3s",
    "lock_timeout": "3s",
    "statement_timeout": "8s",
    "jit": "off",  # it costs more than any statement here
    "plan_cache_mode": "force_generic_plan",  # planning for each call costs more than running it
    "timezone": "UTC",
}
_MIGRATION_LOCK: Final = 0x726F636B646F7665  # "rockdove"

_PASSING: Final = (  # a later statement may succeed, perhaps on another server
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed
    asyncpg.InternalClientError,  # the same, while it was idle
    asyncpg.OperatorInterventionError,  # shut down, timed out, starting up
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.TransactionRollbackError,  # deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that became a standby
    asyncpg.PostgresIOError,
    asyncpg.InvalidAuthorizationSpecificationError,  # the password is being changed
    asyncpg.InvalidCatalogNameError,  # the database is being restored
    OSError,
    TimeoutError,
)
_BROKEN: Final = (  # nothing in the database can be relied on
    asyncpg.DataCorruptedError,
    asyncpg.IndexCorruptedError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)
FAULTS: Final = (asyncpg.PostgresError, OverflowError, ValueError)  # if they do not pass: with something that is to be stored
CONTENTION: Final = (  # others were in the way: the same transaction may succeed
    asyncpg.TransactionRollbackError,  # deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.UniqueViolationError,
    asyncpg.InvalidCachedStatementError,  # the schema has changed
)
_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,
    TimeoutError,
)
FATAL: Final = (  # to a transaction
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    StoreUnavailable,
)


class DatabaseError(StoreError):
    """The database cannot be used."""


class OwnConnection:
    """For what must not wait behind others for a connection of the pool. Kept, and made anew when it is lost."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """As that of Database; one at a time."""
        with translating():
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            try:
                async with self._connection.transaction():
                    yield self._connection
            except _LOST:
                self.close()
                raise

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class Database:
    """One database, with a pool of connections for short statements. Methods raise StoreUnavailable."""

    def __init__(self, dsn: str, pool: asyncpg.Pool, reserved: asyncpg.Pool | None = None) -> None:
        self._dsn = dsn
        self._pool = pool
        self.reserved = Database(dsn, reserved) if reserved else self  # where lanes read: no other reader is in the way
        self.own = OwnConnection(self.connect)  # of the beats: a node that serves many is not a dead one

    async def connect(self) -> asyncpg.Connection:
        """A connection of one's own."""
        with translating():
            return await _connect(self._dsn, _SETTINGS)

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """All rows."""
        rows: Sequence[Any] = await self._run(lambda connection: connection.fetch(statement, *arguments), statement)
        return rows

    async def row(self, statement: str, *arguments: object) -> Any:
        """The first row; None if there is none."""
        return await self._run(lambda connection: connection.fetchrow(statement, *arguments), statement)

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[Any]], statement: str) -> Any:
        """What only reads is tried once more on a new connection: after a failover all idle ones turn out to be dead."""
        async with self._connection() as connection:
            try:
                return await work(connection)
            except _LOST as error:
                # A server that is slow is not one that is gone: then a second try would only be more work for it.
                if isinstance(error, TimeoutError) or not statement.startswith("SELECT"):
                    raise
        await self._pool.expire_connections()
        async with self._connection() as connection:
            return await work(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """One durable transaction: all of the block, or after an exception none of it."""
        async with self._connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except _LOST:
                raise  # there is nobody who would hear of a ROLLBACK
            except BaseException:
                with suppress(*FATAL):
                    await transaction.rollback()
                raise
            await transaction.commit()

    async def close(self) -> None:
        """Let go of all connections."""
        self.own.close()
        if self.reserved is not self:
            await self.reserved.close()
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        with translating():
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                try:
                    yield connection
                except _LOST:
                    with suppress(asyncpg.InterfaceError):  # it is closed already
                        connection.terminate()  # else asyncpg waits for its end as long as for the answer
                    raise


async def open_database(dsn: str) -> Database:
    """Open the database at `dsn`, a postgresql:// address, with the newest schema. Any number of processes may do so at once.

    Several hosts may be named: the one that takes writes is used, also after it changed. Raises DatabaseError; also where a
    data directory was moved only in part.
    """
    with _opening(dsn) as place:
        connection = await _connect_migrated(dsn, place)
        try:
            if await connection.fetchval(IS_MOVING):
                raise DatabaseError(f"{place} holds only a part of what is moved there; run rockdove migrate again")
        finally:
            await connection.close()
        return Database(dsn, await _pool(dsn, POOL), await _pool(dsn, RESERVED))


async def _pool(dsn: str, size: int) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=0,  # it would look for the server in vain, and say so, while that is away
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=_SETTINGS,
        target_session_attrs="read-write",
        reset=_keep,
    )


async def _keep(_: asyncpg.Connection) -> None:
    """Nothing here changes a session's state: to reset it would cost each statement a second one."""


async def renew_epoch(database: Database) -> None:
    """Clients will forget how far they were (protocol §3 epoch). No node may have the database open."""
    async with database.transaction() as connection:
        await connection.execute("UPDATE setting SET value = $1 WHERE name = 'epoch'", new_epoch())


async def open_whole(dsn: str) -> asyncpg.Connection:
    """A connection for work on all of the database, which may take any time; else as `open_database`."""
    with _opening(dsn) as place:
        return await _connect_migrated(dsn, place)


@contextmanager
def _opening(dsn: str) -> Iterator[str]:
    """The place for people; whatever cannot be opened is a DatabaseError."""
    try:
        place = place_of(dsn)
    except ValueError as error:
        raise DatabaseError(str(error)) from None
    try:
        yield place
    except OtherSchemaError as error:
        raise DatabaseError(str(error)) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise DatabaseError(f"{place} cannot be opened ({reason}); check the address, and that it runs") from None


# ---------------------------------------------------------------- errors


class translating:  # noqa: N801  # reads as a verb: with translating()
    """A context in which what passes becomes StoreUnavailable; what is a bug of ours stays what it is."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, _PASSING):
            raise unavailable(error) from error


def is_lost(error: BaseException, connection: asyncpg.Connection) -> bool:
    """Whether nobody knows what became of the statement under way."""
    return connection.is_closed() or isinstance(error, _LOST)


def passes(error: BaseException) -> bool:
    """Whether a later statement may succeed."""
    return isinstance(error, _PASSING)


def is_broken(error: BaseException) -> bool:
    """Whether the database is damaged, or not ours."""
    return isinstance(error, _BROKEN)


def unavailable(error: BaseException) -> StoreUnavailable:
    """What a passing error means for the core."""
    return StoreUnavailable(f"the database cannot be used now ({str(error) or 'it does not answer'}); try again")


# ---------------------------------------------------------------- connections and schema


async def _connect(dsn: str, settings: dict[str, str]) -> asyncpg.Connection:
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS if settings else None,
        server_settings=settings,
        target_session_attrs="read-write",
    )


async def _connect_migrated(dsn: str, place: str) -> asyncpg.Connection:
    """A connection without limits of time, on the newest schema."""
    connection = await _connect(dsn, {})
    try:
        await _check_server(connection, place)
        await _migrate(connection, place)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _migrate(connection: asyncpg.Connection, place: str) -> None:
    known = migrations_of("rockdove.store.postgres")
    if not await _outstanding(connection, known, place):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        for migration in await _outstanding(connection, known, place):
            if migration.number == 1:
                await connection.execute("CREATE TABLE migration (number integer PRIMARY KEY, checksum text NOT NULL)")
            await connection.execute(migration.script)
            await connection.execute("INSERT INTO migration VALUES ($1, $2)", migration.number, migration.checksum)
            if migration.number == 1:
                await _fill(connection)


async def _check_server(connection: asyncpg.Connection, place: str) -> None:
    major = connection.get_server_version().major
    if major < OLDEST:
        raise OtherSchemaError(f"{place} is PostgreSQL {major}; rockdove needs {OLDEST} or later: upgrade it")
    if await connection.fetchval("SELECT current_setting('synchronous_commit')") == "off":
        raise OtherSchemaError(f"{place} acknowledges what is not on its disk: set synchronous_commit = on")
    encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        raise OtherSchemaError(f"{place} is in {encoding}, which does not hold every text: make one with ENCODING 'UTF8'")


async def _outstanding(connection: asyncpg.Connection, known: list[Migration], place: str) -> list[Migration]:
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = ANY (current_schemas(false))")
    if not tables:
        return known
    if "migration" not in {name for (name,) in tables}:
        raise OtherSchemaError(f"{place} holds tables of something else; make a database for rockdove alone")
    applied: Sequence[Any] = await connection.fetch("SELECT number, checksum FROM migration ORDER BY number")
    return outstanding(known, [(number, checksum) for number, checksum in applied], place)


async def _fill(connection: asyncpg.Connection) -> None:
    tenant = first_tenant()
    await connection.executemany("INSERT INTO setting VALUES ($1, $2)", first_settings())
    await connection.execute(
        "INSERT INTO tenant (org, appkey, retention_days, strangers, password_cost, messages_per_second, recall_seconds,"
        " edit_seconds, token_secret) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(tenant.org, tenant.appkey, tenant.retention_days, tenant.strangers, tenant.password_cost),
        *(tenant.messages_per_second, tenant.recall_seconds, tenant.edit_seconds, tenant.token_secret),
    )
