"""The client for programs without asyncio."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from rockdove.client import (
    BlockingClient,
    BlockingPosting,
    Connected,
    Group,
    LoginRefused,
    MessageReceived,
    OutcomeUnknown,
    Posting,
    Refused,
    Sent,
)
from rockdove.client.blocking import BlockingContacts, BlockingDevices, BlockingGroups, BlockingPresence, BlockingUsers
from rockdove.client.contacts import Contacts
from rockdove.client.devices import Devices
from rockdove.client.groups import Groups
from rockdove.client.presence import Presence
from rockdove.client.users import Users
from rockdove.wire import im_pb2 as pb
from tests.unit.client.fake_server import FakeConnection, FakeServer
from tests.unit.client.peer import push, refused, sent


@contextmanager
def serving(script: Callable[[FakeConnection], Awaitable[None]]) -> Iterator[str]:
    """A server in another thread that follows `script` with the first who connects; gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = FakeServer()

    async def serve() -> None:
        await script(await server.accept())

    def wait(work: Awaitable[object]) -> object:
        async def bounded() -> object:
            async with asyncio.timeout(60):
                return await work

        return asyncio.run_coroutine_threadsafe(bounded(), loop).result()

    try:
        wait(server.__aenter__())
        following = asyncio.run_coroutine_threadsafe(serve(), loop)
        yield server.address
        following.result(60)
    finally:
        wait(server.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_sends_receives_and_leaves() -> None:
    async def script(connection: FakeConnection) -> None:
        await connection.login()
        connection.say(sent((await connection.request()).seqid, 1))
        connection.say(refused((await connection.request()).seqid, pb.NOT_FOUND, "no such user"))
        connection.say(push(2), push(3))
        assert await connection.ack()
        while command := await connection.command():
            last = command
        assert last.HasField("disconnect")

    with serving(script) as address:
        with BlockingClient(address, user="alice", token="secret", device="phone") as client:
            assert client.send("bob", "hello").seq == 1
            posting = client.post("nobody", "hello")
            with pytest.raises(Refused):
                posting.wait()
            assert posting.done()
            events = client.events(timeout=60)
            assert [type(next(events)) for _ in range(3)] == [Connected, MessageReceived, MessageReceived]
            assert list(client.events(timeout=0.01)) == []
            assert client.unsent() == []
            client.flush()
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.send("bob", "too late")


def test_errors_are_those_of_the_asyncio_client() -> None:
    async def script(connection: FakeConnection) -> None:
        await connection.refuse(pb.UNAUTHENTICATED, "wrong password")

    with serving(script) as address, pytest.raises(LoginRefused), BlockingClient(address, user="alice", token="wrong"):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rockdove")]


def test_time_runs_out_here_too() -> None:
    async def script(connection: FakeConnection) -> None:
        await connection.login()
        while await connection.command():
            pass

    with serving(script) as address, BlockingClient(address, user="alice", token="secret") as client:
        with pytest.raises(OutcomeUnknown):
            client.send("bob", "hello", timeout=0.01)
        assert isinstance(client.next_event(timeout=60), Connected)
        with pytest.raises(TimeoutError):
            client.next_event(timeout=0.01)


def test_groups_and_their_lists_without_await() -> None:
    async def script(connection: FakeConnection) -> None:
        await connection.login()
        request = await connection.request(pb.GROUP)
        assert pb.Group.FromString(request.payload).create.id == "team"
        connection.say(pb.Command(response=pb.Response(seqid=request.seqid)))
        for page in (pb.GroupMembers(items=[pb.GroupMember(user="alice")], next="alice"), pb.GroupMembers()):
            request = await connection.request(pb.GROUP)
            connection.say(pb.Command(response=pb.Response(seqid=request.seqid, payload=page.SerializeToString())))
        request = await connection.request()
        assert pb.Message.FromString(request.payload).type == pb.RECALL
        connection.say(sent(request.seqid, 6, "team"))
        while await connection.command():
            pass

    with serving(script) as address, BlockingClient(address, user="alice", token="secret") as client:
        team = client.groups.create("Team", id="team")
        assert team == Group("team")
        assert [member.user for member in client.groups.members(team)] == ["alice"]
        assert client.recall(Sent(team, 77, 5, 0)).seq == 6


def test_a_client_is_entered_once() -> None:
    async def script(connection: FakeConnection) -> None:
        await connection.login()
        while await connection.command():
            pass

    with serving(script) as address:
        client = BlockingClient(address, user="alice", token="secret")
        with client:
            pass
        with pytest.raises(RuntimeError, match="started already"), client:
            pass


@pytest.mark.parametrize(
    ("verbs", "blocking"),
    [
        (Groups, BlockingGroups),
        (Contacts, BlockingContacts),
        (Presence, BlockingPresence),
        (Users, BlockingUsers),
        (Devices, BlockingDevices),
        (Posting, BlockingPosting),
    ],
)
def test_nothing_is_left_out(verbs: type, blocking: type) -> None:
    assert {name for name in vars(verbs) if not name.startswith("_")} == {
        name for name in vars(blocking) if not name.startswith("_")
    }
