"""Where commands are given: the open conversation, whatever the screen looks like."""

from abc import ABC, abstractmethod
from typing import Final, Protocol

from rockdove.cli.chat.acquaintances import Acquaintances
from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.terminal import printable
from rockdove.client import Client, Content, Group, Message, Peer, Timeline
from rockdove.locale import Texts

HISTORY: Final = 20  # messages shown when a conversation is opened
PATIENCE_SECONDS: Final = 5.0  # with the server, before the user is told that it does not answer
_MENTIONED: Final = 100  # names in one message

Line = list[tuple[str, str]]  # (style, printable text)


class Display(Protocol):
    """Where a command shows its answer."""

    @property
    def columns(self) -> int:
        """How wide it is."""

    async def show(self, lines: list[Line]) -> None:
        """Show these lines."""

    def close(self) -> None:
        """The user wants to leave."""


class Place(ABC):
    """What commands need. `screen` is where they answer."""

    def __init__(self, client: Client, texts: Texts, screen: Display) -> None:
        self.client = client
        self.texts = texts
        self.screen = screen
        self.open: Peer | None = None
        self.timeline = Timeline()
        self.acquaintances = Acquaintances(client)

    @abstractmethod
    async def talk_to(self, peer: Peer) -> None:
        """Open a conversation. Raises Complaint."""

    @abstractmethod
    async def look_back(self, number: int) -> None:
        """Show so many earlier messages of the open conversation. Raises Complaint, Refused."""

    @abstractmethod
    async def say(self, content: Content, reply_to: int = 0) -> None:
        """Send to the open conversation. Raises Complaint."""

    @abstractmethod
    async def change(self, message: Message, content: Content) -> None:
        """Send what changes a message."""

    def peer(self) -> Peer:
        """The open conversation. Raises Complaint when there is none."""
        if self.open is None:
            raise Complaint("open_first")
        return self.open

    def group(self) -> Group:
        """The open group. Raises Complaint when none is open."""
        if not isinstance(self.open, Group):
            raise Complaint("open_group_first")
        return self.open

    async def message(self, number: int) -> Message:
        """The message of that number (seq) in the open conversation, from the server if need be. Raises Complaint, Refused."""
        peer = self.peer()
        found = [message for message in self.timeline if message.seq == number]
        if not found and number > 0:
            found = await self.client.history(peer, after=number - 1, before=number + 1, limit=1)
        if not found or found[0].seq != number:
            raise Complaint("no_such_message", number=number)
        return found[0]

    def last_own(self) -> Message:
        """The user's newest message that still says something. Raises Complaint when there is none."""
        self.peer()
        mine = [each for each in self.timeline if each.sender == self.client.user and not each.removed]
        if not mine:
            raise Complaint("nothing_said")
        return mine[-1]

    def last_of_others(self) -> Message:
        """The newest message of somebody else that still says something. Raises Complaint when there is none."""
        self.peer()
        theirs = [each for each in self.timeline if each.sender not in ("", self.client.user) and not each.removed]
        if not theirs:
            raise Complaint("nothing_heard")
        return theirs[-1]

    def mentioned(self, words: str) -> list[str]:
        """Whom @NAMEs in a message to the open group mean, as far as they are known."""
        if not isinstance(self.open, Group):
            return []
        names = dict.fromkeys(word[1:].rstrip(".,:;!?，。：；！？") for word in words.split() if word.startswith("@"))
        known = [name for name in names if name != "all" and self.acquaintances.knows(name)]
        return ["@all"] * ("all" in names) + known[:_MENTIONED]

    async def note(self, key: str, style: str = "class:old", **values: object) -> None:
        """Show one of the texts, with the values in their places."""
        text = self.texts[key].format(**{name: printable(str(value)) for name, value in values.items()})
        await self.screen.show([[(style, line)] for line in text.split("\n")])
