"""The chat on the whole screen, driven by keys, against a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from rockdove.cli.tui.app import TuiApp
from rockdove.client import Client, File, Group, Here, Read, Typing
from rockdove.locale import load_texts
from tests.client.chat import Terminal
from tests.client.conftest import MakeClient
from tests.conftest import StartServer
from tests.process import ServerProcess

DEADLINE_SECONDS = 60


class Person:
    """Somebody at the keys of the application."""

    def __init__(self, client: Client, app: TuiApp, pilot: Pilot[None]) -> None:
        self.client = client
        self.app = app
        self.pilot = pilot

    def shown(self, part: str) -> str:
        """The words in one part of the screen."""
        widget = self.app.query_one(f"#{part}")
        if isinstance(widget, OptionList):
            return "\n".join(plain(option.prompt) for option in widget.options)
        if isinstance(widget, Static):
            return plain(widget.content)
        if part == "answers":
            return plain(widget.query_one(Static).content) if widget.display else ""
        raise AssertionError(part)

    async def see(self, part: str, wanted: Callable[[str], bool] | str) -> str:
        """Wait until that part shows it."""
        check = wanted if callable(wanted) else lambda text: wanted in text
        try:
            async with asyncio.timeout(DEADLINE_SECONDS / 3):
                while not check(self.shown(part)):
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"{self.client.user} sees in {part}:\n{self.shown(part)}") from None
        return self.shown(part)

    async def write(self, text: str) -> None:
        """Put a line in, and press Enter."""
        self.app.query_one(Input).value = text
        await self.pilot.press("enter")

    @property
    def line(self) -> str:
        """What is written and not sent."""
        return self.app.query_one(Input).value


def plain(visual: Any) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(visual)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


@asynccontextmanager
async def person(client: Client, *, language: str = "en", size: tuple[int, int] = (120, 32)) -> AsyncIterator[Person]:
    async with client:
        app = TuiApp(client, load_texts(language))
        async with app.run_test(size=size) as pilot:
            yield Person(client, app, pilot)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await scenario

    asyncio.run(bounded())


def test_two_people_talk_and_see_what_is_read(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with person(client_of("alice")) as alice, person(client_of("bob")) as bob:
            await alice.write("/open bob")
            await alice.see("messages", lambda text: alice.app.query_one("#messages").border_title == "bob")
            await alice.write("hello bob")
            await alice.write("how are you?")
            await alice.see("messages", lambda text: text.count("✓") == 2)
            await bob.see("conversations", lambda text: "2 " in text and "how are you?" in text)
            await bob.pilot.press("ctrl+n")
            seen = await bob.see("messages", "how are you?")
            assert seen.index("hello bob") < seen.index("how are you?")
            await bob.see("conversations", lambda text: "2 " not in text)
            await alice.see("messages", lambda text: text.count("✓✓") == 2)
            await bob.write("fine [b]really[/b] 👍")
            await alice.see("messages", "bob  fine [b]really[/b] 👍")

    run(scenario())


def test_a_group_with_its_notices_members_and_changes(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            await alice.write("/group new Lunch bob carol")
            await alice.see("messages", "you founded the group with bob, carol")
            await alice.see("conversations", "# Lunch")
            await alice.pilot.press("ctrl+g")
            members = await alice.see("members", lambda text: "bob" in text and "carol" in text)
            assert members.splitlines()[0].endswith("you  owner"), "the highest role comes first"
            group = alice.app.query_one("#conversations", OptionList).options[0].id
            assert group is not None
            lunch = Group(group.removeprefix("#"))
            first = await bob.send(lunch, "at noom")
            await bob.edit(first, "at noon")
            await alice.see("messages", "at noon  (edited)")
            await bob.send(lunch, File("https://example.com/menu.pdf", "menu.pdf"))
            await alice.see("messages", "menu.pdf https://example.com/menu.pdf")
            second = await bob.reply(first, "a mistake")
            await alice.see("messages", f"↪ {first.seq} bob: at noon")
            await bob.recall(second)
            await alice.see("messages", lambda text: "a mistake" not in text and "[removed]" in text)
            await alice.write(f"/react {first.seq} 👍")
            await alice.see("messages", "at noon  👍")

    run(scenario())


def test_keys_begin_commands_about_the_chosen_message(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            for text in ("one", "two", "three"):
                await bob.send("alice", text)
            await alice.write("/open bob")
            await alice.see("messages", "three")
            await alice.pilot.press("up", "up", "ctrl+r")
            assert alice.line == "/reply 2 "
            await alice.write(f"{alice.line}yes")
            await alice.see("messages", lambda text: "↪ 2 bob: two" in text and "yes  ·" in text)
            await alice.pilot.press("f2")
            assert alice.line == "/edit 4 yes"
            await alice.write("/edit 4 no")
            await alice.see("messages", "no  (edited)")
            await alice.pilot.press("up", "ctrl+y")
            assert alice.line == "/recall 4 "
            await alice.pilot.press("enter")
            await alice.see("messages", lambda text: "no  (edited)" not in text and "[removed]" in text)
            assert [message.removed for message in await bob.history("alice") if message.seq == 4] == [True]
            await alice.pilot.press("ctrl+f", *"three", "enter")
            await alice.see("answers", "bob: three")
            await alice.pilot.press("escape")
            assert not alice.shown("answers")

    run(scenario())


def test_earlier_messages_come_when_scrolling_up(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            for number in range(120):
                bob.post("alice", f"message {number};")
            await bob.flush()
            await alice.see("conversations", "119;")
            await alice.write("/open bob")
            await alice.see("messages", "message 119;")
            assert "message 69;" not in alice.shown("messages")
            for wanted in ("message 20;", "message 0;"):
                async with asyncio.timeout(DEADLINE_SECONDS / 3):
                    while wanted not in alice.shown("messages"):
                        await alice.pilot.press("pageup")
            assert [f"message {number};" for number in range(120)] == [
                line.partition("bob  ")[2] for line in alice.shown("messages").splitlines() if "bob  " in line
            ]

    run(scenario())


def test_presence_and_typing_are_seen(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            await bob.contacts.add("alice")
            await alice.see("answers", "bob")
            await alice.write("/accept bob")
            await bob.send("alice", "hi")
            await alice.see("conversations", "● bob")
            await alice.write("/open bob")
            await alice.see("messages", "hi")
            await bob.presence.typing("alice")
            await alice.see("status", "bob is writing")
            await bob.presence.set(Here.AWAY)
            await alice.see("conversations", "◐ bob")
            await alice.pilot.press("h")
            while not isinstance(await bob.next_event(), Typing):
                pass

    run(scenario())


def test_what_is_written_while_the_server_is_dead_arrives_once(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, client_of: MakeClient
) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            await alice.write("/open bob")
            await alice.write("before")
            await alice.see("messages", lambda text: "before" in text and "not sent yet" not in text)
            port = server.port()
            server.kill()
            await alice.see("status", "no connection")
            await alice.write("in between")
            await alice.see("messages", "in between  … not sent yet")
            await alice.see("status", "1 waiting")
            again = start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}")
            await asyncio.to_thread(again.port)
            await alice.see("status", "connected")
            await alice.see("messages", lambda text: "not sent yet" not in text and text.count("in between") == 1)
            assert [message.text for message in await bob.history("alice")] == ["before", "in between"]

    run(scenario())


def test_two_devices_of_one_user_show_the_same(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob:
            await bob.send("alice", "hello")
            phone, laptop = client_of("alice"), client_of("alice", device="laptop")
            async with person(phone) as one, person(laptop, language="zh", size=(60, 20)) as other:
                await one.see("conversations", " 1 ")
                await other.see("conversations", " 1 ")
                await one.write("/open bob")
                await other.see("conversations", lambda text: "bob" in text and " 1 " not in text)
                await other.write("/open bob")
                await one.write("from the phone")
                await other.see("messages", "我  from the phone")
                await other.pilot.resize_terminal(110, 30)
                await other.see("messages", "我  from the phone")
                assert "已连接" in other.shown("status")

    run(scenario())


def test_what_comes_while_the_user_looks_away_is_not_read(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("bob") as bob, person(client_of("alice")) as alice:
            await bob.send("alice", "first")
            await alice.write("/open bob")
            await alice.see("messages", "first")
            alice.app.post_message(AppBlur())
            await alice.pilot.pause()
            await bob.send("alice", "second")
            await alice.see("conversations", " 1 ")
            alice.app.post_message(AppFocus())
            await alice.see("conversations", lambda text: " 1 " not in text)
            while not (isinstance(event := await bob.next_event(), Read) and event.seq == 2):
                pass

    run(scenario())


def test_mistakes_are_told_in_a_line(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with person(client_of("alice")) as alice:
            for written, told in (
                ("/open nobody", "there is no user 'nobody'"),
                ("/nonsense", "there is no command /nonsense"),
                ("hello", "/open NAME"),
                ("/help", "/recall"),
            ):
                await alice.write(written)
                await alice.see("answers", told)

    run(scenario())


def test_the_command_runs_in_a_terminal_and_tells_why_it_ends(
    chat_environment: Mapping[str, str], client_of: MakeClient
) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment, command="tui") as terminal:
        terminal.expect("message to bob")
        terminal.press("hello\r")
        terminal.expect("hello")
        terminal.press("\x11")  # Ctrl+Q
        assert terminal.wait() == 0
    with Terminal("--user", "alice", "--device", "desk", environment=chat_environment, command="tui") as terminal:
        terminal.expect("connected")

        async def kick() -> None:
            async with client_of("alice") as alice:
                assert [message.text for message in await alice.history("bob")] == ["hello"]
                await alice.devices.kick("desk")

        asyncio.run(kick())
        terminal.expect("rockdove: ")
        assert terminal.wait() == 1


def test_a_wrong_password_is_told_in_a_line(chat_environment: Mapping[str, str]) -> None:
    environment = {**chat_environment, "ROCKDOVE_PASSWORD": "wrong"}
    with Terminal("--user", "alice", environment=environment, command="tui") as terminal:
        terminal.expect("rockdove: ")
        assert terminal.wait() == 1
        assert "Traceback" not in terminal.shown
