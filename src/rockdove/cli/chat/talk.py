"""The chat in a terminal: what the user writes, and what the client tells."""

import asyncio
import math
import time
from collections.abc import Awaitable, Iterable
from typing import Final

from rockdove.cli.chat.arguments import Argument, Kind, parse_arguments
from rockdove.cli.chat.commands import COMMANDS, conversations
from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.completion import CommandCompleter, Offer
from rockdove.cli.chat.desk import Desk
from rockdove.cli.chat.place import PATIENCE_SECONDS, Line
from rockdove.cli.chat.presence import Company
from rockdove.cli.chat.screen import Screen
from rockdove.cli.chat.words import one_line
from rockdove.client import (
    Client,
    Connected,
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    Group,
    JoinRefused,
    JoinRequested,
    MessageReceived,
    MessagesMissing,
    OutcomeUnknown,
    Peer,
    PresenceChanged,
    Read,
    Reconnecting,
    Refused,
    Settled,
    Text,
    Typing,
)
from rockdove.locale import Texts

_RECEIPT_SECONDS: Final = 1.0  # to get the last read receipt out
_OFFERED: Final = 20  # message numbers


class Talk:
    """One run of the chat in a terminal."""

    def __init__(self, client: Client, texts: Texts) -> None:
        self._client = client
        self._texts = texts
        self._retry_at: float | None = None  # there is no connection, and none is tried before that
        self._busy = asyncio.Lock()  # one thing at a time: a command, showing an event
        self._written: asyncio.Queue[str] = asyncio.Queue()
        self._company = Company(client)
        completer = CommandCompleter(COMMANDS, self._offers, lambda command: command.help(texts))
        self._screen = Screen(self._below, self._prompt, self._written.put_nowait, self._typing, completer)
        self._desk = Desk(client, texts, self._screen)

    async def run(self, peer: Peer | None) -> int:
        """Returns the exit code. Raises what ends the client."""
        self._desk.left_behind()
        await self._attempt(self._desk.talk_to(peer) if peer else conversations.list_(self._desk))
        self._company.look_at(self._desk.open)
        reading = asyncio.create_task(self._read())
        obeying = asyncio.create_task(self._obey())
        listening = asyncio.create_task(self._listen())
        learning = asyncio.create_task(self._desk.acquaintances.learn(PATIENCE_SECONDS))
        try:
            done, _ = await asyncio.wait([obeying, listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._screen.close()
            await asyncio.wait([reading])
            await self._desk.settle(everything=True)
            for task in (obeying, listening, learning):
                task.cancel()
            await asyncio.gather(obeying, listening, learning, return_exceptions=True)
            await self._company.close()
            await self._desk.close(_RECEIPT_SECONDS)
        for task in done:
            task.result()
        return 0

    # ---------------------------------------------------------------- what the screen shows

    def _prompt(self) -> str:
        return f"{self._desk.open}> " if self._desk.open else "> "

    def _below(self) -> list[Line]:
        below = self._desk.below()
        if self._desk.open and (words := self._company.words(self._desk.open, self._texts)):
            below.append([("class:old", words)])
        if self._retry_at is not None:
            seconds = math.ceil(self._retry_at - time.monotonic())
            status = self._texts["waiting" if seconds > 0 else "connecting"].format(seconds=seconds)
            if pending := self._desk.pending:
                status += " · " + self._texts["unsent"].format(count=pending)
            below.append([("class:status", status)])
        return below

    def _offers(self, argument: Argument) -> Iterable[Offer]:
        """What can be written for an argument of a command."""
        yield from ((choice, "") for choice in argument.choices)
        known = self._desk.acquaintances
        if argument.kind in (Kind.USER, Kind.USERS, Kind.PEER):
            yield from ((user, "") for user in known.users)
        if argument.kind is Kind.PEER:
            yield from ((str(group), "") for group in known.groups)
        if argument.kind is Kind.GROUP:
            yield from ((group.id, "") for group in known.groups)
        if argument.kind is Kind.MESSAGE:
            for message in list(self._desk.timeline)[: -_OFFERED - 1 : -1]:
                yield str(message.seq), one_line(message.content, self._texts, self._client.user)

    # ---------------------------------------------------------------- what the user writes

    def _typing(self, text: str) -> None:
        if self._desk.open and text.strip() and not text.startswith("/"):
            self._company.tell_typing(self._desk.open)

    async def _read(self) -> None:
        try:
            await self._screen.run()
        finally:
            self._written.put_nowait("/quit")  # behind what was written before

    async def _obey(self) -> None:
        """Returns when the user wants to leave."""
        while (text := await self._written.get()).strip() != "/quit":
            text = text.encode(errors="replace").decode()  # pasted bytes that are no UTF-8 cannot be sent as they are
            async with self._busy:
                if text.startswith("/") and not text.startswith("//"):
                    await self._attempt(self._command(text.strip()))
                elif text.strip():
                    await self._attempt(self._desk.say(Text(text.removeprefix("/"))))
                self._screen.refresh()

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        command = next((each for each in COMMANDS if name in each.names), None)
        if command is None:
            raise Complaint("no_such_command", command=name)
        try:
            values = parse_arguments(command.arguments, rest)
        except ValueError:
            raise Complaint("usage", usage=command.usage(self._texts)) from None
        before = self._desk.open
        async with asyncio.timeout(PATIENCE_SECONDS):
            await command.run(self._desk, values)
        if self._desk.open != before:
            self._company.look_at(self._desk.open)

    async def _attempt(self, work: Awaitable[None]) -> None:
        """Whatever does not work is told in a line, and the chat goes on."""
        try:
            await work
        except Complaint as complaint:
            await self._desk.note(complaint.key, "class:error", **complaint.values)
        except Refused as refusal:
            await self._desk.note("refused", "class:error", reason=refusal.reason)
        except (TimeoutError, OutcomeUnknown):
            await self._desk.note("no_answer", "class:error")

    # ---------------------------------------------------------------- what the client tells

    async def _listen(self) -> None:
        async for event in self._client.events():
            async with self._busy:
                await self._told(event)
                self._screen.refresh()

    async def _told(self, event: Event) -> None:  # noqa: C901, PLR0912  # one case per kind
        match event:
            case MessageReceived(message):
                self._company.wrote(message.peer, message.sender)
                await self._desk.received(message)
            case Delivered(peer, seq):
                await self._desk.delivered(peer, seq)
            case Read(peer, seq, user) if user != self._client.user and not isinstance(peer, Group):
                await self._desk.read(peer, seq)
            case Settled(message, result):
                await self._desk.settled(message, result)
            case Deleted(peer, seqs, through) if peer == self._desk.open:
                self._desk.timeline.delete(seqs, through)
            case Typing(peer, user) if user != self._client.user:
                self._company.types(peer, user)
            case PresenceChanged(status):
                self._company.seen(status)
            case ContactChanged(contact):
                self._desk.acquaintances.add(contact.user)
                key = f"contact_news_{int(contact.state)}"
                if key in self._texts:
                    await self._desk.note(key, "class:news", user=contact.user, greeting=contact.greeting)
            case JoinRequested(request):
                self._desk.acquaintances.add(request.user)
                await self._desk.note("join_requested", "class:news", user=request.user, group=request.group)
            case JoinRefused(group, reason):
                await self._desk.note("join_refused", "class:news", group=group, reason=reason)
            case MessagesMissing(peer, after, before) if peer == self._desk.open:
                await self._desk.note("missing", first=after + 1, last=before - 1)
            case Reconnecting(delay_seconds=delay):
                if self._retry_at is None:
                    await self._desk.note("lost", "class:status", seconds=math.ceil(delay))
                self._retry_at = time.monotonic() + delay
            case Connected(epoch_changed=restored):
                if self._retry_at is not None:
                    self._retry_at = None
                    await self._desk.note("back", "class:status")
                if restored:
                    await self._desk.note("restored", "class:error")
