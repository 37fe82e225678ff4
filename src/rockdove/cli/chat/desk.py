"""The open conversation on the screen, and what commands do with it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.lines import change_lines, day_line, message_line, own_line
from rockdove.cli.chat.own import OwnLine, OwnLines
from rockdove.cli.chat.place import HISTORY, PATIENCE_SECONDS, Line, Place
from rockdove.cli.chat.receipts import ReadReceipts
from rockdove.cli.chat.screen import Screen
from rockdove.cli.chat.words import local_time, one_line
from rockdove.cli.terminal import printable, shorten
from rockdove.client import (
    Client,
    Content,
    Conversation,
    Group,
    Message,
    OutcomeUnknown,
    Peer,
    Posting,
    Refused,
    Sent,
    Text,
    Timeline,
)
from rockdove.locale import Texts

_TIMELINE: Final = 500  # messages that are remembered, to be named and changed


class Desk(Place):
    """What is on it: one open conversation, and the user's own messages of all of them that are on their way."""

    def __init__(self, client: Client, texts: Texts, screen: Screen) -> None:
        super().__init__(client, texts, screen)
        self.screen: Screen = screen
        self.timeline = Timeline(capacity=_TIMELINE)
        self.receipts = ReadReceipts(client)
        self._own: defaultdict[Peer, OwnLines] = defaultdict(OwnLines)
        self._shown: defaultdict[Peer, int] = defaultdict(int)  # highest seq that was on the screen
        self._looked_back: defaultdict[Peer, int] = defaultdict(int)  # highest seq that was printed from the log
        self._day: date | None = None  # of the message printed last
        self._watching: set[asyncio.Task[None]] = set()

    async def close(self, patience_seconds: float) -> None:
        """Stop waiting for answers; get the last read receipt out."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self.receipts.close(patience_seconds)

    # ---------------------------------------------------------------- what the screen shows

    def below(self) -> list[Line]:
        """The user's latest messages, whose marks still change."""
        own = self._own[self.open] if self.open else OwnLines()
        columns = self.screen.columns
        return [row for line in own.visible() for row in own_line(line, own.mark(line.seq), self.texts, columns)]

    @property
    def pending(self) -> int:
        """How many messages wait to be sent."""
        return sum(own.pending for own in self._own.values())

    async def settle(self, *, everything: bool = False) -> None:
        """Give the own messages their lasting place: those that are read or crowded out, or all that the server has."""
        await self.screen.show(self._settled(everything=everything))

    def _settled(self, *, everything: bool = False) -> list[Line]:
        lines: list[Line] = []
        if self.open:
            own = self._own[self.open]
            for line in own.settle(everything=everything):
                lines += self._new_day(line.timestamp_ms) + own_line(line, own.mark(line.seq), self.texts)
        return lines

    def _new_day(self, timestamp_ms: int) -> list[Line]:
        day = local_time(timestamp_ms).date()
        if day == self._day:
            return []
        self._day = day
        return [day_line(day)]

    def _message(self, message: Message, *, old: bool) -> list[Line]:
        self._shown[message.peer] = max(self._shown[message.peer], message.seq)
        mine = message.sender == self.client.user
        mark = self._own[message.peer].mark(message.seq) if mine else None
        replied = self.timeline.get(message.reply_to) if message.reply_to else None
        lines = message_line(message, self.client.user, self.texts, old=old, mark=mark, replied=replied)
        return self._new_day(message.timestamp_ms) + lines

    # ---------------------------------------------------------------- opening and looking back

    async def talk_to(self, peer: Peer) -> None:
        """Open a conversation. Raises Refused."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                history = await self.client.history(peer, limit=HISTORY)
                summary = await self._summary(peer)
                if isinstance(peer, Group):
                    with suppress(Refused):
                        await self.acquaintances.learn_members(peer)
        except TimeoutError:  # then they write to be sent later
            history, summary = [], None
        except Refused as refusal:
            raise Complaint("cannot_open", peer=peer, reason=refusal.reason) from None
        lines = self._settled(everything=True)
        self.open, self._day = peer, None
        self.timeline = Timeline(capacity=_TIMELINE)
        self.acquaintances.add(peer)
        await self.screen.show(lines)
        name = f"{peer} ({summary.name})" if summary and summary.name else peer
        await self.note("opened" if history else "opened_empty", peer=name)
        own = self._own[peer]
        own.read_seq = max(own.read_seq, summary.peer_read_seq if summary else 0)
        await self.show_messages(history, summary.read_seq if summary else 0)
        meanwhile = [line for line in own.settle(everything=True) if line.seq > self._looked_back[peer]]
        await self.screen.show([row for line in meanwhile for row in own_line(line, own.mark(line.seq), self.texts)])

    async def _summary(self, peer: Peer) -> Conversation | None:
        async for conversation in self.client.conversations():
            self.acquaintances.add(conversation.peer)
            if conversation.peer == peer:
                return conversation
        return None

    async def look_back(self, number: int) -> None:
        """Show the last so many messages of the open conversation. Raises Complaint, Refused."""
        messages = await self.client.history(self.peer(), limit=number)
        lines = self._settled(everything=True)
        self._day = None
        await self.screen.show(lines)
        await self.show_messages(messages, read_seq=messages[-1].seq if messages else 0)

    async def show_messages(self, messages: Sequence[Message], read_seq: int) -> None:
        """Messages from the open conversation's log as they are now; those which the user has read before are grey."""
        for message in messages:
            self.timeline.add(message)
            self._looked_back[message.peer] = max(self._looked_back[message.peer], message.seq)
            self._shown[message.peer] = max(self._shown[message.peer], message.seq)
        lines: list[Line] = []
        for message in messages:
            if not message.is_change:
                old = message.seq <= read_seq or message.sender == self.client.user
                lines += self._message(self.timeline.get(message.msgid) or message, old=old)
        await self.screen.show(lines)
        for message in messages:
            self.receipts.shown(message)

    # ---------------------------------------------------------------- what comes in

    async def received(self, message: Message) -> None:
        """A message for this device."""
        self.acquaintances.add(message.sender, message.peer)
        if message.seq and message.seq <= self._shown[message.peer]:
            return  # it was part of the history
        if message.peer == self.open:
            await self._show_new(message)
            self.receipts.shown(message)
        elif message.sender != self.client.user and not message.is_change:
            text = shorten(one_line(message.content, self.texts, self.client.user), self.screen.columns // 2)
            await self.note("elsewhere", "class:news", peer=message.peer, text=text)

    async def _show_new(self, message: Message) -> None:
        lines = self._settled(everything=True)
        if message.is_change:
            target = self.timeline.get(getattr(message.content, "msgid", 0))
            lines += change_lines(message, target, self.client.user, self.texts)
            self._shown[message.peer] = max(self._shown[message.peer], message.seq)
        else:
            lines += self._message(message, old=False)
        self.timeline.add(message)
        await self.screen.show(lines)

    async def delivered(self, peer: Peer, seq: int) -> None:
        """A device of the peer has all up to there."""
        own = self._own[peer]
        own.delivered_seq = max(own.delivered_seq, seq)

    async def read(self, peer: Peer, seq: int) -> None:
        """The peer has read all up to there."""
        own = self._own[peer]
        own.read_seq = max(own.read_seq, seq)
        await self.settle()

    async def settled(self, message: Message, result: Sent | Refused) -> None:
        """What an earlier run has left in the outbox has its answer."""
        line = None if message.is_change else self._own[message.peer].first_pending()
        if line:
            await self._answered(message.peer, line, result)
        elif isinstance(result, Refused):
            await self.note("not_done", "class:error", reason=result.reason)

    # ---------------------------------------------------------------- what goes out

    def left_behind(self) -> None:
        """An earlier run has left messages in the outbox: they are on their way again."""
        for message in self.client.unsent():
            if not message.is_change:
                self._own[message.peer].add(OwnLine(one_line(message.content, self.texts), _now_ms()))

    async def say(self, content: Content, reply_to: int = 0) -> None:
        """Send to the open conversation, and show how far it has come. Raises Complaint."""
        peer = self.peer()
        words = content.text if isinstance(content, Text) else one_line(content, self.texts)
        try:
            posting = self.client.post(peer, content, reply_to=reply_to, mentions=self.mentioned(words))
        except Refused as refusal:
            raise Complaint("not_sent", text=shorten(printable(words), 40), reason=refusal.reason) from None
        line = OwnLine(words, _now_ms())
        self._own[peer].add(line)
        self._watch(self._wait_for(peer, line, posting))
        await self.settle()

    async def change(self, message: Message, content: Content) -> None:
        """Send what changes a message; it is shown when the server has it."""
        self._watch(self._wait_for_change(self.client.post(message.peer, content)))

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _wait_for(self, peer: Peer, line: OwnLine, posting: Posting) -> None:
        try:
            result: Sent | Refused = await posting
        except Refused as refusal:
            result = refusal
        except OutcomeUnknown:  # the client has stopped: the message is in the outbox file
            return
        if peer == self.open:
            self.timeline.add(posting.message)
        await self._answered(peer, line, result)

    async def _answered(self, peer: Peer, line: OwnLine, result: Sent | Refused) -> None:
        own = self._own[peer]
        if isinstance(result, Sent):
            line.seq, line.timestamp_ms = result.seq, result.timestamp_ms
            if line.seq <= self._looked_back[peer]:
                own.remove(line)
            await self.settle()
        else:
            own.remove(line)
            await self.note("not_sent", "class:error", text=shorten(printable(line.text), 40), reason=result.reason)
        self.screen.refresh()

    async def _wait_for_change(self, posting: Posting) -> None:
        try:
            await posting
        except Refused as refusal:
            await self.note("not_done", "class:error", reason=refusal.reason)
        except OutcomeUnknown:
            return
        else:
            if posting.message.peer == self.open:
                await self._show_new(posting.message)


def _now_ms() -> int:
    return int(time.time() * 1000)
