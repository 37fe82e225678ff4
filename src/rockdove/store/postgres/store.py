"""The store in a PostgreSQL database, as one node sees it."""

from collections.abc import Callable, Sequence
from typing import Final, Self

from rockdove.core.records import Batch, Device, Hold, Match, Query, Span
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.devices import GIVE_BACK, LOG_IN, NEW_DEVICE, SIBLING_CURSORS, device_of
from rockdove.store.postgres.gathering import Gathering
from rockdove.store.postgres.lane import Lane
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.retention import Retention
from rockdove.store.postgres.rights import KnownRights
from rockdove.store.postgres.search import PostgresSearch
from rockdove.store.postgres.view import PostgresView

_NEWEST: Final = (
    "SELECT greatest((SELECT max(last_msgid) FROM chunk), (SELECT cut_msgid FROM progress)),"
    " (SELECT value FROM setting WHERE name = 'epoch')"
)


class PostgresStore(PostgresView):
    """`core.ports.Store` in a database of `open_database`, for a node that is registered there. `done` is called later."""

    shared = True

    def __init__(self, database: Database, nodes: PostgresNodes, epoch: bytes, last_msgid: int) -> None:
        super().__init__(database)
        self._database = database
        self._nodes = nodes
        known = KnownRights()
        self._lanes = [Lane(database.reserved, nodes, lane, epoch, known) for lane in range(nodes.lanes)]
        self._gathering = Gathering(self._lanes)
        self._retention = Retention(database)
        self._search = PostgresSearch(database)
        self.lanes = nodes.lanes
        self.epoch = int.from_bytes(epoch, "little")
        self._last_msgid = last_msgid

    @classmethod
    async def open(cls, database: Database, nodes: PostgresNodes) -> Self:
        """Raises StoreUnavailable."""
        last_msgid, epoch = await database.row(_NEWEST)
        return cls(database, nodes, epoch, last_msgid)

    @property
    def last_msgid(self) -> int:
        return max(self._last_msgid, *(lane.last_msgid for lane in self._lanes))

    async def stop(self) -> None:
        """Give up what is under way, and let go of the lanes' connections; the database stays open."""
        self._gathering.stop()
        for lane in self._lanes:
            await lane.stop()

    def close(self) -> None:
        self._gathering.stop()
        for lane in self._lanes:
            lane.close()

    # -- commit

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        self._gathering.commit(batch, done)

    # -- devices

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int = 0) -> Device:
        while True:
            row = await self._database.row(LOG_IN, user, name, client, node)
            if row is not None:
                return device_of(row)
            async with self._database.transaction() as connection:
                device = await connection.fetchval(NEW_DEVICE, user, name, client, now_ms)
                if device is not None:
                    await connection.execute(SIBLING_CURSORS, device, user)

    async def give_back(self, user: int, name: str, taken: Hold, before: Hold) -> None:
        await self._database.row(GIVE_BACK, user, name, *taken, *before)

    # -- search and retention: one node does the work for all

    async def search(self, user: int, query: Query, limit: int) -> tuple[Sequence[Match], int]:
        return await self._search.search(user, query, limit)

    async def index(self, limit: int) -> int:
        return await self._search.index(limit) if self._nodes.leads else 0

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        return await self._retention.spans(after, unseen_since_ms, limit) if self._nodes.leads else []

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        return await self._retention.cut(conversation, through, older_than, limit)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        if self._nodes.leads:
            await self._retention.forget_requests(older_than, limit)
