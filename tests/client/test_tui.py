"""The chat on the whole screen, driven by keys, against a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from rockdove.cli.tui.app import TuiApp
from rockdove.client import Client, Group, Here
from rockdove.locale import load_texts
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
