"""One command of the chat: its names, what it takes, what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rockdove.cli.chat.arguments import Argument
from rockdove.cli.chat.place import Place
from rockdove.locale import Texts

Handler = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Command:
    """The first of `names` is shown in the help; its text there has the key "help.NAME"."""

    names: tuple[str, ...]
    arguments: tuple[Argument, ...]
    handler: Handler  # takes the Place, and a value for each argument

    @property
    def name(self) -> str:
        """With its slash."""
        return self.names[0]

    def usage(self, texts: Texts) -> str:
        """How it is written."""
        return " ".join([self.name, *(argument.shown(texts) for argument in self.arguments)])

    def help(self, texts: Texts) -> str:
        """What it does, in a few words."""
        return texts[f"help.{self.name.removeprefix('/')}"]

    async def run(self, desk: Place, values: list[Any]) -> None:
        """Do it. Raises Complaint, and what the client raises."""
        await self.handler(desk, *values)
