"""The nodes that share a PostgreSQL database: a number for each, and a lease."""

import secrets
from collections.abc import Sequence
from typing import Any, Final, Self

import asyncpg

from rockdove.core.errors import StoreFailed
from rockdove.core.records import NodeState, NodeStatus
from rockdove.store.postgres.database import IS_MOVING, Database, DatabaseError

LANES: Final = 4  # commits at a time
LEASE: Final = "15 seconds"  # who was not seen for so long is dead
HIGHEST: Final = 1023  # number of a node

_LOCK: Final = 0x726F636B6E6F6465  # "rocknode": one node registers at a time
_ALIVE: Final = f"n.token <> 0 AND n.seen > now() - interval '{LEASE}'"
# A new number while there is one, as msgids may still be on their way under a former one; then the one unused for longest.
_FREE: Final = (
    f"SELECT n.number FROM generate_series(1, {HIGHEST}) AS n (number) LEFT JOIN node o ON o.number = n.number"
    f" WHERE o.number IS NULL OR o.token = 0 OR o.seen < now() - interval '{LEASE}'"
    " ORDER BY o.seen NULLS FIRST, n.number LIMIT 1"
)
_REGISTER: Final = (
    "INSERT INTO node (number, token, name, version, status, started_ms, connections, bus_connected, seen)"
    " VALUES ($1, $2, $4, '', $3, 0, 0, false, now()) ON CONFLICT (number) DO UPDATE"
    " SET token = excluded.token, name = excluded.name, status = excluded.status, seen = now()"
)
_OWN_LANES: Final = (
    "INSERT INTO lane (node, lane, token, batch) SELECT $1, lane, $2, 0 FROM generate_series(0, $3 - 1) AS l (lane)"
    " ON CONFLICT (node, lane) DO UPDATE SET token = excluded.token, batch = lane.batch + 1"
)
# The dead may commit nothing more, should they come back.
_BURY: Final = (
    "WITH dead AS (UPDATE node SET token = 0 WHERE number IN (SELECT n.number FROM node n WHERE n.token <> 0"
    f" AND n.seen < now() - interval '{LEASE}' FOR UPDATE SKIP LOCKED) RETURNING number)"
    " UPDATE lane SET token = 0 FROM dead WHERE lane.node = dead.number"
)
_BEAT: Final = (
    "UPDATE node SET seen = now(), name = $3, version = $4, status = $5, started_ms = $6, connections = $7, bus_connected = $8"
    " WHERE number = $1 AND token = $2"
)
_END: Final = "UPDATE node SET token = 0, status = $3 WHERE number = $1 AND token = $2"  # in order, not dead
_LIVING: Final = (
    "SELECT n.number, n.name, n.version, n.started_ms, n.status, n.connections, n.bus_connected,"
    f" (extract(epoch FROM n.seen) * 1000)::bigint FROM node n WHERE {_ALIVE} ORDER BY n.number"
)


class PostgresNodes:
    """`core.ports.Nodes`: this node among them."""

    def __init__(self, database: Database, number: int, token: int, lanes: int, name: str) -> None:
        self._own = database.own
        self._name = name
        self.number = number
        self.token = token  # shows that the number is still this node's
        self.lanes = lanes
        self.leads = False  # whether this is the node that does what one does for all

    @classmethod
    async def register(cls, database: Database, name: str = "", lanes: int = LANES) -> Self:
        """Take a number, under that name. Raises StoreUnavailable; StoreFailed when no number is free; DatabaseError."""
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await connection.fetchval(IS_MOVING):
                raise DatabaseError("a data directory is being moved into this database: wait for rockdove migrate to end")
            number = await connection.fetchval(_FREE)
            if number is None:
                raise StoreFailed(f"{HIGHEST} nodes share the database, which is all there can be: stop one first")
            nodes = cls(database, number, _new_token(), lanes, name)
            await nodes._take(connection)
            nodes._see(await connection.fetch(_LIVING))
        return nodes

    async def beat(self, state: NodeState) -> Sequence[NodeState]:
        """See Nodes.beat. Whoever was declared dead comes back, if nobody has his number now; else StoreFailed is raised."""
        async with self._own.transaction() as connection:
            done = await connection.execute(
                _BEAT,
                *(self.number, self.token, state.name, state.version, state.status, state.started_ms),
                *(state.connections, state.bus_connected),
            )
            if done != "UPDATE 1":
                await self._come_back(connection)
            await connection.execute(_BURY)
            return self._see(await connection.fetch(_LIVING))

    async def leave(self) -> None:
        """See Nodes.leave."""
        async with self._own.transaction() as connection:
            await connection.execute(_END, self.number, self.token, NodeStatus.DRAINING)
            await connection.execute("UPDATE lane SET token = 0 WHERE node = $1 AND token = $2", self.number, self.token)
        self.leads = False

    async def _come_back(self, connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval(f"SELECT true FROM node n WHERE n.number = $1 AND {_ALIVE}", self.number):
            raise StoreFailed(f"another node has the number {self.number} now, as this one was away for too long: restart it")
        self.token = _new_token()
        await self._take(connection)

    async def _take(self, connection: asyncpg.Connection) -> None:
        await connection.execute(_REGISTER, self.number, self.token, NodeStatus.READY, self._name)
        await connection.execute(_OWN_LANES, self.number, self.token, self.lanes)

    def _see(self, living: Sequence[Any]) -> Sequence[NodeState]:
        states = [
            NodeState(number, name, version, started_ms, NodeStatus(status), connections, bus_connected, seen_ms)
            for number, name, version, started_ms, status, connections, bus_connected, seen_ms in living
        ]
        self.leads = bool(states) and states[0].number == self.number
        return states


def _new_token() -> int:
    return secrets.randbits(62) + 1
