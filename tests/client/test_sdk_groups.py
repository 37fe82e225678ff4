"""Groups, and messages that change, with the SDK and a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rockdove.client import (
    BlockingClient,
    Client,
    Deleted,
    Group,
    Image,
    Joining,
    JoinRefused,
    JoinRequested,
    Message,
    MessageReceived,
    Notice,
    Policy,
    Posting,
    Recall,
    Reconnecting,
    Refused,
    Role,
    Text,
    Timeline,
    Typing,
)
from rockdove.wire import im_pb2 as pb
from tests.client.conftest import MakeClient
from tests.client.test_sdk import next_of, run
from tests.conftest import StartServer
from tests.process import PASSWORD, ServerProcess


async def said(client: Client, count: int) -> list[str]:
    """What the next messages of a log say; notices by their kind. All of them are acknowledged."""
    messages = [(await next_of(client, MessageReceived)).message for _ in range(count)]
    client.acknowledge(messages[-1])
    return [content.kind if isinstance(content := message.content, Notice) else message.text for message in messages]


async def next_message(client: Client, wanted: Callable[[Message], bool]) -> Message:
    """The next message of that kind."""
    while not wanted(message := (await next_of(client, MessageReceived)).message):
        pass
    return message


async def refusal(work: Awaitable[object]) -> int:
    """The Code with which it is refused."""
    with pytest.raises(Refused) as refused:
        await work
    return refused.value.code


def test_a_group_from_its_founding_to_its_end(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob, client_of("carol") as carol:
            team = await alice.groups.create("Team", ["bob"])
            sent = await alice.send(team, "hello all", mentions=["bob"])
            assert await said(bob, 2) == ["group.created", "hello all"]
            await bob.send(team, "hello alice")
            assert await said(alice, 2) == ["group.created", "hello alice"]
            assert await refusal(carol.send(team, "let me in")) == pb.PERMISSION_DENIED
            assert await refusal(bob.groups.invite(team, ["carol"])) == pb.PERMISSION_DENIED

            await alice.groups.set_role(team, "bob", Role.ADMIN)
            await bob.groups.invite(team, ["carol"])
            assert await said(carol, 1) == ["group.joined"]
            assert [message.text for message in await carol.history(team)] == [""]  # nothing of what was said before
            info = await carol.groups.info(team)
            assert (info.group, info.name, info.owner, info.size, info.member) == (team, "Team", "alice", 3, True)
            members = {member.user: member.role async for member in carol.groups.members(team)}
            assert members == {"alice": Role.OWNER, "bob": Role.ADMIN, "carol": Role.MEMBER}
            assert [each.group async for each in carol.groups.mine()] == [team]

            await bob.groups.update(team, name="The Team", announcement="tea at five")
            assert (await carol.groups.info(team)).announcement == "tea at five"
            await bob.groups.mute(team, "carol", 60)
            assert await refusal(carol.send(team, "hm")) == pb.PERMISSION_DENIED
            await bob.groups.mute(team, "carol", 0)
            await carol.send(team, "thanks")
            readers = await alice.readers(sent)
            assert (readers.count, readers.total, readers.users) == (0, 1, ())
            await bob.read(team, sent.seq)
            assert (await alice.readers(sent)).users == ("bob",)

            await bob.groups.kick(team, ["carol"])
            assert await refusal(carol.send(team, "still here?")) == pb.PERMISSION_DENIED
            assert "thanks" in [message.text for message in await carol.history(team)]
            assert [(each.peer, each.name, each.left) async for each in carol.conversations()] == [(team, "The Team", True)]
            await bob.groups.leave(team)
            assert await refusal(alice.groups.leave(team)) == pb.FAILED_PRECONDITION
            await alice.groups.dissolve(team)
            assert await refusal(alice.send(team, "gone")) in (pb.NOT_FOUND, pb.PERMISSION_DENIED)
            kinds = [each.content.kind for each in await alice.history(team) if isinstance(each.content, Notice)]
            assert kinds == [f"group.{kind}" for kind in (
                "created", "role", "joined", "renamed", "announced", "muted", "unmuted", "kicked", "left", "dissolved"
            )]  # fmt: skip

    run(scenario())


def test_who_asks_to_join_is_let_in_or_refused(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob, client_of("carol") as carol:
            team = await alice.groups.create("Team", policy=Policy(Joining.APPROVAL, history_for_new=True), id="team")
            assert team == Group("team")
            assert await refusal(alice.groups.create("Again", id="team")) == pb.ALREADY_EXISTS
            await alice.send(team, "before anybody came")
            for client in (bob, carol):
                await client.groups.join(team)
                asked = (await next_of(alice, JoinRequested)).request
                assert (asked.group, asked.user) == (team, client.user)
            assert [request.user async for request in alice.groups.requests(team)] == ["bob", "carol"]
            await alice.groups.refuse(team, "carol", reason="not now")
            assert await next_of(carol, JoinRefused) == JoinRefused(team, "not now")
            await alice.groups.accept(team, "bob")
            assert (await bob.groups.info(team)).member
            assert not (await carol.groups.info(team)).member
            assert [message.text for message in await bob.history(team)][1] == "before anybody came"

    run(scenario())


def test_messages_are_changed_for_everyone_and_deleted_for_oneself(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob, client_of("bob", device="tablet") as tablet:
            team = await alice.groups.create("Team", ["bob"])
            first, second = await alice.send(team, "frist"), await alice.send(team, "secret")
            await alice.edit(first, "first")
            await bob.react(first, "👍")
            await alice.recall(second)
            assert await refusal(alice.recall(second)) == pb.FAILED_PRECONDITION  # there is nothing left to take back
            await bob.reply(first, "second")
            timeline = Timeline()
            while True:
                message = (await next_of(bob, MessageReceived)).message
                timeline.add(message)
                if isinstance(message.content, Recall):
                    break
            assert [each.text for each in timeline] == ["", "first", ""]

            looking_back = list(Timeline(await tablet.history(team)))
            assert [(each.text, each.edited, each.removed) for each in looking_back[1:]] == [
                ("first", True, False),
                ("", False, True),
                ("second", False, False),
            ]
            assert looking_back[1].reactions == {"👍": ("bob",)}
            assert looking_back[3].reply_to == first.msgid
            assert await refusal(bob.edit(first, "mine")) == pb.PERMISSION_DENIED
            assert await refusal(bob.recall(first)) == pb.PERMISSION_DENIED

            await bob.delete(first)
            assert await next_of(tablet, Deleted) == Deleted(team, (first.seq,), 0)
            assert (await bob.history(team, after=first.seq - 1, limit=1))[0].removed
            assert not (await alice.history(team, after=first.seq - 1, limit=1))[0].removed
            await bob.clear(team, second.seq)
            assert all(message.removed or message.seq > second.seq for message in await bob.history(team))

    run(scenario())


def test_who_was_away_gets_messages_as_they_are_now(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob"):
            pass
        async with client_of("alice") as alice:
            team = await alice.groups.create("Team", ["bob"])
            wrong, secret = await alice.send(team, "wrong"), await alice.send("bob", "secret")
            await alice.edit(wrong, "right")
            await alice.recall(secret)
        async with client_of("bob") as bob:
            messages = [(await next_of(bob, MessageReceived)).message for _ in range(5)]
            by_peer = {peer: [each for each in messages if each.peer == peer] for peer in (team, "alice")}
            assert [(each.text, each.edited) for each in by_peer[team][1:2]] == [("right", True)]
            assert [each.removed for each in by_peer["alice"]] == [True, False]
            assert all("secret" not in repr(each) and "wrong" not in repr(each) for each in messages)
            (group, talk) = list(Timeline(by_peer[team]))[1], next(iter(Timeline(by_peer["alice"])))
            assert (group.text, talk.removed) == ("right", True)

    run(scenario())


def test_typing_reaches_the_others_of_the_conversation(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            team = await alice.groups.create("Team", ["bob"])
            await alice.presence.typing(team)
            assert await next_of(bob, Typing) == Typing(team, "alice")
            await alice.presence.typing("bob")
            assert await next_of(bob, Typing) == Typing("alice", "alice")

    run(scenario())


def test_a_search_finds_words_in_chinese_and_only_what_one_may_see(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob, client_of("carol") as carol:
            team = await alice.groups.create("茶", ["bob"])
            tea = await alice.send(team, "明天下午我们去喝茶吧")
            await alice.send("bob", "下午好，见面再谈")
            withdrawn = await alice.send(team, "下午也许不行")
            await alice.recall(withdrawn)

            async def found(client: Client, words: str, peer: Group | None = None) -> list[str]:
                return [message.text async for message in client.search(words, peer=peer)]

            assert await found(bob, "下午") == ["下午好，见面再谈", "明天下午我们去喝茶吧"]
            assert await found(bob, "下午", team) == ["明天下午我们去喝茶吧"]
            assert await found(bob, "喝茶 明天") == ["明天下午我们去喝茶吧"]
            assert await found(carol, "下午") == []
            assert [message.msgid async for message in bob.search("茶", sender="alice", kinds=[Text])] == [tea.msgid]
            assert [message async for message in bob.search("茶", kinds=[Image])] == []

    run(scenario())


@pytest.mark.crash
def test_a_group_loses_nothing_when_the_server_is_killed_again_and_again(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, client_of: MakeClient
) -> None:
    async def scenario() -> None:
        port, running = server.port(), server
        async with client_of("alice") as alice, client_of("bob") as bob, client_of("carol") as carol:
            team = await alice.groups.create("Team", ["bob", "carol"])
            written: dict[str, list[str]] = {client.user: [] for client in (alice, bob, carol)}
            postings: list[Posting] = []
            for number in range(60):
                for client in (alice, bob, carol):
                    words = f"{client.user} {number}"
                    written[client.user].append(words)
                    postings.append(client.post(team, words))
                if number % 20 == 10:
                    await asyncio.sleep(0)
                    await postings[len(postings) // 2]
                    running.kill()
                    await next_of(alice, Reconnecting)
                    running = start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}")
                    await asyncio.to_thread(running.port)
            for posting in postings:
                await posting
            log = [message async for message in everything(alice, team)]
            assert [message.seq for message in log] == list(range(1, len(log) + 1))
            for user, words in written.items():
                assert [message.text for message in log if message.sender == user] == words
            for client in (bob, carol):
                others = [message.text for message in log if message.sender != client.user]
                assert await received(client, len(others)) == others

    async def received(client: Client, count: int) -> list[str]:
        return [(await next_of(client, MessageReceived)).message.text for _ in range(count)]

    run(scenario())


async def everything(client: Client, group: Group) -> AsyncIterator[Message]:
    """The whole log."""
    page = await client.history(group, before=2)
    while page:
        for message in page:
            yield message
        page = await client.history(group, after=page[-1].seq, limit=200)


@pytest.mark.crash
def test_a_recall_that_is_written_without_a_connection_is_carried_out_later(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, client_of: MakeClient
) -> None:
    async def scenario() -> None:
        port = server.port()
        async with client_of("alice", outbox=tmp_path / "alice", device=None) as alice, client_of("bob") as bob:
            sent = await alice.send("bob", "oops")
            server.kill()
            await next_of(alice, Reconnecting)
            recalling = alice.post("bob", Recall(sent.msgid))
            following = alice.post("bob", "sorry")
            running = start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}")
            await asyncio.to_thread(running.port)
            assert (await recalling).seq == 2
            assert (await following).seq == 3
            timeline = Timeline(await bob.history("alice"))
            assert [(message.text, message.removed) for message in timeline] == [("", True), ("sorry", False)]

    run(scenario())


def test_groups_without_asyncio(server: ServerProcess) -> None:
    address = f"127.0.0.1:{server.port()}"
    with (
        BlockingClient(address, user="alice", token=PASSWORD) as alice,
        BlockingClient(address, user="bob", token=PASSWORD) as bob,
    ):
        team = alice.groups.create("Team", ["bob"])
        sent = alice.send(team, "hello")
        assert [member.user for member in bob.groups.members(team)] == ["alice", "bob"]
        messages = [event.message.text for event in bob.events(timeout=5) if isinstance(event, MessageReceived)][:2]
        assert messages == ["", "hello"]
        bob.react(sent, "👍")
        assert list(Timeline(alice.history(team)))[1].reactions == {"👍": ("bob",)}
