"""The chat in a terminal: what the user writes, and what the client tells."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Coroutine
from datetime import date
from typing import Any, Final

from rockdove.cli.chat.lines import conversation_lines, day_line, message_line, own_line
from rockdove.cli.chat.own import OwnLine, OwnLines
from rockdove.cli.chat.peer import parse_peer
from rockdove.cli.chat.receipts import ReadReceipts
from rockdove.cli.chat.screen import Line, Screen
from rockdove.cli.chat.words import local_time, one_line
from rockdove.cli.terminal import printable, shorten
from rockdove.client import (
    Client,
    Connected,
    Conversation,
    Delivered,
    Event,
    Message,
    MessageReceived,
    MessagesMissing,
    OutcomeUnknown,
    Peer,
    Read,
    Reconnecting,
    Refused,
    Sent,
    Settled,
)
from rockdove.locale import Texts
from rockdove.wire.limits import PAGE_MAX

_HISTORY: Final = 20  # messages shown when a conversation is opened
_LISTED: Final = 50  # conversations
_RECEIPT_SECONDS: Final = 1.0  # to get the last read receipt out
_PATIENCE_SECONDS: Final = 5.0  # with the server, before the user is told that it does not answer


class Talk:
    """One run of the chat in a terminal."""

    def __init__(self, client: Client, texts: Texts) -> None:
        self._client = client
        self._texts = texts
        self._open: Peer | None = None
        self._own: defaultdict[Peer, OwnLines] = defaultdict(OwnLines)
        self._shown: defaultdict[Peer, int] = defaultdict(int)  # highest seq that was on the screen
        self._looked_back: defaultdict[Peer, int] = defaultdict(int)  # highest seq that was printed from the log
        self._day: date | None = None  # of the message printed last
        self._retry_at: float | None = None  # there is no connection, and none is tried before that
        self._busy = asyncio.Lock()  # one thing at a time: opening a conversation, showing an event
        self._written: asyncio.Queue[str] = asyncio.Queue()
        self._receipts = ReadReceipts(client)
        self._watching: set[asyncio.Task[None]] = set()
        self._screen = Screen(self._below, self._prompt, self._written.put_nowait)

    async def run(self, peer: Peer | None) -> int:
        """Returns the exit code. Raises what ends the client."""
        for message in self._client.unsent():  # of an earlier run
            self._own[message.peer].add(OwnLine(one_line(message.content, self._texts), _now_ms()))
        if peer:
            await self._talk_to(peer)
        else:
            await self._list()
        reading = asyncio.create_task(self._read())
        obeying = asyncio.create_task(self._obey())
        listening = asyncio.create_task(self._listen())
        try:
            done, _ = await asyncio.wait([obeying, listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._screen.close()
            await asyncio.wait([reading])
            await self._screen.show(self._settle(everything=True))
            for task in (obeying, listening, *self._watching):
                task.cancel()
            await asyncio.gather(obeying, listening, *self._watching, return_exceptions=True)
            await self._receipts.close(_RECEIPT_SECONDS)
        for task in done:
            task.result()
        return 0

    # ---------------------------------------------------------------- what the screen shows

    def _prompt(self) -> str:
        return f"{self._open}> " if self._open else "> "

    def _below(self) -> list[Line]:
        below: list[Line] = []
        if self._open:
            own = self._own[self._open]
            for line in own.visible():
                below += own_line(line, own.mark(line.seq), self._texts, self._screen.columns)
        if self._retry_at is not None:
            seconds = math.ceil(self._retry_at - time.monotonic())
            status = self._texts["waiting" if seconds > 0 else "connecting"].format(seconds=seconds)
            if pending := sum(own.pending for own in self._own.values()):
                status += " · " + self._texts["unsent"].format(count=pending)
            below.append([("class:status", status)])
        return below

    def _settle(self, *, everything: bool = False) -> list[Line]:
        """The own messages that get their lasting place now."""
        lines: list[Line] = []
        if self._open:
            own = self._own[self._open]
            for line in own.settle(everything=everything):
                lines += self._new_day(line.timestamp_ms) + own_line(line, own.mark(line.seq), self._texts)
        return lines

    def _new_day(self, timestamp_ms: int) -> list[Line]:
        day = local_time(timestamp_ms).date()
        if day == self._day:
            return []
        self._day = day
        return [day_line(day)]

    async def _note(self, key: str, style: str = "class:old", **values: object) -> None:
        text = self._texts[key].format(**{name: printable(str(value)) for name, value in values.items()})
        await self._screen.show([[(style, line)] for line in text.split("\n")])

    def _message(self, message: Message, *, old: bool) -> list[Line]:
        self._shown[message.peer] = max(self._shown[message.peer], message.seq)
        mine = message.sender == self._client.user
        mark = self._own[message.peer].mark(message.seq) if mine else None
        return self._new_day(message.timestamp_ms) + message_line(message, self._client.user, self._texts, old=old, mark=mark)

    # ---------------------------------------------------------------- what the user writes

    async def _read(self) -> None:
        try:
            await self._screen.run()
        finally:
            self._written.put_nowait("/quit")  # behind what was written before

    async def _obey(self) -> None:
        """Returns when the user wants to leave."""
        while (text := await self._written.get()).strip() != "/quit":
            async with self._busy:
                if text.startswith("//") or not text.startswith("/"):
                    await self._say(text[1:] if text.startswith("//") else text)
                else:
                    command, _, argument = text.partition(" ")
                    await self._command(command, argument.strip())

    async def _command(self, command: str, argument: str) -> None:
        if command == "/to":
            try:
                peer = parse_peer(argument)
            except ValueError as error:
                await self._note("cannot_open", "class:error", peer=argument, reason=error)
            else:
                await self._talk_to(peer)
        elif command == "/list":
            await self._list()
        elif command == "/history":
            await self._history(argument or str(_HISTORY))
        elif command == "/help":
            await self._note("help", **{mark: self._texts[mark] for mark in ("sent", "delivered", "read")})
        else:
            await self._note("no_such_command", "class:error", command=command)

    async def _say(self, text: str) -> None:
        if not text.strip():
            return
        if not self._open:
            await self._note("open_first", "class:error")
            return
        try:
            posting = self._client.post(self._open, text)
        except Refused as refusal:
            await self._note("not_sent", "class:error", text=shorten(printable(text), 40), reason=refusal.reason)
            return
        line = OwnLine(text, _now_ms())
        self._own[self._open].add(line)
        watch = asyncio.create_task(self._watch(self._open, line, posting.wait()))
        self._watching.add(watch)
        watch.add_done_callback(self._watching.discard)
        await self._screen.show(self._settle())
        self._screen.refresh()

    async def _watch(self, key: Peer, line: OwnLine, answer: Coroutine[Any, Any, Sent]) -> None:
        try:
            await self._answered(key, line, await answer)
        except Refused as refusal:
            await self._answered(key, line, refusal)
        except OutcomeUnknown:  # the client has stopped: the message is in the outbox file
            return

    async def _answered(self, key: Peer, line: OwnLine, result: Sent | Refused) -> None:
        if isinstance(result, Sent):
            line.seq, line.timestamp_ms = result.seq, result.timestamp_ms
            if line.seq <= self._looked_back[key]:
                self._own[key].remove(line)
            await self._screen.show(self._settle())
        else:
            self._own[key].remove(line)
            await self._note("not_sent", "class:error", text=shorten(printable(line.text), 40), reason=result.reason)
        self._screen.refresh()

    # ---------------------------------------------------------------- conversations

    async def _talk_to(self, key: Peer) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                history = await self._client.history(key, limit=_HISTORY)
                summary = await self._summary(key)
        except Refused as refusal:
            await self._note("cannot_open", "class:error", peer=key, reason=refusal.reason)
            return
        except TimeoutError:
            history, summary = [], None
        lines = self._settle(everything=True)
        self._open, self._day = key, None
        await self._screen.show(lines)
        await self._note("opened" if history else "opened_empty", peer=key)
        own = self._own[key]
        own.read_seq = max(own.read_seq, summary.peer_read_seq if summary else 0)
        read_seq = summary.read_seq if summary else 0
        await self._show_messages(history, read_seq)
        sent_meanwhile = [line for line in own.settle(everything=True) if line.seq > self._looked_back[key]]
        await self._screen.show([row for line in sent_meanwhile for row in own_line(line, own.mark(line.seq), self._texts)])
        self._screen.refresh()

    async def _show_messages(self, messages: list[Message], read_seq: int) -> None:
        """Messages from the log; those which the user has read before are grey."""
        lines: list[Line] = []
        for message in messages:
            lines += self._message(message, old=message.seq <= read_seq or message.sender == self._client.user)
            self._looked_back[message.peer] = max(self._looked_back[message.peer], message.seq)
        await self._screen.show(lines)
        for message in messages:
            self._receipts.shown(message)

    async def _summary(self, key: Peer) -> Conversation | None:
        async for conversation in self._client.conversations():
            if conversation.peer == key:
                return conversation
        return None

    async def _list(self) -> None:
        conversations: list[Conversation] = []
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                async for conversation in self._client.conversations():
                    conversations.append(conversation)
                    if len(conversations) == _LISTED:
                        break
        except TimeoutError:
            await self._note("no_answer", "class:error")
            return
        if conversations:
            await self._screen.show(conversation_lines(conversations, self._client.user, self._texts, self._screen.columns))
        else:
            await self._note("no_conversations")

    async def _history(self, number: str) -> None:
        if not self._open:
            await self._note("open_first", "class:error")
            return
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= PAGE_MAX:
            await self._note("bad_number", "class:error", most=PAGE_MAX)
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                messages = await self._client.history(self._open, limit=int(number))
        except TimeoutError:
            await self._note("no_answer", "class:error")
            return
        lines = self._settle(everything=True)
        self._day = None
        await self._screen.show(lines)
        await self._show_messages(messages, read_seq=messages[-1].seq if messages else 0)

    # ---------------------------------------------------------------- what the client tells

    async def _listen(self) -> None:
        async for event in self._client.events():
            async with self._busy:
                await self._told(event)
                self._screen.refresh()

    async def _told(self, event: Event) -> None:  # noqa: C901  # one case per kind
        match event:
            case MessageReceived(message):
                await self._received(message)
            case Delivered(peer, seq):
                own = self._own[peer]
                own.delivered_seq = max(own.delivered_seq, seq)
            case Read(peer, seq, user) if user != self._client.user:
                own = self._own[peer]
                own.read_seq = max(own.read_seq, seq)
                await self._screen.show(self._settle())
            case Settled(message, result) if line := self._own[message.peer].first_pending():
                await self._answered(message.peer, line, result)
            case MessagesMissing(peer, after, before) if peer == self._open:
                await self._note("missing", first=after + 1, last=before - 1)
            case Reconnecting(delay_seconds=delay):
                if self._retry_at is None:
                    await self._note("lost", "class:status", seconds=math.ceil(delay))
                self._retry_at = time.monotonic() + delay
            case Connected(epoch_changed=restored):
                if self._retry_at is not None:
                    self._retry_at = None
                    await self._note("back", "class:status")
                if restored:
                    await self._note("restored", "class:error")

    async def _received(self, message: Message) -> None:
        if message.seq and message.seq <= self._shown[message.peer]:
            return  # it was part of the history
        if message.peer == self._open:
            await self._screen.show(self._settle(everything=True) + self._message(message, old=False))
            self._receipts.shown(message)
        elif message.sender != self._client.user:
            text = shorten(one_line(message.content, self._texts), self._screen.columns // 2)
            await self._note("elsewhere", "class:news", peer=message.peer, text=text)


def _now_ms() -> int:
    return int(time.time() * 1000)
