"""Runs and chunks of several nodes on one PostgreSQL database, and how messages came into chunks."""

import asyncio

import asyncpg
import pytest

from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, DraftRun, Earlier, Outcome, Rewrite
from rockdove.store.migrations import migrations_of
from rockdove.store.postgres.database import DatabaseError, open_database
from rockdove.store.postgres.log import Log
from rockdove.wire import im_pb2 as pb
from tests.contract.model import each_of
from tests.unit.store.nodes_on_postgres import Network, Node, add_users, draft_of, pair, running


def run_of(sender: int, conversation: int, device: int, first: int, count: int) -> DraftRun:
    drafts = [draft_of(sender, conversation, device, seqid) for seqid in range(first, first + count)]
    return DraftRun(drafts[0], [draft.seqid for draft in drafts], [draft.body for draft in drafts])


def batch_of(*runs: DraftRun, lane: int = 0) -> Batch:
    batch = Batch(lane)
    batch.runs += runs
    return batch


async def devices_of(node: Node, users: list[int]) -> list[int]:
    return [(await node.store.open_device(user, "phone", "", 0)).id for user in users]


async def stored(node: Node, batch: Batch) -> None:
    """Commit what is numbered, as it is."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    node.store._lanes[0].commit(batch, lambda error: done.set_exception(error) if error else done.set_result(None))
    await done


async def rows(node: Node) -> int:
    return int((await node.database.row("SELECT count(*) FROM chunk"))[0])


def test_run_is_few_rows_and_all_that_it_was(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            users = await add_users(node, 2)
            (device, _) = await devices_of(node, users)
            run = run_of(users[0], pair(*users), device, 1, 16)
            await node.commit(batch_of(run))
            assert await rows(node) == 1
            found = await node.store.messages(pair(*users), 0, 0, 100)
            assert [message.record for message in found] == run.records
            assert [pb.Message.FromString(record).msgid for record in run.records] == run.msgids

    asyncio.run(test())


def test_runs_of_nodes_whose_clocks_differ_get_msgids_that_grow(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as nodes:
            users = await add_users(nodes[0], 2)
            devices = await devices_of(nodes[0], users)
            conversation = pair(*users)
            nodes[0].msgids = MsgidSource(nodes[0].nodes.number, nodes[0].store.last_msgid + (1 << 42))  # far ahead
            runs = []
            for turn in range(4):
                for node, user, device in zip(nodes, users, devices, strict=True):
                    runs.append(run_of(user, conversation, device, 1 + 70 * turn, 70))
                    await node.commit(batch_of(runs[-1]))
            found = await nodes[0].store.messages(conversation, 0, 0, 1_000)
            assert [message.seq for message in found] == list(range(1, 561))
            assert [message.msgid for message in found] == sorted({message.msgid for message in found})
            assert [message.record for message in found] == [record for run in runs for record in run.records]
            assert [message.msgid for message in found] == [msgid for run in runs for msgid in run.msgids]
            for message in found[::9]:
                located = await nodes[1].store.located(message.msgid)
                assert located is not None
                assert (located.seq, located.record) == (message.seq, message.record)
            assert (await nodes[1].store.earlier(devices[1], 75)) == Earlier(
                runs[3].msgids[4], runs[3].first_seq + 4, runs[3].digests[4]
            )

    asyncio.run(test())


def test_chunks_of_nodes_whose_msgids_lie_among_each_other_are_told_apart(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as nodes:
            users = await add_users(nodes[0], 3)
            devices = await devices_of(nodes[0], users)
            later = nodes[0].store.last_msgid + (1 << 60)  # so both give msgids of the same ms
            runs = []
            for node, user, device in zip(nodes, users, devices, strict=False):
                node.msgids = MsgidSource(node.nodes.number, later)
                runs.append(run_of(user, pair(user, users[2]), device, 1, 20))
                await node.commit(batch_of(runs[-1]))
            assert runs[0].msgids[0] < runs[1].msgids[0] < runs[0].msgids[1]
            for run in runs:
                for msgid, record in zip(run.msgids, run.records, strict=True):
                    located = await nodes[0].store.located(msgid)
                    assert located is not None
                    assert located.record == record
            for run in runs:
                await nodes[0].change(Rewrite(run.msgids[7], b"\x08\x05"))
            for run in runs:
                found = await nodes[1].store.messages(run.conversation, 0, 0, 100)
                assert [message.record for message in found] == [*run.records[:7], b"\x08\x05", *run.records[8:]]

    asyncio.run(test())


def test_runs_of_several_lanes_that_go_together_keep_msgids_in_order(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            users = await add_users(node, 2)
            devices = await devices_of(node, users)
            batches = []
            for lane, (user, device) in enumerate(zip(users, devices, strict=True)):
                batch = batch_of(run_of(user, pair(*users), device, 1, 9), lane=lane)
                batch.messages.append(draft_of(user, pair(*users), device, 10))
                batch.number(node.msgids)
                batches.append(batch)
            await stored(node, Batch.joined(batches))
            found = await node.store.messages(pair(*users), 0, 0, 100)
            assert [message.msgid for message in found] == sorted(message.msgid for message in found)
            told = [draft for batch in batches for run in batch.runs for draft in each_of(run)]
            told += [draft for batch in batches for draft in batch.messages]
            assert sorted((draft.seq, draft.record) for draft in told) == [(message.seq, message.record) for message in found]

    asyncio.run(test())


def test_what_is_unfolded_of_joined_batches_is_told_to_those_who_sent_it(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            users = await add_users(node, 2)
            devices = await devices_of(node, users)
            await node.commit(batch_of(run_of(users[0], pair(*users), devices[0], 3, 4)))
            batches = [
                batch_of(run_of(user, pair(*users), device, 1, 8), lane=lane)
                for lane, (user, device) in enumerate(zip(users, devices, strict=True))
            ]
            for batch in batches:
                batch.number(node.msgids)
            await stored(node, Batch.joined(batches))
            assert not batches[0].runs
            outcomes = {draft.seqid: draft.outcome for draft in batches[0].messages}
            assert outcomes == {seqid: Outcome.RETRY if 3 <= seqid < 7 else Outcome.STORED for seqid in range(1, 9)}
            (run,) = batches[1].runs
            found = {message.seq: message.record for message in await node.store.messages(pair(*users), 0, 0, 100)}
            assert len(found) == 16
            for draft in [*each_of(run), *(draft for draft in batches[0].messages if draft.outcome is Outcome.STORED)]:
                assert found[draft.seq] == draft.record

    asyncio.run(test())


@pytest.mark.parametrize("lost", ["lose_request", "lose_answer"])
def test_run_whose_fate_is_unknown_is_stored_once(store: str, lost: str) -> None:
    async def test() -> None:
        async with Network.before(store) as network, running(network.dsn) as (node,):
            users = await add_users(node, 2)
            (device, _) = await devices_of(node, users)
            await node.commit(batch_of(run_of(users[0], pair(*users), device, 1, 9)))
            setattr(network, lost, True)
            batch = batch_of(run_of(users[0], pair(*users), device, 10, 99))
            await node.commit(batch)
            told = [draft for run in batch.runs for draft in each_of(run)] or batch.messages
            assert [draft.seq for draft in told] == list(range(10, 109))
            found = await node.store.messages(pair(*users), 9, 0, 1_000)
            assert [message.record for message in found] == [draft.record for draft in told]

    asyncio.run(test())


def test_the_same_request_for_two_conversations_at_once_is_stored_in_one(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            users = await add_users(node, 3)
            (device, *_) = await devices_of(node, users)
            conversation = pair(users[0], users[1])
            await node.send(draft_of(users[0], conversation, device, 1))
            other = await node.database.connect()
            try:
                async with other.transaction():  # as another node would, which has not committed yet
                    await other.execute("SELECT FROM device WHERE id = $1 FOR NO KEY UPDATE", device)
                    await other.execute(
                        "INSERT INTO chunk SELECT conversation, 2, last_msgid + 1024, device, last_seqid + 1, sender, size,"
                        " step, counted, whole, records FROM chunk WHERE conversation = $1",
                        conversation,
                    )
                    draft = draft_of(users[0], pair(users[0], users[2]), device, 2, "something else")
                    sending = asyncio.create_task(node.send(draft))
                    await waiting(other, sending)
                await sending
                assert draft.outcome is Outcome.CONFLICT
            finally:
                other.terminate()

    asyncio.run(test())


async def waiting(connection: asyncpg.Connection, work: "asyncio.Task[None]") -> None:
    """Until a statement waits for a lock, or the work is over."""
    while not work.done():
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            return
        await asyncio.sleep(0.01)


# ---------------------------------------------------------------- a database of before

_BEFORE = """
INSERT INTO conversation VALUES (8589934593, 2, 5, 50, 0, 1);
INSERT INTO device (id, last_seen_ms, account, name, client) VALUES (1, 0, 1, 'phone', '');
INSERT INTO message VALUES (8589934593, 2, 20, 1, -9223372036854775806, 1, true, false, '\\x0102'),
    (8589934593, 3, 30, 1, -9223372036854775805, 1, false, true, '\\x03'),
    (8589934593, 4, 40, 0, -9223372036854775808, 0, false, false, ''),
    (8589934593, 5, 50, 1, -9223372036854775803, 1, true, false, '\\x05');
INSERT INTO request VALUES (1, -9223372036854775807, 10, 1, 4000000001), (1, -9223372036854775806, 20, 2, 4000000002),
    (1, -9223372036854775805, 30, 3, 4000000003), (1, -9223372036854775803, 50, 5, 4000000005);
INSERT INTO request_expiry VALUES (10, 1, -9223372036854775807);
"""


def test_messages_of_a_database_of_before_are_in_chunks(database: str) -> None:
    async def test() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute("CREATE TABLE migration (number integer PRIMARY KEY, checksum text NOT NULL)")
        for migration in migrations_of("rockdove.store.postgres")[:2]:
            await connection.execute(migration.script)
            await connection.execute("INSERT INTO migration VALUES ($1, $2)", migration.number, migration.checksum)
        await connection.execute(_BEFORE)
        await connection.execute("INSERT INTO node VALUES (1, 0, now(), 0, 1, false, '', '', 'ready')")
        with pytest.raises(DatabaseError, match="stop them all first"):
            await open_database(database)
        await connection.execute("UPDATE node SET token = 0")
        await connection.close()
        opened = await open_database(database)
        try:
            log = Log(opened)
            found = await log.messages(8589934593, 0, 0, 100)
            assert [(m.seq, m.msgid, m.sender, m.device) for m in found] == [
                *((2, 20, 1, 1), (3, 30, 1, 1)),
                *((4, 40, 0, 0), (5, 50, 1, 1)),
            ]
            assert found[0].record.startswith(b"\x01\x02")
            assert found[1].record == b"\x03"
            assert await log.earlier(1, 1) == Earlier(10, 1, 4000000001)
            assert await log.earlier(1, 2) == Earlier(20, 2, 4000000002)
            assert await log.earlier(1, 3) == Earlier(30, 3, 4000000003)
            assert await log.earlier(1, 4) is None
            assert await log.earlier(1, 5) == Earlier(50, 5, 4000000005)
            located = await log.located(30)
            assert located is not None
            assert located.seq == 3
        finally:
            await opened.close()

    asyncio.run(test())
