"""The SDK for asyncio programs."""
# ruff: noqa: ASYNC109  # running out of time has a meaning of its own here: OutcomeUnknown

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rockdove.client.address import parse_address
from rockdove.client.content import Content, Text
from rockdove.client.driver import Driver
from rockdove.client.errors import OutcomeUnknown
from rockdove.client.events import Event, MessageReceived
from rockdove.client.message import Chat, Conversation, Message, Sent, read_conversation, read_message
from rockdove.client.protocol import Login, Protocol
from rockdove.client.storage import Storage
from rockdove.wire import im_pb2 as pb

Payload = pb.Contact | pb.Group | pb.Sync | pb.Receipt | pb.Presence | pb.User
_KINDS: Final[dict[type[Any], pb.RequestType]] = {
    pb.Contact: pb.CONTACT,
    pb.Group: pb.GROUP,
    pb.Sync: pb.SYNC,
    pb.Receipt: pb.RECEIPT,
    pb.Presence: pb.PRESENCE,
    pb.User: pb.USER,
}


class Posting:
    """A message on its way. `await` it for its Sent; to stop waiting does not take the message back."""

    def __init__(self, answer: "asyncio.Future[Any]") -> None:
        self._answer = answer

    def done(self) -> bool:
        """Whether the final answer is there."""
        return self._answer.done()

    async def wait(self, timeout: float | None = None) -> Sent:
        """The Sent. Raises Refused, or OutcomeUnknown after `timeout` seconds and when the client stops."""
        sent: Sent = await _within(timeout, self._answer)
        return sent

    def __await__(self) -> Generator[Any, None, Sent]:
        return self.wait().__await__()


class Client:
    """A user's device, always coming back: `async with Client("127.0.0.1:5181", user="alice", token="…") as client`.

    Entering logs in; it raises Disconnected when the server can't be reached, LoginRefused when it says no. From
    then on a lost connection is made anew, with full jitter up to 30 s, until another login of this device
    replaces it, somebody kicks it, or the token is refused.

    `device` is this installation's stable id; it has one connection at a time. `tls` is True for the system's
    certificates, or an SSLContext. `outbox` is a file (SQLite) in which unsent messages and the places in the
    conversations outlive the process, with an fsync for each; without it they live as long as the client.
    """

    def __init__(
        self,
        server: str = "127.0.0.1:5181",
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
        self._address = parse_address(server, tls=bool(tls))
        self._tls = ssl.create_default_context() if tls is True else tls or None
        self._login = (org, appkey, user, token)
        self._device = device
        self._client = client
        self._path = outbox
        self._jitter = jitter
        self._running: tuple[Protocol, Driver] | None = None
        self._last: Message | None = None  # handed out, and not acknowledged yet

    # ---------------------------------------------------------------- life

    def start(self) -> None:
        """Begin to connect, without waiting: for programs that also work offline. Raises OutboxUnusable."""
        org, appkey, user, token = self._login
        storage = Storage(self._path, f"{user}@{org}/{appkey}")
        login = Login(org, appkey, user, token, storage.device(self._device), self._client)
        protocol = Protocol(login, storage, self._jitter)
        self._running = protocol, Driver(*self._address, self._tls, protocol, storage)

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
        """Wait for the first login. Raises Disconnected or LoginRefused when the first try failed; later ones may go on."""
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

    def post(
        self, to: str, content: str | Content, *, chat: Chat = Chat.SINGLE, reply_to: int = 0, mentions: Sequence[str] = ()
    ) -> Posting:
        """Put a message into the outbox, and go on. It is sent once, in order, however often the connection breaks.

        Raises Refused when it is beyond the protocol's limits or 10,000 wait already; OutboxUnusable; and what
        ended the client, if it has ended.
        """
        self._driver.check()
        ticket = self._protocol.post(to, Text(content) if isinstance(content, str) else content, chat, reply_to, mentions)
        return Posting(self._driver.answer(ticket))

    async def send(
        self,
        to: str,
        content: str | Content,
        *,
        chat: Chat = Chat.SINGLE,
        reply_to: int = 0,
        mentions: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Sent:
        """Send a message, and wait until the server has it on stable storage, across reconnects.

        Raises Refused for good, OutcomeUnknown after `timeout` seconds: the message stays in the outbox then, as it
        does when the task is cancelled, and goes out all the same. Sending it anew would make a second message.
        """
        return await self.post(to, content, chat=chat, reply_to=reply_to, mentions=mentions).wait(timeout)

    async def send_transient(
        self, to: str, content: str | Content, *, chat: Chat = Chat.SINGLE, timeout: float | None = None
    ) -> Sent:
        """Send to those online now, unstored (protocol §4 opts). Raises Disconnected when there is no connection, Refused."""
        self._driver.check()
        ticket = self._protocol.transient(to, Text(content) if isinstance(content, str) else content, chat)
        sent = pb.Sent.FromString(await self._answered(ticket, timeout))
        return Sent(sent.msgid, sent.seq, sent.timestamp)

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

    async def read(self, peer: str, seq: int, *, chat: Chat = Chat.SINGLE) -> None:
        """Tell the peer and your other devices that you have read up to `seq` (protocol §6 Receipt). Raises Refused."""
        await self.request(pb.Receipt(kind=pb.Receipt.READ, chat=_chat(chat), peer=peer, seq=seq))

    # ---------------------------------------------------------------- looking back

    async def history(
        self, peer: str, *, chat: Chat = Chat.SINGLE, after: int = 0, before: int = 0, limit: int = 50
    ) -> list[Message]:
        """Up to 200 messages, by seq upwards: those after `after`, else the newest ones below `before` (protocol §6 Pull).

        Without either, the newest ones. Raises Refused.
        """
        if not after and not before:
            before = (1 << 63) - 1
        pull = pb.Pull(chat=_chat(chat), peer=peer, after=after, before=before, limit=limit)
        pulled = pb.Pulled.FromString(await self.request(pb.Sync(pull=pull)))
        return [read_message(each, self.user) for each in pulled.messages]

    async def conversations(self, *, page: int = 50) -> AsyncIterator[Conversation]:
        """Your conversations, the newest activity first, fetched in pages. Raises Refused."""
        after = ""
        while True:
            query = pb.ListConversations(after=after, limit=page)
            answer = pb.Conversations.FromString(await self.request(pb.Sync(conversations=query)))
            for item in answer.items:
                yield read_conversation(item, self.user)
            after = answer.next
            if not after:
                return

    async def request(self, payload: Payload, *, timeout: float | None = None) -> bytes:
        """Any request of the protocol but MESSAGE, by its payload; returns Response.payload.

        It is repeated when the connection breaks, which is harmless (protocol §6). Raises Refused, OutcomeUnknown after
        `timeout` seconds.
        """
        self._driver.check()
        ticket = self._protocol.ask(_KINDS[type(payload)], payload.SerializeToString())
        answer: bytes = await self._answered(ticket, timeout)
        return answer

    async def _answered(self, ticket: int, timeout: float | None) -> Any:
        try:
            return await _within(timeout, self._driver.answer(ticket))
        finally:
            self._driver.forget(ticket)


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


async def _within(timeout: float | None, answer: "asyncio.Future[Any]") -> Any:
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.shield(answer)
    except TimeoutError:
        raise OutcomeUnknown(f"no answer within {timeout} s; it may still come") from None


def _chat(chat: Chat) -> pb.Chat:
    return pb.GROUP_CHAT if chat is Chat.GROUP else pb.SINGLE
