"""One lane: its connection, and commits on it, one after the other."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

import asyncpg

from rockdove.core.errors import NOT_STORED, Refusal, StoreFailed, StoreUnavailable
from rockdove.core.records import Batch
from rockdove.store.deciding import fault_of, refuse
from rockdove.store.postgres.changing import Changing
from rockdove.store.postgres.database import (
    CONNECT_SECONDS,
    CONTENTION,
    FATAL,
    FAULTS,
    Database,
    is_broken,
    is_lost,
    passes,
    unavailable,
)
from rockdove.store.postgres.plain import Plain
from rockdove.store.postgres.rights import KnownRights
from rockdove.store.postgres.transaction import FencedError, OvertakenError, Ticket
from rockdove.wire import im_pb2 as pb

TRIES: Final = 8  # of one batch, where others are in the way
PAUSE_SECONDS: Final = 0.01  # before the third try, at most; then twice as long each time
LONG_BYTES: Final = 8 << 20  # of messages in one statement
DOUBT_SECONDS: Final = 10.0  # how long to find out whether a batch was committed

_RAISE: Final = "UPDATE lane SET batch = batch + 1 WHERE node = $1 AND lane = $2 AND token = $3 RETURNING batch, committed"
_COMMITTED: Final = "SELECT committed FROM lane WHERE node = $1 AND lane = $2"


class Identity(Protocol):
    """Which node this is."""

    number: int
    token: int


class BuriedError(StoreUnavailable):
    """This node was declared dead, and the lane is not its own now."""

    def __init__(self, committed: int) -> None:
        super().__init__("this node was declared dead; it registers anew")
        self.committed = committed  # the number of the last batch that was stored


class Lane:
    """Commits of some users' sessions. Where the answer to a commit is lost, it finds out what became of it."""

    def __init__(self, database: Database, identity: Identity, lane: int, epoch: bytes, known: KnownRights) -> None:
        self._database = database
        self._identity = identity
        self._lane = lane
        self._epoch = epoch
        self._known = known
        self._connection: asyncpg.Connection | None = None
        self._batch = 0  # the number of the last one
        self.last_msgid = 0  # the highest that was stored by this lane
        self._working: asyncio.Task[None] | None = None

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        """See Store.commit; `done` is called later."""
        self._working = asyncio.get_running_loop().create_task(self._commit(batch, done))

    async def stop(self) -> None:
        """What is under way is given up: nobody hears of it."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        if self._connection is not None and not self._connection.is_closed():
            with suppress(*FATAL):
                await self._connection.close(timeout=CONNECT_SECONDS)
        self._connection = None

    def close(self) -> None:
        """The same, at once."""
        if self._working is not None:
            self._working.cancel()
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        try:
            await self._store(batch)
        except Exception as error:
            done(error)
        else:
            done(None)

    async def _store(self, batch: Batch) -> None:
        """In one transaction, unless it is very long."""
        if batch.size_bytes <= LONG_BYTES:
            await self._store_or_split(batch)
        else:
            batch.unfold(batch.runs)
            await self._store_parts(batch.portions(LONG_BYTES), self._store_or_split)

    async def _store_or_split(self, batch: Batch) -> None:
        """What is wrong with one message or change concerns no other."""
        try:
            await self._store_whole(batch)
        except FAULTS as error:
            _check_whole(error)
            batch.unfold(batch.runs)
            await self._store_parts(batch.apart(), self._store_or_refuse)

    async def _store_parts(self, parts: Iterable[Batch], store: Callable[[Batch], Awaitable[None]]) -> None:
        """In order. StoreUnavailable is raised only while nothing was stored; else what cannot be stored is refused."""
        stored = False
        away = False
        for part in parts:
            if away:  # nothing overtakes what was sent before it
                refuse(part, Refusal(pb.UNAVAILABLE, NOT_STORED))
                continue
            try:
                await store(part)
                stored = True
            except StoreUnavailable:
                if not stored:
                    raise
                refuse(part, Refusal(pb.UNAVAILABLE, NOT_STORED))
                away = True

    async def _store_or_refuse(self, part: Batch) -> None:
        """One message or change, or the marks."""
        part.begin_anew(0, time.time_ns() // 1_000_000)
        try:
            await self._store_whole(part)
        except FAULTS as error:
            _check_whole(error)
            if not part.messages and not part.changes:
                raise StoreFailed(f"the database does not take marks: {error}") from error
            refuse(part, fault_of(error))

    async def _store_whole(self, batch: Batch) -> None:
        for attempt in range(TRIES):
            if attempt > 1:
                await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311
            # Who was overtaken locks first and judges then, so that it is not overtaken again.
            kind = Changing if batch.changes or attempt else Plain
            if kind is Changing and batch.runs:
                batch.unfold(batch.runs)
            if await self._try(batch, kind):
                return
            batch.begin_anew(0, time.time_ns() // 1_000_000)
        raise StoreUnavailable("others write to the same conversations all the time; try again")

    async def _try(self, batch: Batch, kind: type[Plain] | type[Changing]) -> bool:
        """Whether it is stored; else it may be tried again."""
        connection = await self._connected()
        ticket = Ticket(self._identity.number, self._lane, self._identity.token, self._batch + 1)
        work = kind(connection, self._database, self._known, ticket, batch)
        try:
            await work.run()
        except OvertakenError:
            return False
        except FencedError:
            self._drop()  # the number of the last batch may be another one now
            raise StoreUnavailable("this node was declared dead; it registers anew") from None
        except Exception as error:
            if isinstance(error, CONTENTION) and not connection.is_closed():
                return False
            if not passes(error):
                raise
            if not is_lost(error, connection):
                raise unavailable(error) from error
            if not await self._was_committed(ticket, error):
                return False
            await work.recall(self._database)
        self._batch = max(self._batch, ticket.batch)  # a new connection has raised it
        self.last_msgid = max(self.last_msgid, work.last_msgid)
        return True

    # -- the connection

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            await self._connect()
        return self._connection

    async def _connect(self) -> int:
        """Raises the number of the last batch: what was sent earlier, and comes late, is refused.

        Returns the number of the last one that was stored.
        """
        self._drop()
        connection = await self._database.connect()
        try:
            epoch = await connection.fetchval("SELECT value FROM setting WHERE name = 'epoch'")
            if epoch != self._epoch:
                raise StoreFailed("the database is another one now: its epoch has changed")
            place = self._identity.number, self._lane
            row = await connection.fetchrow(_RAISE, *place, self._identity.token)
            if row is None:
                raise BuriedError(await connection.fetchval(_COMMITTED, *place))
        except BaseException as error:
            connection.terminate()
            if passes(error) or (isinstance(error, asyncpg.PostgresError) and not is_broken(error)):
                raise unavailable(error) from error
            raise
        self._connection, self._batch = connection, row["batch"]
        return int(row["committed"])

    async def _was_committed(self, ticket: Ticket, error: Exception) -> bool:
        """Waits for a transaction that is still under way; may find another server. Raises StoreUnavailable."""
        clock = asyncio.get_running_loop().time
        until = clock() + DOUBT_SECONDS
        while clock() < until:
            try:
                committed = await self._connect()
            except BuriedError as buried:  # the transaction is over, as it had the lane locked
                committed = buried.committed
            except StoreUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if committed > ticket.batch:  # by another node that has the number now
                break
            return committed == ticket.batch
        raise unavailable(error) from error


def _check_whole(error: Exception) -> None:
    """Raises StoreFailed if it is not about what was to be stored."""
    if is_broken(error):
        raise StoreFailed(f"the database is damaged: {error}") from error
