"""The SDK for programs without asyncio: the same verbs, on a loop in a background thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from rockdove.client.client import Client, Payload, Posting
from rockdove.client.content import Content
from rockdove.client.events import Event
from rockdove.client.message import Chat, Conversation, Message, Sent

_Result = TypeVar("_Result")


class BlockingPosting:
    """A message on its way."""

    def __init__(self, client: "BlockingClient", posting: Posting) -> None:
        self._client = client
        self._posting = posting

    def done(self) -> bool:
        """Whether the final answer is there."""
        return self._posting.done()

    def wait(self, timeout: float | None = None) -> Sent:
        """The Sent. Raises Refused, or OutcomeUnknown after `timeout` seconds and when the client stops."""
        return self._client._wait(self._posting.wait(timeout))


class BlockingClient:
    """Client without await: `with BlockingClient("127.0.0.1:5181", user="alice", token="…") as client`.

    Takes the arguments of Client; its methods do, raise and return what those of Client do. They may be called from any thread.
    """

    def __init__(self, server: str = "127.0.0.1:5181", **arguments: Any) -> None:
        self._client = Client(server, **arguments)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"rockdove-{self._client.user}", daemon=True)

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("the client is not started, or closed: use `with`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in this thread
            raise

    # ---------------------------------------------------------------- life

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._client.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye to the server and let go. May be called twice."""
        if self._thread.is_alive():
            self._wait(self._client.close())
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---------------------------------------------------------------- sending

    def post(
        self, to: str, content: str | Content, *, chat: Chat = Chat.SINGLE, reply_to: int = 0, mentions: Sequence[str] = ()
    ) -> BlockingPosting:
        """Client.post"""

        async def post() -> Posting:
            return self._client.post(to, content, chat=chat, reply_to=reply_to, mentions=mentions)

        return BlockingPosting(self, self._wait(post()))

    def send(
        self,
        to: str,
        content: str | Content,
        *,
        chat: Chat = Chat.SINGLE,
        reply_to: int = 0,
        mentions: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Sent:
        """Client.send"""
        return self._wait(self._client.send(to, content, chat=chat, reply_to=reply_to, mentions=mentions, timeout=timeout))

    def send_transient(
        self, to: str, content: str | Content, *, chat: Chat = Chat.SINGLE, timeout: float | None = None
    ) -> Sent:
        """Client.send_transient"""
        return self._wait(self._client.send_transient(to, content, chat=chat, timeout=timeout))

    def unsent(self) -> list[Message]:
        """Client.unsent"""

        async def unsent() -> list[Message]:
            return self._client.unsent()

        return self._wait(unsent())

    def flush(self, timeout: float | None = None) -> None:
        """Client.flush"""
        self._wait(self._client.flush(timeout))

    # ---------------------------------------------------------------- receiving

    def next_event(self, *, timeout: float | None = None, acknowledge: bool = True) -> Event | None:
        """Client.next_event"""
        return self._wait(self._client.next_event(timeout=timeout, acknowledge=acknowledge))

    def events(self, *, timeout: float | None = None, acknowledge: bool = True) -> Iterator[Event]:
        """Client.events; ends when nothing happened for `timeout` seconds."""
        try:
            while event := self.next_event(timeout=timeout, acknowledge=acknowledge):
                yield event
        except TimeoutError:
            return

    def acknowledge(self, message: Message) -> None:
        """Client.acknowledge"""

        async def acknowledge() -> None:
            self._client.acknowledge(message)

        self._wait(acknowledge())

    def read(self, peer: str, seq: int, *, chat: Chat = Chat.SINGLE) -> None:
        """Client.read"""
        self._wait(self._client.read(peer, seq, chat=chat))

    # ---------------------------------------------------------------- looking back

    def history(
        self, peer: str, *, chat: Chat = Chat.SINGLE, after: int = 0, before: int = 0, limit: int = 50
    ) -> list[Message]:
        """Client.history"""
        return self._wait(self._client.history(peer, chat=chat, after=after, before=before, limit=limit))

    def conversations(self, *, page: int = 50) -> Iterator[Conversation]:
        """Client.conversations"""
        pages: AsyncIterator[Conversation] = self._client.conversations(page=page)

        async def following() -> Conversation | None:
            return await anext(pages, None)

        while conversation := self._wait(following()):
            yield conversation

    def request(self, payload: Payload, *, timeout: float | None = None) -> bytes:
        """Client.request"""
        return self._wait(self._client.request(payload, timeout=timeout))
