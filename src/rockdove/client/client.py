"""The SDK for asyncio programs."""
# ruff: noqa: ASYNC109  # running out of time has a meaning of its own here: OutcomeUnknown

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rockdove.client.address import Addresses, parse_addresses
from rockdove.client.archive import Archive, Readers
from rockdove.client.asking import REQUEST_TYPES, Payload
from rockdove.client.contacts import Contacts
from rockdove.client.content import Content, Edit, Reaction, Recall, Text
from rockdove.client.devices import Devices
from rockdove.client.driver import Driver
from rockdove.client.errors import OutcomeUnknown
from rockdove.client.events import Event, MessageReceived
from rockdove.client.groups import Groups
from rockdove.client.message import Conversation, Message, Sent
from rockdove.client.peer import Peer, wire_chat, wire_name
from rockdove.client.posting import Posting, within
from rockdove.client.presence import Presence
from rockdove.client.protocol import Login, Protocol
from rockdove.client.storage import Storage
from rockdove.client.users import Users
from rockdove.wire import im_pb2 as pb


class Client:
    """A user's device, always coming back: `async with Client("127.0.0.1:5181", user="alice", token="…") as client`.

    `server` may name several nodes that serve together; the client begins with any, and goes to another when it loses one.

    Entering logs in; it raises Disconnected when no server can be reached, LoginRefused when one says no. From
    then on a lost connection is made anew, with full jitter up to 30 s, until another login of this device
    replaces it, somebody kicks it, or the token is refused.

    `device` is this installation's stable id; it has one connection at a time. `tls` is True for the system's
    certificates, or an SSLContext. `outbox` is a file (SQLite) in which unsent messages and the places in the
    conversations outlive the process, with an fsync for each; without it they live as long as the client.

    A conversation is named by its peer everywhere: a user's name, or a `Group`.
    """

    def __init__(
        self,
        server: str | Sequence[str] = "127.0.0.1:5181",
        *,
        user: str,
        token: str,
        org: str = "default",
        appkey: str = "default",
        device: str | None = None,
        tls: ssl.SSLContext | bool | None = None,
        outbox: str | Path | None = None,
        client: str = "rockdove-python",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.user = user
        self._addresses = Addresses(parse_addresses(server, tls=bool(tls)), jitter)
        self._tls = ssl.create_default_context() if tls is True else tls or None
        self._login = (org, appkey, user, token)
        self._device = device
        self._client = client
        self._path = outbox
        self._jitter = jitter
        self._running: tuple[Protocol, Driver] | None = None
        self._last: Message | None = None  # handed out, and not acknowledged yet
        self._archive = Archive(self.request, user)
        self.groups = Groups(self.request)
        self.contacts = Contacts(self.request)
        self.presence = Presence(self.request, self._keep_presence)
        self.users = Users(self.request)
        self.devices = Devices(self.request)

    # ---------------------------------------------------------------- life

    def start(self) -> None:
        """Begin to connect, without waiting: for programs that also work offline. Raises OutboxUnusable.

        Once in the life of a Client; RuntimeError else.
        """
        if self._running:
            raise RuntimeError("the client was started already: one Client is started once, make another one to come back")
        org, appkey, user, token = self._login
        storage = Storage(self._path, f"{user}@{org}/{appkey}")
        try:
            login = Login(org, appkey, user, token, storage.device(self._device), self._client)
            protocol = Protocol(login, storage, self._jitter)
        except BaseException:
            storage.close()
            raise
        self._running = protocol, Driver(self._addresses, self._tls, protocol, storage)

    @property
    def _protocol(self) -> Protocol:
        return self._parts()[0]

    @property
    def _driver(self) -> Driver:
        return self._parts()[1]

    def _parts(self) -> tuple[Protocol, Driver]:
        if not self._running:
            raise RuntimeError("the client is not started: use `async with`, or call start()")
        return self._running

    async def connected(self) -> None:
        """Wait for the first login. Raises Disconnected or LoginRefused when the first try of every server failed, or one
        says no for good; after the former it goes on trying.
        """
        await asyncio.shield(self._driver.first_try)

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.connected()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye to the server and let go. Does not wait for unsent messages, see `flush`. May be called twice."""
        await self._driver.close()

    # ---------------------------------------------------------------- sending

    def post(self, to: Peer, content: str | Content, *, reply_to: int = 0, mentions: Sequence[str] = ()) -> Posting:
        """Put a message into the outbox, and go on. It is sent once, in order, however often the connection breaks.

        `reply_to` is a msgid; "@all" among the mentions is for a group's admins. Raises Refused when it is beyond the
        protocol's limits or 10,000 wait already; OutboxUnusable; and what ended the client, if it has ended.
        """
        self._driver.check()
        ticket, message = self._protocol.post(to, _content(content), reply_to, mentions)
        return Posting(message, self._driver.answer(ticket))

    async def send(
        self,
        to: Peer,
        content: str | Content,
        *,
        reply_to: int = 0,
        mentions: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Sent:
        """Send a message, and wait until the server has it on stable storage, across reconnects.

        Raises Refused for good, OutcomeUnknown after `timeout` seconds: the message stays in the outbox then, as it
        does when the task is cancelled, and goes out all the same. Sending it anew would make a second message.
        """
        return await self.post(to, content, reply_to=reply_to, mentions=mentions).wait(timeout)

    async def reply(
        self,
        message: Message | Sent,
        content: str | Content,
        *,
        mentions: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Sent:
        """`send` into the conversation of `message`, pointing at it."""
        return await self.send(message.peer, content, reply_to=message.msgid, mentions=mentions, timeout=timeout)

    async def recall(self, message: Message | Sent, *, timeout: float | None = None) -> Sent:
        """Take a message back for everyone. Goes through the outbox, waits and raises as `send`, like the next three.

        For its sender within the server's time (2 minutes by default), and for the admins of a group.
        """
        return await self.send(message.peer, Recall(message.msgid), timeout=timeout)

    async def edit(self, message: Message | Sent, content: str | Content, *, timeout: float | None = None) -> Sent:
        """Give a message of yours other content, within the server's time (15 minutes by default)."""
        return await self.send(message.peer, Edit(message.msgid, _content(content)), timeout=timeout)

    async def react(self, message: Message | Sent, emoji: str, *, timeout: float | None = None) -> Sent:
        """Put an emoji on a message."""
        return await self.send(message.peer, Reaction(message.msgid, emoji), timeout=timeout)

    async def unreact(self, message: Message | Sent, emoji: str, *, timeout: float | None = None) -> Sent:
        """Take an emoji of yours off again."""
        return await self.send(message.peer, Reaction(message.msgid, emoji, removed=True), timeout=timeout)

    async def send_transient(self, to: Peer, content: str | Content, *, timeout: float | None = None) -> Sent:
        """Send to those online now, unstored (protocol §4 opts). Raises Disconnected when there is no connection, Refused."""
        self._driver.check()
        ticket = self._protocol.transient(to, _content(content))
        sent = pb.Sent.FromString(await self._answered(ticket, timeout))
        return Sent(to, sent.msgid, sent.seq, sent.timestamp)

    def unsent(self) -> list[Message]:
        """What is in the outbox, an earlier run's included; msgid and seq are 0."""
        return self._protocol.unsent()

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until the outbox is empty. Raises OutcomeUnknown after `timeout` seconds, or what ended the client."""
        try:
            async with asyncio.timeout(timeout):
                await self._driver.empty.wait()
        except TimeoutError:
            raise OutcomeUnknown(f"{len(self.unsent())} messages are not answered yet after {timeout} s") from None
        self._driver.check()

    # ---------------------------------------------------------------- receiving

    async def next_event(self, *, timeout: float | None = None, acknowledge: bool = True) -> Event | None:
        """The next event, None at the end. The message handed out before is acknowledged by asking for the next event.

        Raises TimeoutError after `timeout` seconds, and what ended the client. One consumer at a time.
        """
        if self._last and acknowledge:
            self.acknowledge(self._last)
        async with asyncio.timeout(timeout):
            event = await self._driver.feed.next()
        if isinstance(event, MessageReceived):
            self._last = event.message
        return event

    def events(self, *, acknowledge: bool = True) -> "Events":
        """All events as they come: `async for event in client.events()`. Ends with `close`.

        A message is acknowledged when the loop comes back for the next event, so that one which crashed your program
        comes again. With `acknowledge=False`, call `acknowledge` yourself. Who stops asking soon gets no
        more messages pushed, and loses none.
        """
        return Events(self, acknowledge)

    def acknowledge(self, message: Message) -> None:
        """Done with this message and all earlier ones of its conversation: they never come again."""
        if self._last is message:
            self._last = None
        self._driver.check()
        self._protocol.acknowledge(message)
        self._driver.stir()

    async def read(self, peer: Peer, seq: int) -> None:
        """Tell the others and your other devices that you have read up to `seq` (protocol §6 Receipt). Raises Refused."""
        await self.request(pb.Receipt(kind=pb.Receipt.READ, chat=wire_chat(peer), peer=wire_name(peer), seq=seq))

    # ---------------------------------------------------------------- looking back

    async def history(self, peer: Peer, *, after: int = 0, before: int = 0, limit: int = 50) -> list[Message]:
        """Up to 200 messages, by seq upwards: those after `after`, else the newest ones below `before` (protocol §6 Pull).

        Without either, the newest ones. Each is as it is now; what changed them is among them, too: `Timeline` joins both.
        Raises Refused.
        """
        return await self._archive.history(peer, after, before, limit)

    def conversations(self, *, page: int = 50) -> AsyncIterator[Conversation]:
        """Your conversations, the newest activity first, fetched in pages. Raises Refused."""
        return self._archive.conversations(page)

    def search(
        self,
        text: str,
        *,
        peer: Peer | None = None,
        sender: str = "",
        since_ms: int = 0,
        until_ms: int = 0,
        kinds: Iterable[type[Content]] = (),
    ) -> AsyncIterator[Message]:
        """Messages you may read in which every word of `text` occurs, newest first, fetched in pages. Raises Refused.

        The rest narrows it down: one conversation, one sender, a time (ms since the Unix epoch, `until_ms` exclusive),
        kinds of content like `(Image, File)`.
        """
        return self._archive.search(text, peer, sender, since_ms, until_ms, kinds)

    async def readers(self, message: Message | Sent, *, limit: int = 200) -> Readers:
        """Who has read a message in a group: how many, of how many, and up to `limit` names. Raises Refused."""
        return await self._archive.readers(message, limit)

    async def delete(self, *messages: Message | Sent) -> None:
        """Delete messages for you, on all your devices; nobody else is concerned, see `recall`. Raises Refused."""
        await self._archive.delete(messages)

    async def clear(self, peer: Peer, through: int) -> None:
        """The same with all messages of a conversation up to the seq `through`. Raises Refused."""
        await self._archive.clear(peer, through)

    async def request(self, payload: Payload, *, timeout: float | None = None, again: bool = True) -> bytes:
        """Any request of the protocol but MESSAGE, by its payload; returns Response.payload.

        It waits for a connection, and is repeated when that breaks, which is harmless (protocol §6). Without `again` it is
        neither, and raises Disconnected instead. Raises Refused, OutcomeUnknown after `timeout` seconds.
        """
        self._driver.check()
        ticket = self._protocol.ask(REQUEST_TYPES[type(payload)], payload.SerializeToString(), again=again)
        answer: bytes = await self._answered(ticket, timeout)
        return answer

    async def _answered(self, ticket: int, timeout: float | None) -> Any:
        try:
            return await within(timeout, self._driver.answer(ticket))
        finally:
            self._driver.forget(ticket)

    def _keep_presence(self, presence: pb.Presence) -> None:
        self._protocol.presence = presence.SerializeToString()


class Events:
    """An async iterator over a client's events. Unlike a generator it lives on when waiting is cancelled."""

    def __init__(self, client: Client, acknowledge: bool) -> None:
        self._client = client
        self._acknowledge = acknowledge

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._client.next_event(acknowledge=self._acknowledge)
        if event is None:
            raise StopAsyncIteration
        return event


def _content(content: str | Content) -> Content:
    return Text(content) if isinstance(content, str) else content
