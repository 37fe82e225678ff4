"""What is on the screen, whoever caused it: the user's commands or the server's events."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.place import PATIENCE_SECONDS, Display, Place
from rockdove.cli.chat.presence import Company
from rockdove.cli.chat.receipts import ReadReceipts
from rockdove.cli.chat.words import one_line
from rockdove.cli.terminal import printable, shorten
from rockdove.cli.tui.overview import Overview
from rockdove.cli.tui.room import PAGE, Room
from rockdove.client import (
    Client,
    Content,
    Group,
    GroupInfo,
    Member,
    Message,
    Notice,
    OutcomeUnknown,
    Peer,
    Posting,
    Refused,
    RockdoveError,
    Sent,
    Text,
)
from rockdove.locale import Texts

_LISTED: Final = 200  # conversations, members

_Item = TypeVar("_Item")


class Desk(Place):
    """`changed` is called when something looks different."""

    def __init__(self, client: Client, texts: Texts, screen: Display, changed: Callable[[], None]) -> None:
        super().__init__(client, texts, screen)
        self.overview = Overview(client.user)
        self.company = Company(client)
        self.info: GroupInfo | None = None  # of the open group
        self.members: list[Member] = []
        self.attentive = True  # the user has the terminal before his eyes
        self._changed = changed
        self._receipts = ReadReceipts(client)
        self._rooms: defaultdict[Peer, Room] = defaultdict(Room)
        self._stale = False  # the list of conversations
        self._listing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self, patience_seconds: float) -> None:
        """Stop waiting for answers; get the last read receipt out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.company.close()
        await self._receipts.close(patience_seconds)

    @property
    def room(self) -> Room | None:
        """The open one."""
        return None if self.open is None else self._rooms[self.open]

    @property
    def pending(self) -> int:
        """How many messages wait to be sent."""
        return sum(len(room.pending) for room in self._rooms.values())

    # ---------------------------------------------------------------- opening and looking back

    async def talk_to(self, peer: Peer) -> None:
        """Open a conversation: one that is known at once, another one when the server knows it."""
        if peer not in self.overview:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._load(peer)
            self.overview.add(peer)
        self.open, self.timeline = peer, self._rooms[peer].timeline
        self.info, self.members = None, []
        self.acquaintances.add(peer)
        self._look()
        self._begin(self._refresh())

    async def look_back(self, number: int) -> None:
        """Fetch earlier messages of the open conversation."""
        peer = self.peer()
        room = self._rooms[peer]
        if room.loaded and room.has_older:
            before = room.lowest_seq
            page = await self.client.history(peer, before=before, limit=max(number, PAGE))
            if room.lowest_seq == before:  # nobody else was faster
                room.take(page)
            self._changed()

    def refresh_all(self) -> None:
        """There is a connection, for the first time or again."""
        self.reload()
        self._begin(self._refresh())

    async def _refresh(self) -> None:
        """Find out about the open conversation."""
        if self.open is None:
            return
        peer = self.open
        await self._load(peer)
        self._look()
        if isinstance(peer, Group):
            await self._find_members(peer)
        else:
            self.company.look_at(peer)

    async def _load(self, peer: Peer) -> None:
        if not self._rooms[peer].loaded:
            try:
                self._rooms[peer].take(await self.client.history(peer, limit=PAGE))
            except Refused as refusal:
                raise Complaint("cannot_open", peer=peer, reason=refusal.reason) from None

    async def _find_members(self, group: Group) -> None:
        info = await self.client.groups.info(group)
        members = await _first(self.client.groups.members(group))
        if self.open == group:
            self.info, self.members = info, members
            self.acquaintances.add(*(member.user for member in members))
            self._changed()
            await self._find_statuses([member.user for member in members])

    async def _find_statuses(self, users: list[str]) -> None:
        for status in await self.client.presence.query(users):
            if status.here or status.last_seen_ms:  # else it is not for this user to know
                self.company.seen(status)
        self._changed()

    def reload(self) -> None:
        """The list of conversations is not what it was."""
        self._stale = True
        if self._listing is None or self._listing.done():
            self._listing = self._begin(self._list())

    async def _list(self) -> None:
        while self._stale:
            self._stale = False
            items = await _first(self.client.conversations())
            self.overview.replace(items)
            for each in items:
                self._rooms[each.peer].read_seq = max(self._rooms[each.peer].read_seq, each.peer_read_seq)
            if self.open:
                self.overview.add(self.open)
            self._look()
        await self._find_statuses([each.peer for each in items if isinstance(each.peer, str)])

    def _look(self) -> None:
        """What is open is read, if the user is attentive."""
        if self.open and self.room and self.room.loaded and self.attentive:
            newest = self.room.newest_of_others(self.client.user)
            if newest:
                self._receipts.shown(newest)
            known = self.overview.get(self.open)
            self.overview.read(self.open, known.last_seq if known else 0)
        self._changed()

    def attend(self, attentive: bool) -> None:
        """The user looks at the terminal, or away."""
        self.attentive = attentive
        self._look()

    # ---------------------------------------------------------------- what comes in

    def received(self, message: Message) -> None:
        """A message for this device."""
        self.acquaintances.add(message.sender, message.peer)
        self.company.wrote(message.peer, message.sender)
        known = message.peer in self.overview
        self._rooms[message.peer].timeline.add(message)
        self.overview.news(message)
        news_of_group = isinstance(message.content, Notice)
        if not known or news_of_group or message.is_change or (self._listing and not self._listing.done()):
            self.reload()
        if news_of_group and message.peer == self.open and isinstance(self.open, Group):
            self._begin(self._find_members(self.open))
        self._look()

    def delivered(self, peer: Peer, seq: int) -> None:
        """A device of the peer has all up to there."""
        room = self._rooms[peer]
        room.delivered_seq = max(room.delivered_seq, seq)

    def read(self, peer: Peer, seq: int, user: str) -> None:
        """The peer has read all up to there; or the user has, on another device."""
        if user == self.client.user:
            self.overview.read(peer, seq)
            self.reload()
        elif not isinstance(peer, Group):
            self._rooms[peer].read_seq = max(self._rooms[peer].read_seq, seq)

    def deleted(self, peer: Peer, seqs: tuple[int, ...], through: int) -> None:
        """The user has deleted messages on another device."""
        self._rooms[peer].timeline.delete(seqs, through)
        self.reload()

    def settled(self, message: Message, result: Sent | Refused) -> None:
        """What an earlier run has left in the outbox has its answer."""
        if isinstance(result, Sent):
            self._answered(message, replace(message, msgid=result.msgid, seq=result.seq, timestamp_ms=result.timestamp_ms))
        else:
            self._begin(self._not_sent(message, result))

    async def start_over(self) -> None:
        """The server was restored from a copy: what was read here may be gone there."""
        for peer, room in self._rooms.items():
            self._rooms[peer] = Room(room.pending)
        if self.room:
            self.timeline = self.room.timeline
        await self.note("restored", "class:error")

    # ---------------------------------------------------------------- what goes out

    def left_behind(self) -> None:
        """An earlier run has left messages in the outbox: they are on their way again."""
        for message in self.client.unsent():
            if not message.is_change:
                self._rooms[message.peer].pending.append(message)

    async def say(self, content: Content, reply_to: int = 0) -> None:
        """Send to the open conversation, and show how far it has come. Raises Complaint."""
        peer = self.peer()
        words = content.text if isinstance(content, Text) else one_line(content, self.texts)
        try:
            posting = self.client.post(peer, content, reply_to=reply_to, mentions=self.mentioned(words))
        except Refused as refusal:
            raise Complaint("not_sent", text=shorten(printable(words), 40), reason=refusal.reason) from None
        self._rooms[peer].pending.append(posting.message)
        self._begin(self._wait_for(posting))
        self._changed()

    async def change(self, message: Message, content: Content) -> None:
        """Send what changes a message; it is shown when the server has it."""
        self._begin(self._wait_for(self.client.post(message.peer, content)))

    async def _wait_for(self, posting: Posting) -> None:
        written = posting.message
        try:
            await posting
        except Refused as refusal:
            await self._not_sent(written, refusal)
        except OutcomeUnknown:  # the client has stopped: the message is in the outbox file
            return
        else:
            self._answered(written, posting.message)

    def _answered(self, written: Message, stored: Message) -> None:
        room = self._rooms[written.peer]
        with suppress(ValueError):  # what changes another message is not among them
            room.pending.remove(written)
        room.timeline.add(stored)
        self.overview.news(stored)
        self._look()

    async def _not_sent(self, written: Message, refusal: Refused) -> None:
        with suppress(ValueError):
            self._rooms[written.peer].pending.remove(written)
        self._changed()
        if written.is_change:
            await self.note("not_done", "class:error", reason=refusal.reason)
        else:
            text = shorten(one_line(written.content, self.texts), 40)
            await self.note("not_sent", "class:error", text=text, reason=refusal.reason)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def quietly() -> None:
            try:
                await work
            except Complaint as complaint:
                await self.note(complaint.key, "class:error", **complaint.values)
            except RockdoveError:  # of a question in the background; the end of the client is told by its events
                return

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _first(items: AsyncIterator[_Item]) -> list[_Item]:
    """As many as are listed."""
    found: list[_Item] = []
    async for item in items:
        found.append(item)
        if len(found) == _LISTED:
            break
    return found
