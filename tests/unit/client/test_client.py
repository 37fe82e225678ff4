"""The asyncio client over real sockets, with a server that misbehaves on purpose."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rockdove.client import (
    Client,
    Connected,
    Disconnected,
    Group,
    LoginRefused,
    MessageReceived,
    OutboxInUse,
    OutboxUnusable,
    OutcomeUnknown,
    Reconnecting,
    Refused,
    Sent,
    Settled,
)
from rockdove.client.events import Event
from rockdove.wire import im_pb2 as pb
from tests.unit.client.fake_server import FakeConnection, FakeServer
from tests.unit.client.peer import msgid_of, push, refused, sent

DEADLINE_SECONDS = 60


def run(scenario: Callable[[FakeServer], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS), FakeServer() as server:
            await scenario(server)

    asyncio.run(main())


def client_of(server: FakeServer, outbox: Path | None = None, device: str | None = "phone") -> Client:
    """A client that comes back at once."""
    return Client(server.address, user="alice", token="secret", device=device, outbox=outbox, jitter=lambda: 0.0)


async def logged_in(server: FakeServer, client: Client) -> FakeConnection:
    """Start the client, and let it in."""
    client.start()
    connection = await server.accept()
    await connection.login()
    await client.connected()
    return connection


async def next_of(client: Client, kind: type[Event]) -> Event:
    """The next event of that kind."""
    while not isinstance(event := await client.next_event(), kind):
        pass
    return event


# ---------------------------------------------------------------- life


def test_entering_logs_in_and_leaving_says_goodbye() -> None:
    async def scenario(server: FakeServer) -> None:
        entering = asyncio.create_task(client_of(server).__aenter__())
        connection = await server.accept()
        await connection.login()
        client = await entering
        await client.close()
        command = await connection.command()
        assert command
        assert command.disconnect == pb.Disconnect(code=pb.NORMAL)
        assert await connection.command() is None

    run(scenario)


def test_a_refused_login_is_raised_on_entering() -> None:
    async def scenario(server: FakeServer) -> None:
        entering = asyncio.create_task(client_of(server).__aenter__())
        await (await server.accept()).refuse(pb.UNAUTHENTICATED, "wrong password")
        with pytest.raises(LoginRefused) as refusal:
            await entering
        assert (refusal.value.code, refusal.value.reason) == (pb.UNAUTHENTICATED, "wrong password")

    run(scenario)


def test_entering_tries_every_server_before_it_raises() -> None:
    async def scenario(server: FakeServer) -> None:
        async with FakeServer() as gone:
            away = gone.address
        client = Client([away, server.address], user="alice", token="secret", jitter=lambda: 0.0)  # in this order
        connection = await logged_in(server, client)
        await client.close()
        assert await connection.command()

        async with FakeServer() as gone:
            also_away = gone.address
        with pytest.raises(Disconnected, match=f"cannot reach {also_away}"):
            await Client([away, also_away], user="alice", token="secret", jitter=lambda: 0.0).__aenter__()

    run(scenario)


@pytest.mark.parametrize("code", [pb.SERVER_SHUTDOWN, None])
def test_who_loses_a_server_goes_to_the_next(code: pb.DisconnectCode | None) -> None:
    async def scenario(first: FakeServer) -> None:
        async with FakeServer() as second:
            client = Client(f"{first.address},{second.address}", user="alice", token="secret", jitter=lambda: 0.0)
            connection = await logged_in(first, client)
            posting = client.post("bob", "hello")
            seqid = (await connection.request()).seqid
            for server in (second, first):
                if code is None:
                    connection.drop()
                else:
                    connection.disconnect(code, "the server stops")
                connection = await server.accept()
                await connection.login()
                assert (await connection.request()).seqid == seqid
            connection.say(sent(seqid, 1))
            assert (await posting.wait()).seq == 1
            await client.close()

    run(scenario)


def test_a_login_put_off_is_tried_at_the_next_server() -> None:
    async def scenario(first: FakeServer) -> None:
        async with FakeServer() as second:
            client = Client([first.address, second.address], user="alice", token="secret", jitter=lambda: 0.0)
            client.start()
            await (await first.accept()).refuse(pb.UNAVAILABLE, "too many logins at once: try again in 3 s")
            await (await second.accept()).login()
            await client.connected()
            await client.close()

    run(scenario)


def test_a_server_that_is_not_there_is_raised_on_entering() -> None:
    async def main() -> None:
        async with FakeServer() as server:
            client = client_of(server)
        with pytest.raises(Disconnected, match=r"cannot reach 127.0.0.1:\d+: Connection refused"):
            async with client:
                pass

    asyncio.run(main())


def test_closing_ends_the_events_and_everything_that_waits() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        sending = asyncio.create_task(client.send("bob", "hello"))
        asking = asyncio.create_task(client.history("bob"))
        await connection.request()
        await client.close()
        await client.close()
        assert [type(event) async for event in client.events()] == [Connected]
        for task in (sending, asking):
            with pytest.raises(OutcomeUnknown):
                await task
        with pytest.raises(RuntimeError, match="closed"):
            client.post("bob", "too late")

    run(scenario)


def test_a_client_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="use `async with`, or call start"):
        Client(user="alice", token="secret").post("bob", "hello")


def test_a_client_is_started_once() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        await logged_in(server, client)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="started already"):
                client.start()
            await client.close()
        assert server.idle

    run(scenario)


def test_a_program_can_begin_offline() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        client.start()
        posting = client.post("bob", "hello")
        connection = await server.accept()
        await connection.login(last_seqid=4)
        connection.say(sent((await connection.request()).seqid, 1))
        assert (await posting).seq == 1
        await client.close()

    run(scenario)


# ---------------------------------------------------------------- coming back


def test_after_a_cut_the_same_message_is_sent_again_and_answered_once() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        sending = asyncio.create_task(client.send("bob", "hello"))
        first = await connection.request()
        for _ in range(3):
            connection.drop()
            connection = await server.accept()
            await connection.login(last_seqid=first.seqid)
            assert await connection.request() == first
        connection.say(sent(first.seqid, 1))
        assert (await sending).msgid == msgid_of("bob", 1)
        assert client.unsent() == []
        await client.close()

    run(scenario)


def test_the_application_hears_of_each_try_and_of_coming_back() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        connection.disconnect(pb.SERVER_SHUTDOWN, "closing down")
        (await server.accept()).drop()
        await (await server.accept()).login(session="back")
        assert isinstance(await client.next_event(), Connected)
        first, second = await client.next_event(), await client.next_event()
        assert isinstance(first, Reconnecting)
        assert (first.code, first.delay_seconds) == (pb.SERVER_SHUTDOWN, 0.0)
        assert "closing down" in first.reason
        assert isinstance(second, Reconnecting)
        assert second.code is None
        assert await client.next_event() == Connected("back")
        await client.close()

    run(scenario)


def test_it_waits_as_long_as_it_says_before_it_comes_back() -> None:
    async def scenario(server: FakeServer) -> None:
        client = Client(server.address, user="alice", token="secret", jitter=lambda: 0.5)
        connection = await logged_in(server, client)
        loop = asyncio.get_running_loop()
        connection.drop()
        lost = await next_of(client, Reconnecting)
        assert isinstance(lost, Reconnecting)
        began = loop.time()
        assert lost.delay_seconds == 0.25
        await (await server.accept()).login()
        assert loop.time() - began >= 0.2
        await client.close()

    run(scenario)


@pytest.mark.parametrize("code", [pb.REPLACED, pb.KICKED])
def test_who_is_replaced_or_kicked_does_not_come_back(code: pb.DisconnectCode) -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        sending = asyncio.create_task(client.send("bob", "hello"))
        await connection.request()
        connection.disconnect(code, "out")
        with pytest.raises(Disconnected) as end:
            async for _ in client.events():
                pass
        assert (end.value.code, end.value.retry) == (code, False)
        with pytest.raises(OutcomeUnknown) as unknown:
            await sending
        assert unknown.value.__cause__ is end.value
        with pytest.raises(Disconnected):
            client.post("bob", "more")
        assert server.idle
        await client.close()

    run(scenario)


def test_reconnects_use_the_resume_token_and_fall_back_to_the_password_once() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        client.start()
        connection = await server.accept()
        await connection.login(resume_token="cheap", server_time=0, resume_expires_at=10**9)
        await client.connected()
        connection.drop()
        assert (await (await server.accept()).refuse(pb.UNAUTHENTICATED)).token == "cheap"
        assert (await (await server.accept()).refuse(pb.UNAUTHENTICATED)).token == "secret"
        with pytest.raises(LoginRefused):
            async for _ in client.events():
                pass
        assert server.idle
        await client.close()

    run(scenario)


def test_a_half_open_connection_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rockdove.client.heartbeat.PONG_SECONDS", 0.2)

    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        client.start()
        connection = await server.accept()
        await connection.login(heartbeat_seconds=1)
        command = await connection.command()
        assert command
        assert command.HasField("ping")
        await (await server.accept()).login()  # it has given the silent one up
        await client.close()

    run(scenario)


# ---------------------------------------------------------------- sending


def test_running_out_of_time_leaves_the_message_in_the_outbox() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        with pytest.raises(OutcomeUnknown):
            await client.send("bob", "hello", timeout=0.01)
        assert [message.text for message in client.unsent()] == ["hello"]
        with pytest.raises(OutcomeUnknown, match="1 messages"):
            await client.flush(timeout=0.01)
        connection.say(sent((await connection.request()).seqid, 1))
        await client.flush()
        assert client.unsent() == []
        await client.close()

    run(scenario)


def test_the_same_message_can_be_waited_for_again() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        posting = client.post("bob", "hello")
        with pytest.raises(OutcomeUnknown):
            await posting.wait(0.01)
        connection.say(sent((await connection.request()).seqid, 1))
        assert (await posting).seq == (await posting).seq == 1
        await client.close()

    run(scenario)


def test_a_request_that_was_given_up_is_not_repeated() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        asking = asyncio.create_task(client.history("bob"))
        await connection.request(pb.SYNC)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        connection.drop()
        connection = await server.accept()
        await connection.login()
        client.post("bob", "hello")
        command = await connection.command()
        assert command
        assert command.request.type == pb.MESSAGE
        await client.close()

    run(scenario)


def test_flush_waits_for_what_was_posted_just_before() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        client.post("bob", "one")
        client.post("bob", "two")
        flushing = asyncio.create_task(client.flush())
        for seq in (1, 2):
            request = await connection.request()
            assert not flushing.done()
            connection.say(sent(request.seqid, seq))
        await flushing
        assert client.unsent() == []
        await client.close()

    run(scenario)


def test_cancelling_a_send_leaves_the_message_in_the_outbox() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        sending = asyncio.create_task(client.send("bob", "hello"))
        request = await connection.request()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        connection.say(sent(request.seqid, 1))
        await client.flush()
        await client.close()

    run(scenario)


def test_a_refusal_is_raised_and_one_that_nobody_awaits_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        client.post("nobody", "hello")
        posting = client.post("nobody", "hello")
        for _ in range(2):
            connection.say(refused((await connection.request()).seqid, pb.NOT_FOUND, "there is no such user"))
        with pytest.raises(Refused) as refusal:
            await posting
        assert (refusal.value.code, refusal.value.reason) == (pb.NOT_FOUND, "there is no such user")
        assert posting.done()
        await client.close()

    run(scenario)
    gc.collect()
    assert caplog.records == []


def test_an_outbox_file_outlives_the_program(tmp_path: Path) -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server, tmp_path / "outbox", device=None)
        connection = await logged_in(server, client)
        client.post("bob", "one")
        client.post("bob", "two")
        first = await connection.request()
        await client.close()

        client = client_of(server, tmp_path / "outbox", device=None)
        client.start()
        connection = await server.accept()
        await connection.login(last_seqid=first.seqid)
        again = await connection.request()
        assert again == first
        connection.say(sent(again.seqid, 1))
        second = await connection.request()
        connection.say(sent(second.seqid, 2))
        settled = [await next_of(client, Settled) for _ in range(2)]
        assert [event.message.text for event in settled if isinstance(event, Settled)] == ["one", "two"]
        await client.close()

    run(scenario)


def test_an_outbox_file_is_one_device(tmp_path: Path) -> None:
    async def scenario(server: FakeServer) -> None:
        devices = []
        for _ in range(2):
            client = client_of(server, tmp_path / "outbox", device=None)
            client.start()
            connection = await server.accept()
            devices.append((await connection.login()).device)
            with pytest.raises(OutboxInUse):
                client_of(server, tmp_path / "outbox", device=None).start()
            await client.close()
        assert devices[0] == devices[1] != ""

    run(scenario)


def test_recalls_edits_reactions_and_replies_are_messages_about_another_one() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        team = Group("team")

        async def answered(verb: Awaitable[Sent], seq: int) -> pb.Message:
            doing = asyncio.ensure_future(verb)
            request = await connection.request()
            connection.say(sent(request.seqid, seq, "team"))
            assert (await doing).peer == team
            return pb.Message.FromString(request.payload)

        first = Sent(team, 77, 5, 0)
        for seq, (verb, kind, payload) in enumerate(
            [
                (client.recall(first), pb.RECALL, pb.Change(msgid=77)),
                (client.edit(first, "new"), pb.EDIT, pb.Change(msgid=77, payload=pb.MessageTxt(txt="new").SerializeToString())),
                (client.react(first, "👍"), pb.REACTION, pb.Reaction(msgid=77, emoji="👍")),
                (client.unreact(first, "👍"), pb.REACTION, pb.Reaction(msgid=77, emoji="👍", removed=True)),
                (client.reply(first, "yes", mentions=["bob"]), pb.TXT, pb.MessageTxt(txt="yes")),
            ],
            6,
        ):
            message = await answered(verb, seq)
            assert (message.to, message.chat, message.type) == ("team", pb.GROUP_CHAT, kind)
            assert type(payload).FromString(message.payload) == payload
        assert (message.reply_to, list(message.mentions)) == (77, ["bob"])
        await client.close()

    run(scenario)


def test_a_posting_shows_its_message_and_then_where_it_is() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        posting = client.post("bob", "hello")
        assert (posting.message.text, posting.message.sender, posting.message.seq) == ("hello", "alice", 0)
        connection.say(sent((await connection.request()).seqid, 1))
        await posting
        assert (posting.message.text, posting.message.seq, posting.message.msgid) == ("hello", 1, msgid_of("bob", 1))
        await client.close()

    run(scenario)


# ---------------------------------------------------------------- receiving


def test_a_message_is_acknowledged_when_the_next_event_is_asked_for() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        connection.say(push(1), push(2))
        await next_of(client, MessageReceived)
        asking = asyncio.create_task(client.history("bob"))
        await connection.request(pb.SYNC)  # no ack came before it
        second = await client.next_event()
        assert isinstance(second, MessageReceived)
        assert await connection.ack() == msgid_of("bob", 1)
        client.acknowledge(second.message)
        assert await connection.ack() == msgid_of("bob", 2)
        asking.cancel()
        await client.close()

    run(scenario)


def test_without_automatic_acks_only_the_application_acknowledges() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        connection.say(push(1), push(2), push(3))
        events = client.events(acknowledge=False)
        messages = [event.message async for event in take(events, 4) if isinstance(event, MessageReceived)]
        client.acknowledge(messages[1])
        assert await connection.ack() == msgid_of("bob", 2)
        await client.close()
        command = await connection.command()
        assert command
        assert command.HasField("disconnect")

    run(scenario)


async def take(events, number: int):  # type: ignore[no-untyped-def]
    for _ in range(number):
        yield await anext(events)


def test_doubles_and_a_message_out_of_turn_do_not_reach_the_application() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        connection.say(push(1), push(1), push(3), push(2), push(1), push(3), push(4))
        messages = []
        while len(messages) < 4:
            event = await next_of(client, MessageReceived)
            assert isinstance(event, MessageReceived)
            messages.append(event.message.text)
        assert messages == ["bob 1", "bob 2", "bob 3", "bob 4"]
        await client.close()

    run(scenario)


def test_cancelling_the_wait_for_an_event_loses_none() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)
        await next_of(client, Connected)
        events = client.events()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.01)
        with pytest.raises(TimeoutError):
            await client.next_event(timeout=0.01)
        connection.say(push(1))
        event = await anext(events)
        assert isinstance(event, MessageReceived)
        await client.close()

    run(scenario)


# ---------------------------------------------------------------- looking back


def test_conversations_are_fetched_page_by_page() -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server)
        connection = await logged_in(server, client)

        async def answer() -> None:
            for after, peers, following in (("", ["bob", "carol"], "page2"), ("page2", ["dave"], "")):
                request = await connection.request(pb.SYNC)
                assert pb.Sync.FromString(request.payload).conversations.after == after
                items = [pb.Conversation(peer=peer, last_seq=3) for peer in peers]
                payload = pb.Conversations(items=items, next=following).SerializeToString()
                connection.say(pb.Command(response=pb.Response(seqid=request.seqid, payload=payload)))

        answering = asyncio.create_task(answer())
        assert [each.peer async for each in client.conversations(page=2)] == ["bob", "carol", "dave"]
        await answering
        await client.close()

    run(scenario)


def test_a_broken_disk_ends_the_client_with_its_reason(tmp_path: Path) -> None:
    async def scenario(server: FakeServer) -> None:
        client = client_of(server, tmp_path / "outbox")
        connection = await logged_in(server, client)
        client._driver._storage._db.close()
        connection.say(push(1))
        with pytest.raises(OutboxUnusable, match="cannot be used"):
            async for _ in client.events():
                pass
        await client.close()

    run(scenario)
