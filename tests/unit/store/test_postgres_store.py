"""Several nodes write to one PostgreSQL database, and lose it now and then."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import asyncpg
import pytest

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.ports import View
from rockdove.core.records import (
    Batch,
    Change,
    Contact,
    Draft,
    Effect,
    EndMembers,
    Group,
    Member,
    MoveRead,
    NodeState,
    Outcome,
    PutContact,
    PutGroup,
    PutMembers,
    Role,
    Stored,
    Tenant,
)
from rockdove.core.rules.posting import WriteToGroup, WriteToUser
from rockdove.store.postgres import lane
from rockdove.store.postgres.database import CONNECT_SECONDS, POOL, open_database
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.view import PostgresView
from rockdove.wire import im_pb2 as pb
from tests.engines.postgres import PostgresServer
from tests.unit.store.nodes_on_postgres import Network, Node, add_users, draft_of, pair, running

GROUP = 1
STATE = NodeState(0, "a", "1", 0)


async def log(node: Node, conversation: int) -> Sequence[Stored]:
    return await node.store.messages(conversation, 0, 0, 1_000_000)


def test_seqs_have_no_gaps_and_msgids_grow_with_them_whoever_writes(store: str) -> None:
    async def write(node: Node, lane: int, users: list[int], device: int) -> list[Draft]:
        chance = random.Random(device)
        drafts: list[Draft] = []
        for _ in range(12):
            conversations = [pair(*chance.sample(users, 2)) for _ in range(chance.randint(1, 9))]
            some = [draft_of(c >> 32, c, device, len(drafts) + number) for number, c in enumerate(conversations, 1)]
            await node.send(*some, lane=lane)
            drafts += some
        return drafts

    async def test() -> None:
        async with running(store, 2) as nodes:
            users = await add_users(nodes[0], 4)
            devices = [(await nodes[0].store.open_device(users[0], f"{n}", "", 0)).id for n in range(8)]
            writers = [write(node, lane, users, devices.pop()) for node in nodes for lane in range(node.store.lanes)]
            drafts = [draft for some in await asyncio.gather(*writers) for draft in some]
            assert {draft.outcome for draft in drafts} == {Outcome.STORED}
            for conversation in {draft.conversation for draft in drafts}:
                mine = sorted((draft.seq, draft.msgid) for draft in drafts if draft.conversation == conversation)
                assert [seq for seq, _ in mine] == list(range(1, len(mine) + 1))
                assert [msgid for _, msgid in mine] == sorted(msgid for _, msgid in mine)
                assert [(message.seq, message.msgid) for message in await log(nodes[1], conversation)] == mine

    asyncio.run(test())


def test_retry_on_another_node_is_answered_with_the_first_place(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as nodes:
            one, other = await add_users(nodes[0], 2)
            device = (await nodes[0].store.open_device(one, "", "", 0)).id
            for seqid in range(1, 30):
                drafts = [draft_of(one, pair(one, other), device, seqid) for _ in nodes]
                await asyncio.gather(*(node.send(draft) for node, draft in zip(nodes, drafts, strict=True)))
                assert {draft.outcome for draft in drafts} == {Outcome.STORED, Outcome.RETRY}
                assert {(draft.msgid, draft.seq) for draft in drafts} == {(drafts[0].msgid, seqid)}

    asyncio.run(test())


def test_who_is_blocked_on_one_node_is_refused_by_another_one(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as nodes:
            one, other = await add_users(nodes[0], 2)
            device = (await nodes[0].store.open_device(one, "", "", 0)).id

            async def outcome(seqid: int) -> Outcome:
                permit = WriteToUser(Tenant(1, "", ""), one, other, "other")
                draft = draft_of(one, pair(one, other), device, seqid, permit=permit)
                await nodes[1].send(draft)
                return draft.outcome

            for number in range(0, 10, 2):
                await nodes[0].change(PutContact(Contact(other, one, blocked=True, version=number + 1)))
                assert await outcome(number + 1) is Outcome.REFUSED
                await nodes[0].change(PutContact(Contact(other, one, version=number + 2)))
                assert await outcome(number + 1) is Outcome.STORED
                assert await outcome(number + 1) is Outcome.RETRY

    asyncio.run(test())


def test_who_was_put_out_of_a_group_on_one_node_is_refused_by_another_one(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as nodes:
            one, other = await add_users(nodes[0], 2)
            device = (await nodes[0].store.open_device(one, "", "", 0)).id
            group = Group(GROUP, 1, "g", "Name", other, 0, size=2, version=7)
            member = PutMembers.of(Member(GROUP, one, Role.MEMBER, 0, 0))
            await nodes[0].change(PutGroup(group), member)

            async def send(seqid: int) -> Draft:
                draft = draft_of(one, GROUP, device, seqid, permit=WriteToGroup(GROUP, one))
                await nodes[1].send(draft)
                return draft

            for seqid in range(1, 6):
                draft = await send(seqid)
                assert (draft.outcome, draft.seq, draft.group_version) == (Outcome.STORED, seqid, 7)
                await nodes[0].change(EndMembers(GROUP, (one,), seqid))
                assert (await send(seqid + 1)).outcome is Outcome.REFUSED
                assert (await send(seqid)).outcome is Outcome.RETRY
                await nodes[0].change(member)

    asyncio.run(test())


# ---------------------------------------------------------------- the answer is lost (protocol §4 Durable first)


@pytest.mark.parametrize("lost", ["lose_request", "lose_answer"])
@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("seqid", [0, 5])
def test_commit_whose_fate_is_unknown_is_done_once(store: str, lost: str, changes: bool, seqid: int) -> None:
    async def test() -> None:
        async with Network.before(store) as network, running(network.dsn) as (node,):
            one, other = await add_users(node, 2)
            device = (await node.store.open_device(one, "", "", 0)).id
            conversation = pair(one, other)
            await node.send(draft_of(one, conversation, device, 1))
            for number in range(5):
                draft = draft_of(one, conversation, device, seqid and seqid + number)
                setattr(network, lost, True)
                if changes:
                    await node.change_with(draft, MoveRead(other, conversation, number))
                else:
                    await node.send(draft)
                assert not getattr(network, lost)
                assert (draft.outcome, draft.seq) == (Outcome.STORED, number + 2)
            messages = await log(node, conversation)
            assert [message.seq for message in messages] == list(range(1, 7))
            assert messages[-1] == (6, draft.msgid, one, device, draft.record)

    asyncio.run(test())


@pytest.mark.parametrize("lost", ["lose_request", "lose_answer"])
@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("trouble", ["answer lost again", "buried", "buried and back"])
def test_fate_of_a_commit_is_told_rightly_whatever_happens_to_the_lane_meanwhile(
    store: str, monkeypatch: pytest.MonkeyPatch, lost: str, changes: bool, trouble: str
) -> None:
    execute = asyncpg.Connection.execute

    async def test() -> None:
        async with Network.before(store) as network, running(network.dsn, 2) as (node, other_node):
            one, other = await add_users(node, 2)
            device = (await node.store.open_device(one, "", "", 0)).id
            conversation = pair(one, other)
            await node.send(draft_of(one, conversation, device, 1))
            lane = node.store._lanes[0]
            connect = lane._connect

            async def connect_in_trouble() -> int:
                monkeypatch.setattr(lane, "_connect", connect)
                if trouble == "answer lost again":
                    await connect()
                    raise StoreUnavailable
                await other_node.database.fetch(
                    "UPDATE node SET seen = now() - interval '16 seconds' WHERE number = $1", node.nodes.number
                )
                await other_node.nodes.beat(STATE)
                if trouble == "buried and back":
                    await node.nodes.beat(STATE)
                return await connect()

            async def execute_and_lose(connection: asyncpg.Connection, statement: str, *arguments: Any) -> str:
                if statement == "COMMIT":
                    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
                    setattr(network, lost, True)
                return str(await execute(connection, statement, *arguments))

            monkeypatch.setattr(lane, "_connect", connect_in_trouble)
            draft = draft_of(one, conversation, device, 2)
            if changes:
                monkeypatch.setattr(asyncpg.Connection, "execute", execute_and_lose)
                sending = node.change_with(draft, MoveRead(other, conversation, 1))
            else:
                setattr(network, lost, True)
                sending = node.send(draft)
            if trouble == "buried" and lost == "lose_request":
                with pytest.raises(StoreUnavailable):
                    await sending
                assert [message.seq for message in await log(other_node, conversation)] == [1]
            else:
                await sending
                assert (draft.outcome, draft.seq) == (Outcome.STORED, 2)
                assert [message.msgid for message in await log(other_node, conversation)][1:] == [draft.msgid]

    asyncio.run(test())


def test_what_was_sent_before_the_answer_was_lost_and_comes_late_is_refused(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, other = await add_users(node, 2)
            await node.send(draft_of(one, pair(one, other), 0, 0))
            lane = node.store._lanes[0]
            late = lane._batch + 1  # the number of a batch that is under way
            await lane._connect()
            number = "SELECT alive FROM store_batch($1, 0::smallint, $2, $3, '{}', '{}', '{}', '{}', 0" + ", '{}'" * 16 + ")"
            assert lane._connection is not None
            for batch, expected in ((late, False), (late + 1, True)):
                arguments = node.nodes.number, node.nodes.token, batch
                assert await lane._connection.fetchval(number, *arguments) is expected

    asyncio.run(test())


def test_database_that_is_killed_and_comes_back_has_all_that_was_acknowledged(
    start_postgres: Callable[..., PostgresServer],
) -> None:
    server = start_postgres(durable=True)

    async def test() -> None:
        async with running(server.dsn()) as (node,):
            one, other = await add_users(node, 2)
            device = (await node.store.open_device(one, "", "", 0)).id
            drafts: list[Draft] = []

            async def send(until: int) -> None:
                while len(drafts) < until:
                    draft = draft_of(one, pair(one, other), device, len(drafts) + 1)
                    with suppress(StoreUnavailable):  # where it takes long to come back
                        await node.send(draft)
                        drafts.append(draft)

            for number in range(1, 4):
                sending = asyncio.ensure_future(send(20 * number))
                await asyncio.sleep(0.05)
                server.kill()
                await asyncio.to_thread(server.start)
                await sending
            places = [(message.seq, message.msgid) for message in await log(node, pair(one, other))]
            assert places == [(draft.seq, draft.msgid) for draft in drafts]
            assert [seq for seq, _ in places] == list(range(1, 61))

    asyncio.run(test())


def test_another_database_at_the_same_address_is_not_written_to(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, other = await add_users(node, 2)
            await node.send(draft_of(one, pair(one, other), 0, 0))
            await node.database.fetch("UPDATE setting SET value = 'another!' WHERE name = 'epoch'")
            await node.database.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            with pytest.raises(StoreFailed):
                await node.send(draft_of(one, pair(one, other), 0, 0))

    asyncio.run(test())


# ---------------------------------------------------------------- what the database takes offence at


class Offence:
    """A permit, and the rule of a change, whose question the database answers with an error."""

    conversation = 0

    def __init__(self, statement: str) -> None:
        self._statement = statement

    async def check(self, view: View, now_ms: int) -> None:
        assert isinstance(view, PostgresView)
        await view._rows.fetch(self._statement)

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        await self.check(view, now_ms)
        return []


@pytest.mark.parametrize("as_change", [False, True])
@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT chr(0)"])
def test_what_the_database_takes_offence_at_is_refused_alone(store: str, statement: str, as_change: bool) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, other = await add_users(node, 2)
            device = (await node.store.open_device(one, "", "", 0)).id
            conversation = pair(one, other)
            drafts = [draft_of(one, conversation, device, seqid) for seqid in range(1, 6)]
            batch = Batch()
            batch.cursors[device, conversation] = 1
            if as_change:
                offence = Change(Offence(statement), lambda *_: None, draft=drafts[2])
                batch.messages += drafts[:2] + drafts[3:]
                batch.changes.append((2, offence))
            else:
                drafts[2].permit = Offence(statement)
                batch.messages += drafts
            await node.commit(batch)
            refused = drafts.pop(2)
            assert refused.outcome is Outcome.REFUSED
            assert refused.refusal is not None
            assert refused.refusal.code == pb.INTERNAL
            assert isinstance(refused.refusal.__cause__, Exception)
            assert [(draft.outcome, draft.seq) for draft in drafts] == [(Outcome.STORED, seq) for seq in range(1, 5)]
            assert [message.msgid for message in await log(node, conversation)] == [draft.msgid for draft in drafts]
            assert (await node.store.position(one, device, conversation)).cursor == 1

    asyncio.run(test())


def test_text_that_the_database_cannot_hold_is_refused_alone(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, other = await add_users(node, 2)
            with pytest.raises(AssertionError):  # refused
                await node.change(PutContact(Contact(other, one, remark="a\0b", version=1)))
            await node.change(PutContact(Contact(other, one, remark="ab", version=1)))

    asyncio.run(test())


def test_damaged_index_is_the_end(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, other = await add_users(node, 2)
            await node.database.fetch(
                "CREATE FUNCTION damaged() RETURNS int LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'damaged' USING ERRCODE = 'index_corrupted'; END $$"
            )
            with pytest.raises(StoreFailed):
                await node.send(draft_of(one, pair(one, other), 0, 0, permit=Offence("SELECT damaged()")))

    asyncio.run(test())


# ---------------------------------------------------------------- nodes


def test_nodes_have_numbers_of_their_own_and_one_leads(store: str) -> None:
    async def test() -> None:
        database = await open_database(store)
        nodes = await asyncio.gather(*(PostgresNodes.register(database) for _ in range(5)))
        assert sorted(node.number for node in nodes) == [1, 2, 3, 4, 5]
        for node in nodes:
            assert [state.number for state in await node.beat(STATE)] == [1, 2, 3, 4, 5]
        first = next(node for node in nodes if node.leads)
        assert sum(node.leads for node in nodes) == 1
        await first.leave()
        others = [node for node in nodes if node is not first]
        for node in others:
            assert len(await node.beat(STATE)) == 4
        assert [node.leads for node in others].count(True) == 1
        assert (await PostgresNodes.register(database)).number == 6  # a number rests as long as it can
        await database.close()

    asyncio.run(test())


def test_node_that_was_declared_dead_writes_nothing_until_it_is_back(store: str) -> None:
    async def test() -> None:
        async with running(store, 2) as (node, other_node):
            one, other = await add_users(node, 2)
            conversation = pair(one, other)
            await node.send(draft_of(one, conversation, 0, 0))
            await node.database.fetch(
                "UPDATE node SET seen = now() - interval '16 seconds' WHERE number = $1", node.nodes.number
            )
            assert [state.number for state in await other_node.nodes.beat(STATE)] == [other_node.nodes.number]
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await node.send(draft_of(one, conversation, 0, 0))
            number = node.nodes.number
            assert len(await node.nodes.beat(STATE)) == 2
            assert node.nodes.number == number
            await node.send(draft_of(one, conversation, 0, 0))
            assert [message.seq for message in await log(node, conversation)] == [1, 2]

    asyncio.run(test())


def test_login_says_where_the_device_was_before(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            (one,) = await add_users(node, 1)
            logins = [await node.store.open_device(one, "phone", "", 0, holder) for holder in (3, 5, 0, 3)]
            assert [(device.login, device.holder) for device in logins] == [(1, 0), (2, 3), (2, 5), (3, 5)]
            device = await node.store.device(one, "phone")
            assert device is not None
            assert (device.login, device.holder) == (3, 3)

    asyncio.run(test())


def test_a_long_batch_is_stored_in_portions(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            one, two = await add_users(node, 2)
            device = (await node.store.open_device(one, "", "", 0)).id
            drafts = [draft_of(one, pair(one, two), device, seqid) for seqid in range(1, 8)]
            monkeypatch.setattr(lane, "LONG_BYTES", 2 * len(drafts[0].body))
            await node.send(*drafts)
            assert [draft.seq for draft in drafts] == [1, 2, 3, 4, 5, 6, 7]
            assert node.store._lanes[0]._batch >= 4
            stored = await log(node, pair(one, two))
            assert [message.msgid for message in stored] == [draft.msgid for draft in drafts]

    asyncio.run(test())


def test_login_is_given_back_unless_another_one_came_since(store: str) -> None:
    async def test() -> None:
        async with running(store) as (node,):
            (one,) = await add_users(node, 1)
            for holder in (3, 5):
                await node.store.open_device(one, "phone", "", 0, holder)
            for taken, left in (((2, 4), (2, 5)), ((1, 5), (2, 5)), ((2, 5), (1, 3))):
                await node.store.give_back(one, "phone", taken, (1, 3))
                device = await node.store.device(one, "phone")
                assert device is not None
                assert (device.login, device.holder) == left

    asyncio.run(test())


def test_node_whose_connections_are_all_in_use_is_not_taken_for_dead(store: str) -> None:
    async def beat() -> None:
        database = await open_database(store)
        nodes = await PostgresNodes.register(database)
        async with AsyncExitStack() as readers:
            for _ in range(POOL):
                await readers.enter_async_context(database.transaction())
            living = await nodes.beat(STATE)
            assert [state.number for state in living] == [nodes.number]
        await database.close()

    asyncio.run(beat())


def test_slow_reads_keep_no_commit_waiting(store: str) -> None:
    async def read_slowly() -> None:
        async with running(store) as (node,):
            alice, bob = await add_users(node, 2)
            device = (await node.store.open_device(alice, "phone", "", 0)).id
            permit = WriteToUser(Tenant(1, "", ""), alice, bob, "bob")
            readers = [asyncio.create_task(node.database.fetch("SELECT pg_sleep(60)")) for _ in range(POOL * 2)]
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await node.send(draft_of(alice, pair(alice, bob), device, 1, permit=permit))
            finally:
                for reader in readers:
                    reader.cancel()
                await asyncio.gather(*readers, return_exceptions=True)

    asyncio.run(read_slowly())
