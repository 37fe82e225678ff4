"""Keeps one Protocol connected: sockets, timers and futures around it."""

import asyncio
import os
import ssl
from typing import Any, Final

from rockdove.client.address import Address, Addresses
from rockdove.client.errors import OutcomeUnknown, RockdoveError
from rockdove.client.events import Connected
from rockdove.client.feed import Feed
from rockdove.client.protocol import NEVER, Protocol
from rockdove.client.storage import Storage

CONNECT_SECONDS: Final = 10.0
GOODBYE_SECONDS: Final = 2.0
READ_BYTES: Final = 64 * 1024


class Driver:
    """Runs until `close`, or until the protocol says that connecting again makes no sense."""

    def __init__(self, addresses: Addresses, tls: ssl.SSLContext | None, protocol: Protocol, storage: Storage) -> None:
        self.feed = Feed()
        self.empty = asyncio.Event()  # set while the outbox is
        self._addresses = addresses
        self._tls = tls
        self._protocol = protocol
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stirred = False
        self._closing = False
        self._finished = False
        self.first_try: asyncio.Future[None] = self._future()
        self._task = self._loop.create_task(self._run())
        self.stir()

    def _future(self) -> "asyncio.Future[Any]":
        future = self._loop.create_future()
        future.add_done_callback(_mark_seen)
        return future

    # ---------------------------------------------------------------- the application's side

    def check(self) -> None:
        """Raises what ended the client, if it has ended."""
        if self._finished:
            raise self.feed.error or RuntimeError("the client is closed")

    def answer(self, ticket: int) -> "asyncio.Future[Any]":
        """Will have the result of a ticket that the protocol has just given out."""
        self._answers[ticket] = future = self._future()
        self._look_at_outbox()
        self.stir()
        return future

    def forget(self, ticket: int) -> None:
        """Nobody waits for this answer any more."""
        self._answers.pop(ticket, None)
        self._protocol.forget(ticket)

    def stir(self) -> None:
        """Let the protocol do what is due, once in this turn of the loop however often it is asked for."""
        if not self._stirred and not self._finished:
            self._stirred = True
            self._loop.call_soon(self._turn)

    # ---------------------------------------------------------------- the connection

    async def _run(self) -> None:
        try:
            while True:
                reason = await self._connection(self._addresses.next())
                if self._closing:
                    return
                delay = self._protocol.lost(self._loop.time(), reason)
                if not self.first_try.done() and self._addresses.all_tried and self._protocol.end:
                    self.first_try.set_exception(self._protocol.end)
                self._turn()
                await asyncio.sleep(delay)
        except Exception as error:
            self._finish(error)

    async def _connection(self, address: Address) -> str:
        """One connection from its first to its last byte; returns why it ended."""
        where = "{}:{}".format(*address)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(*address, ssl=self._tls)
        except TimeoutError:
            return f"{where} does not answer"
        except OSError as error:
            return f"cannot reach {where}: {_reason(error)}"
        self._writer = writer
        try:
            self._protocol.open(self._loop.time())
            self._turn()
            while data := await reader.read(READ_BYTES):
                self._protocol.receive(data, self._loop.time())
                self._turn()
        except OSError as error:
            return f"the connection broke: {_reason(error)}"
        finally:
            self._writer = None
            writer.transport.abort()
        return "the server closed the connection"

    def _turn(self) -> None:
        self._stirred = False
        if self._finished:
            return
        try:
            self._protocol.advance(self._loop.time())
        except Exception as error:  # the outbox's disk, or a bug: nobody above a timer would see it
            self._finish(error)
            return
        self._hand_out()
        if self._writer:
            if data := self._protocol.output():
                self._writer.write(data)
            if self._protocol.end:
                self._writer.transport.abort()
        if self._timer:
            self._timer.cancel()
        deadline = self._protocol.deadline()
        self._timer = self._loop.call_at(deadline, self._turn) if deadline < NEVER else None

    def _hand_out(self) -> None:
        for ticket, result in self._protocol.results:
            answer = self._answers.pop(ticket, None)
            if answer and isinstance(result, RockdoveError):
                answer.set_exception(result)
            elif answer:
                answer.set_result(result)
        self._protocol.results.clear()
        for event in self._protocol.events:
            self.feed.put(event)
            if isinstance(event, Connected) and not self.first_try.done():
                self.first_try.set_result(None)
        self._protocol.events.clear()
        self._look_at_outbox()

    def _look_at_outbox(self) -> None:
        if self._protocol.unsent_count:
            self.empty.clear()
        else:
            self.empty.set()

    # ---------------------------------------------------------------- the end

    async def close(self) -> None:
        """Say goodbye and let go. May be called twice."""
        if self._closing:
            return
        self._closing = True
        self._turn()
        self._protocol.leave()
        if writer := self._writer:
            writer.write(self._protocol.output())
            writer.close()
            try:
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await writer.wait_closed()
            except (OSError, TimeoutError):
                writer.transport.abort()
        self._finish(None)
        await asyncio.gather(self._task, return_exceptions=True)

    def _finish(self, error: Exception | None) -> None:
        if self._finished:
            return
        self._finished = True
        self._task.cancel()
        if self._timer:
            self._timer.cancel()
        if not self.first_try.done():
            self.first_try.set_exception(error or RuntimeError("the client was closed before it was logged in"))
        for answer in self._answers.values():
            unknown = OutcomeUnknown("the client stopped before the answer came")
            unknown.__cause__ = error
            answer.set_exception(unknown)
        self._answers.clear()
        self.feed.finish(error)
        self.empty.set()
        self._storage.close()


def _mark_seen(future: "asyncio.Future[Any]") -> None:
    """Not everyone awaits every answer: no warning at the end about those."""
    if not future.cancelled():
        future.exception()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own text has addresses in it
    return error.strerror or str(error) or type(error).__name__
