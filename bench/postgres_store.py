"""What a message, and a read mark, cost in the PostgreSQL store: CPU time here and in the database, by size of batch."""

import argparse
import asyncio
import os
import time
from contextlib import closing
from pathlib import Path

import uvloop

from rockdove.core.msgid import MsgidSource
from rockdove.core.ports import Permit
from rockdove.core.records import Batch, Change, Draft, Tenant, single_conversation
from rockdove.core.rules.posting import WriteToUser
from rockdove.core.rules.reading import MarkRead
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.database import open_database
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.store import PostgresStore
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.engines.postgres import PostgresServer

TICKS = os.sysconf("SC_CLK_TCK")
BODY = pb.Message(payload=pb.MessageTxt(txt="x" * 100).SerializeToString(), to="somebody").SerializeToString()


def database_seconds(postmaster: int) -> float:
    """CPU time of all processes of the database, ended ones included."""

    def ticks(pid: int, *fields: int) -> int:
        values = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(int(values[field]) for field in fields)

    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="utf-8").split()
    return (ticks(postmaster, 11, 12, 13, 14) + sum(ticks(int(child), 11, 12) for child in children)) / TICKS


class Bench:
    """Pairs of users, of whom the first one of each writes from one device."""

    def __init__(self, server: PostgresServer, store: PostgresStore, number: int) -> None:
        self.server = server
        self.store = store
        self.msgids = MsgidSource(number, store.last_msgid)
        self.pairs: list[tuple[int, int, Permit]] = []  # conversation, device, permit
        self.seqid = 0

    async def people(self, accounts: PostgresAccounts, pairs: int) -> None:
        names = [f"user{number:07d}" for number in range(2 * pairs)]
        await accounts.add_users(1, [(name, "") for name in names], 0)
        users = [(await accounts.user(1, name)).id for name in names]  # type: ignore[union-attr]
        tenant = Tenant(1, "default", "default")
        for sender, receiver in zip(users[::2], users[1::2], strict=True):
            device = await self.store.open_device(sender, "phone", "bench", 0)
            permit = WriteToUser(tenant, sender, receiver, "somebody")
            self.pairs.append((single_conversation(sender, receiver), device.id, permit))

    def messages(self, count: int) -> Batch:
        batch = Batch()
        for _ in range(count):
            self.seqid += 1
            conversation, device, permit = self.pairs[self.seqid % len(self.pairs)]
            sender = conversation >> 32
            field = codec.sender_field("somebody")
            batch.messages.append(Draft(1, conversation, sender, field, device, self.seqid, BODY, None, permit))
        return batch

    def read_marks(self, count: int, seq: int) -> Batch:
        batch = Batch()
        for _ in range(count):
            self.seqid += 1
            conversation, _, _ = self.pairs[self.seqid % len(self.pairs)]
            rule = MarkRead(conversation & 0xFFFFFFFF, conversation, seq)
            batch.changes.append((0, Change(rule, lambda *_: None)))
        return batch

    async def commit(self, batch: Batch) -> None:
        batch.now_ms = int(time.time() * 1000)
        batch.number(self.msgids)
        done = asyncio.get_running_loop().create_future()
        self.store.commit(batch, lambda error: done.set_exception(error) if error else done.set_result(None))
        await done

    async def measure(self, name: str, batches: list[Batch]) -> None:
        size = len(batches[0].messages) or len(batches[0].changes)
        await self.commit(batches.pop())
        own, database, clock = time.process_time(), database_seconds(self.server.pid), time.perf_counter()
        for batch in batches:
            await self.commit(batch)
        own, database = time.process_time() - own, database_seconds(self.server.pid) - database
        count = size * len(batches)
        per_batch = (time.perf_counter() - clock) / len(batches) * 1000
        print(
            f"{name:>10} × {size:<4} {own / count * 1e6:7.1f} µs here {database / count * 1e6:7.1f} µs in the database"
            f"  {(own + database) / count * 1e6:7.1f} µs together  {per_batch:6.2f} ms a batch"
        )


async def main(messages: int, pairs: int) -> None:
    with closing(PostgresServer(durable=True)) as server:
        database = await open_database(server.dsn())
        nodes = await PostgresNodes.register(database)
        store = await PostgresStore.open(database, nodes)
        bench = Bench(server, store, nodes.number)
        await bench.people(PostgresAccounts(database), pairs)
        await bench.commit(bench.messages(10 * pairs))
        for size in (1, 16, 256, 1600):
            count = max(20, min(messages // size, 2_000))
            await bench.measure("messages", [bench.messages(size) for _ in range(count)])
        for size in (1, 16, 256):
            rounds = 500 if size == 1 else 50
            await bench.measure("read marks", [bench.read_marks(size, 1 + number // 8) for number in range(rounds)])
        await store.stop()
        await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=100)
    options = parser.parse_args()
    uvloop.run(main(options.messages, options.pairs))
