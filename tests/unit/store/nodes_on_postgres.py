"""Several nodes on one PostgreSQL database, in one process; and a network between that loses what it is told to lose."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from rockdove.core.msgid import MsgidSource
from rockdove.core.ports import Permit
from rockdove.core.records import Batch, Change, Draft, Effect, single_conversation
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.database import Database, open_database
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.store import PostgresStore
from rockdove.wire import codec
from tests.contract.changes import Foreseen
from tests.contract.model import text


class Node:
    """One of them, and what it sends."""

    def __init__(self, database: Database, nodes: PostgresNodes, store: PostgresStore) -> None:
        self.database = database
        self.nodes = nodes
        self.store = store
        self.msgids = MsgidSource(nodes.number, store.last_msgid)

    async def commit(self, batch: Batch) -> None:
        """Raises what the store says."""
        batch.now_ms = time.time_ns() // 1_000_000
        batch.number(self.msgids)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.store.commit(batch, lambda error: done.set_exception(error) if error else done.set_result(None))
        await done

    async def send(self, *drafts: Draft, lane: int = 0) -> None:
        batch = Batch(lane)
        batch.messages += drafts
        await self.commit(batch)

    async def change(self, *effects: Effect) -> None:
        await self.change_with(None, *effects)

    async def change_with(self, draft: Draft | None, *effects: Effect) -> None:
        """A change that comes with a message."""
        batch = Batch()
        change = Change(Foreseen(effects), lambda *_: None, draft=draft)
        batch.changes.append((0, change))
        await self.commit(batch)
        assert change.refusal is None


@asynccontextmanager
async def running(dsn: str, count: int = 1) -> AsyncIterator[Sequence[Node]]:
    """So many nodes."""
    nodes = []
    for _ in range(count):
        database = await open_database(dsn)
        registered = await PostgresNodes.register(database)
        nodes.append(Node(database, registered, await PostgresStore.open(database, registered)))
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.store.stop()
            await node.database.close()


async def add_users(node: Node, count: int) -> list[int]:
    """The ids of new users."""
    accounts = PostgresAccounts(node.database)
    names = [f"user{number}" for number in range(count)]
    assert not await accounts.add_users(1, [(name, "") for name in names], 0)
    users = [await accounts.user(1, name) for name in names]
    return [user.id for user in users if user is not None]


def draft_of(
    sender: int, conversation: int, device: int, seqid: int, words: str = "hello", permit: Permit | None = None
) -> Draft:
    """A message; to a user, give `pair` of both."""
    return Draft(1, conversation, sender, codec.sender_field("somebody"), device, seqid, text("x", words), None, permit)


pair = single_conversation


class Network:
    """Forwards to a PostgreSQL. What it is told to lose is lost together with the connection that it was on."""

    def __init__(self) -> None:
        self.lose_request = False  # the next one
        self.lose_answer = False  # of the next request
        self.dsn = ""
        self._links: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, dsn: str) -> AsyncIterator["Network"]:
        """One before the database at `dsn`."""
        network, address = cls(), urlsplit(dsn)
        assert address.hostname
        assert address.port
        network._to = address.hostname, address.port
        server = await asyncio.start_server(network._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        network.dsn = dsn.replace(f":{address.port}/", f":{port}/")
        async with server:
            yield network
            for link in network._links:
                link.cancel()

    _to: tuple[str, int]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection(*self._to)
        forward = asyncio.ensure_future(self._forward(reader, away))
        back = asyncio.ensure_future(self._back(there, writer))
        self._links |= {forward, back}
        with suppress(asyncio.CancelledError):
            await asyncio.wait({forward, back}, return_when=asyncio.FIRST_COMPLETED)
        for each in (forward, back):
            each.cancel()
        away.close()
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, away: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            if self.lose_request:
                self.lose_request = False
                return
            away.write(data)

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(1 << 20):
            if self.lose_answer:
                self.lose_answer = False
                return
            writer.write(data)
