"""The SDK and the server keep the promise together."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rockdove.client import (
    BlockingClient,
    Client,
    Connected,
    Delivered,
    Disconnected,
    Event,
    Image,
    LoginRefused,
    MessageReceived,
    OutcomeUnknown,
    Read,
    Refused,
)
from rockdove.wire import im_pb2 as pb
from tests.client.conftest import MakeClient
from tests.conftest import StartServer
from tests.process import PASSWORD, ServerProcess, add_users
from tests.protocol.real import make_certificate

DEADLINE_SECONDS = 60

Kind = TypeVar("Kind", bound=Event)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await scenario

    asyncio.run(bounded())


async def next_of(client: Client, kind: type[Kind]) -> Kind:
    """The next event of that kind."""
    while True:
        event = await client.next_event()
        if isinstance(event, kind):
            return event


async def texts(client: Client, count: int) -> list[str]:
    """What the next `count` messages say; all of them are acknowledged."""
    messages = [(await next_of(client, MessageReceived)).message for _ in range(count)]
    client.acknowledge(messages[-1])
    return [message.text for message in messages]


def test_two_people_talk(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            sent = await alice.send("bob", "how are you?")
            received = (await next_of(bob, MessageReceived)).message
            assert (received.sender, received.text, received.seq, received.msgid) == ("alice", "how are you?", 1, sent.msgid)
            answer = await bob.send("alice", "fine 👍", reply_to=received.msgid)
            assert answer.seq == 2
            back = (await next_of(alice, MessageReceived)).message
            assert (back.text, back.reply_to) == ("fine 👍", sent.msgid)

    run(scenario())


def test_receipts_tell_how_far_a_message_has_come(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            await alice.send("bob", "hello")
            message = (await next_of(bob, MessageReceived)).message
            bob.acknowledge(message)
            assert await next_of(alice, Delivered) == Delivered("bob", 1)
            await bob.read("alice", message.seq)
            assert await next_of(alice, Read) == Read("bob", 1, "bob")

    run(scenario())


def test_messages_wait_for_who_is_away_and_come_once(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob"):
            pass
        async with client_of("alice") as alice:
            for number in range(300):
                alice.post("bob", str(number))
            await alice.flush()
        async with client_of("bob") as bob:
            assert await texts(bob, 300) == [str(number) for number in range(300)]
        async with client_of("alice") as alice, client_of("bob") as bob:
            await alice.send("bob", "after them")
            assert await texts(bob, 1) == ["after them"]

    run(scenario())


def test_what_was_not_acknowledged_comes_again(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            for number in range(3):
                await alice.send("bob", str(number))
        async with client_of("bob") as bob:
            messages = [(await next_of(bob, MessageReceived)).message.text for _ in range(3)]
            assert messages == ["0", "1", "2"]  # the last one is not acknowledged: nobody asked for the next event
        async with client_of("bob") as bob:
            assert await texts(bob, 1) == ["2"]

    run(scenario())


def test_the_user_s_other_devices_get_what_this_one_sends(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as phone, client_of("alice", device="laptop") as laptop, client_of("bob") as bob:
            await phone.send("bob", "from the phone")
            await bob.send("alice", "from bob")
            message = (await next_of(laptop, MessageReceived)).message
            assert (message.peer, message.sender, message.text) == ("bob", "alice", "from the phone")
            assert await texts(laptop, 1) == ["from bob"]
            assert await texts(phone, 1) == ["from bob"]

    run(scenario())


def test_the_list_and_the_history(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            for number in range(5):
                await alice.send("bob", str(number))
            await alice.send("carol", Image("https://example.com/cat.png", 640, 480))
            listed = [conversation async for conversation in alice.conversations(page=1)]
            assert [(each.peer, each.last_seq) for each in listed] == [("carol", 1), ("bob", 5)]
            assert listed[0].last is not None
            assert listed[0].last.content == Image("https://example.com/cat.png", 640, 480)
            assert [message.text for message in await alice.history("bob", limit=2)] == ["3", "4"]
            assert [message.text for message in await alice.history("bob", after=1, limit=2)] == ["1", "2"]
            assert [message.text for message in await alice.history("bob", before=3, limit=1)] == ["1"]

    run(scenario())


def test_an_unknown_recipient_is_refused_and_the_next_message_goes_on(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            with pytest.raises(Refused) as refusal:
                await alice.send("nobody", "hello")
            assert refusal.value.code == pb.NOT_FOUND
            assert (await alice.send("bob", "hello")).seq == 1

    run(scenario())


def test_a_transient_message_reaches_who_is_there_and_nobody_else(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            async with client_of("bob") as bob:
                assert (await alice.send_transient("bob", "are you there?")).seq == 0
                message = (await next_of(bob, MessageReceived)).message
                assert (message.text, message.seq) == ("are you there?", 0)
            await alice.send_transient("bob", "and now?")
            await alice.send("bob", "read this later")
            async with client_of("bob") as bob:
                assert await texts(bob, 1) == ["read this later"]

    run(scenario())


def test_a_wrong_password_is_told(client_of: MakeClient) -> None:
    async def scenario() -> None:
        with pytest.raises(LoginRefused) as refusal:
            async with client_of("alice", token="wrong"):
                pass
        assert refusal.value.code == pb.UNAUTHENTICATED

    run(scenario())


def test_the_same_device_elsewhere_ends_this_one_for_good(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as first, client_of("alice") as second:
            with pytest.raises(Disconnected) as end:
                async for _ in first.events():
                    pass
            assert end.value.code == pb.REPLACED
            assert (await second.send("bob", "hello")).seq == 1

    run(scenario())


def test_a_second_device_of_the_same_name_does_not_lose_its_first_messages(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            await alice.send("bob", "one")
            await alice.send("bob", "two")
        async with client_of("alice") as alice:  # it remembers no seqids, and says the same
            assert (await alice.send("bob", "one")).seq == 3

    run(scenario())


def test_tls(tmp_path: Path, start_server: StartServer) -> None:
    certificate = make_certificate(tmp_path)
    add_users(tmp_path / "data", ["alice"])
    files = ["--cert", str(certificate.cert), "--key", str(certificate.key)]
    server = start_server(tmp_path / "data", "--tls", "127.0.0.1:0", *files)
    address = f"127.0.0.1:{server.port('tls')}"

    async def scenario() -> None:
        context = ssl.create_default_context(cafile=str(certificate.cert))
        async with Client(address, user="alice", token=PASSWORD, tls=context) as alice:
            assert (await alice.send("alice", "note to self")).seq == 1
        with pytest.raises(Disconnected, match="certificate is not accepted"):
            async with Client(address, user="alice", token=PASSWORD, tls=True):
                pass

    run(scenario())


def test_without_asyncio(server: ServerProcess) -> None:
    address = f"127.0.0.1:{server.port()}"
    with (
        BlockingClient(address, user="alice", token=PASSWORD) as alice,
        BlockingClient(address, user="bob", token=PASSWORD) as bob,
    ):
        assert alice.send("bob", "hello").seq == 1
        events = bob.events(timeout=DEADLINE_SECONDS)
        assert isinstance(next(events), Connected)
        received = next(events)
        assert isinstance(received, MessageReceived)
        bob.read("alice", received.message.seq)
        assert [(each.peer, each.unread) for each in bob.conversations()] == [("alice", 0)]
        assert [message.text for message in bob.history("alice")] == ["hello"]


# ---------------------------------------------------------------- crashes


@pytest.mark.crash
def test_a_server_killed_in_the_middle_of_a_conversation_loses_doubles_and_reorders_nothing(
    tmp_path: Path, start_server: StartServer
) -> None:
    data = tmp_path / "data"
    add_users(data, ["alice", "bob"])
    server = start_server(data)
    port = server.port()
    count = 400

    async def scenario() -> None:
        nonlocal server
        arguments: dict[str, Any] = {"token": PASSWORD, "device": "phone", "jitter": lambda: 0.1}
        async with (
            Client(f"127.0.0.1:{port}", user="alice", **arguments) as alice,
            Client(f"127.0.0.1:{port}", user="bob", **arguments) as bob,
        ):
            for number in range(count):
                alice.post("bob", f"alice {number}")
                bob.post("alice", f"bob {number}")
            reading = [asyncio.create_task(texts(client, count)) for client in (alice, bob)]
            for remaining in (3 * count // 4, count // 2, count // 4):
                while len(alice.unsent()) > remaining:
                    await asyncio.sleep(0.001)
                server.kill()
                server = start_server(data, "--tcp", f"127.0.0.1:{port}")
                await asyncio.to_thread(server.port)
            assert await reading[0] == [f"bob {number}" for number in range(count)]
            assert await reading[1] == [f"alice {number}" for number in range(count)]
            await alice.flush()
            await bob.flush()
            log = [message async for message in whole_log(alice, "bob")]
            assert [message.seq for message in log] == list(range(1, 2 * count + 1))

    run(scenario())


async def whole_log(client: Client, peer: str):  # type: ignore[no-untyped-def]
    after = 0
    while page := await client.history(peer, after=after or 0, before=0 if after else 51):
        for message in page:
            yield message
        after = page[-1].seq


_SENDER = """
import asyncio, sys
from rockdove import Client

async def main(address, password, outbox, run):
    client = Client(address, user="alice", token=password, outbox=outbox)
    client.start()
    for number in range(50):
        client.post("bob", f"{run}.{number}")
        print(f"{run}.{number}", flush=True)
        await asyncio.sleep(0)
    await client.flush()
    await client.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.crash
def test_a_client_killed_while_sending_loses_and_doubles_nothing_that_was_posted(
    tmp_path: Path, server: ServerProcess, client_of: MakeClient
) -> None:
    arguments = [sys.executable, "-c", _SENDER, f"127.0.0.1:{server.port()}", PASSWORD, str(tmp_path / "outbox")]
    kills = 5
    posted = list[str]()
    for attempt in range(kills + 1):
        with subprocess.Popen([*arguments, str(attempt)], stdout=subprocess.PIPE, text=True) as sender:
            assert sender.stdout is not None
            for line in sender.stdout:
                posted.append(line.strip())
                if attempt < kills and posted[-1] == f"{attempt}.{7 * attempt}":
                    sender.kill()
    assert sender.returncode == 0

    async def scenario() -> None:
        async with client_of("bob") as bob:
            (conversation,) = [each async for each in bob.conversations()]
            received = await texts(bob, conversation.last_seq)
            assert len(set(received)) == len(received)
            assert [text for text in received if text in posted] == posted
            assert len(received) - len(posted) <= kills, "killed after post and before it could tell"

    run(scenario())


def test_a_receiver_that_crashes_before_it_is_done_gets_the_message_again_and_no_other(
    tmp_path: Path, client_of: MakeClient
) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            for number in range(10):
                await alice.send("bob", str(number))
        received = []
        for _ in range(5):
            bob = client_of("bob", outbox=tmp_path / "outbox")
            async with bob:
                first = (await next_of(bob, MessageReceived)).message
                second = (await next_of(bob, MessageReceived)).message
                received.append((first.text, second.text))
        assert received == [("0", "1"), ("1", "2"), ("2", "3"), ("3", "4"), ("4", "5")]

    run(scenario())


def test_a_send_without_a_server_is_told_in_time(server: ServerProcess, client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            server.kill()
            with pytest.raises(OutcomeUnknown):
                await alice.send("bob", "hello", timeout=0.05)
            assert [message.text for message in alice.unsent()] == ["hello"]

    run(scenario())
