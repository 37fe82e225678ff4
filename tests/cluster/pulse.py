"""Two users who talk through nodes all the time, one message after the other: how long anything takes them."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Self

from rockdove.wire import im_pb2 as pb
from tests.process import PASSWORD
from tests.raw import Closed, RawClient, sending, text_message, text_of

RETRY_SECONDS = 0.05  # before a message is tried again that could not be stored
PATIENCE_SECONDS = 60.0
_NUMBERS = count(1)


@dataclass(slots=True)
class Beat:
    """One message. Times are of time.monotonic(), 0 while it has not happened."""

    began: float
    answered: float = 0.0
    received: float = 0.0


class Pulse:
    """`sender` talks at one node to `receiver` at another. Whatever fails is tried again, at the same node."""

    def __init__(self, sender: str, sender_port: int, receiver: str, receiver_port: int) -> None:
        self.beats: list[Beat] = []
        self._name = f"pulse{next(_NUMBERS)}"  # of the devices, new for each
        self._sender, self._sender_port = sender, sender_port
        self._receiver, self._receiver_port = receiver, receiver_port
        self._stop = False
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]
        await self.until_beats(3)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def until_beats(self, more: int) -> None:
        """Wait until so many messages that begin from now on were answered and received."""
        since = len(self.beats)
        await self._until(lambda: sum(1 for beat in self.beats[since:] if beat.answered and beat.received) >= more)

    async def until_quiet(self) -> None:
        """Send no more, and wait until everything was answered and received."""
        self._stop = True
        await self._until(lambda: all(beat.answered and beat.received for beat in self.beats))

    async def _until(self, happened: object) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not happened():  # type: ignore[operator]
                for task in self._tasks:
                    if task.done():
                        task.result()
                self._changed.clear()
                await self._changed.wait()

    def answered_after(self, moment: float) -> float:
        """Seconds from then until a message that was sent later was answered."""
        return min(beat.answered for beat in self.beats if beat.began >= moment and beat.answered) - moment

    def longest_answer(self, since: float) -> float:
        """The longest that a message took to be answered which was under way then or later, in seconds."""
        return max(beat.answered - beat.began for beat in self.beats if beat.answered > since)

    def last_received(self, since: float, until: float) -> float:
        """Seconds from then until the last message had arrived that was sent before `until`."""
        return max(beat.received for beat in self.beats if beat.began < until) - since

    # ------------------------------------------------------------ the two of them

    async def _send(self) -> None:
        while not self._stop:
            with suppress(OSError, Closed):
                async with await RawClient.connect(self._sender_port) as client:
                    conack = await client.login(self._sender, PASSWORD, self._name)
                    while conack.status == pb.STATUS_OK and not (self._stop and self.beats[-1].answered):
                        await self._beat(client)
            await asyncio.sleep(RETRY_SECONDS)

    async def _beat(self, client: RawClient) -> None:
        if not self.beats or self.beats[-1].answered:
            self.beats.append(Beat(time.monotonic()))
        seqid = len(self.beats)
        client.write(sending(seqid, text_message(self._receiver, f"{self._name} {seqid}")))
        answer = await client.answer(seqid)
        if answer.code == pb.OK:
            self.beats[-1].answered = time.monotonic()
            self._changed.set()
        else:
            assert answer.code == pb.UNAVAILABLE, answer
            await asyncio.sleep(RETRY_SECONDS)

    async def _receive(self) -> None:
        while True:
            with suppress(OSError, Closed):
                async with await RawClient.connect(self._receiver_port) as client:
                    conack = await client.login(self._receiver, PASSWORD, self._name)
                    while conack.status == pb.STATUS_OK:
                        await self._take(client)
            await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, client: RawClient) -> None:
        """One message, with a heartbeat every now and then as any client."""
        receive = asyncio.ensure_future(client.read())
        try:
            while not (await asyncio.wait((receive,), timeout=1.0))[0]:
                client.write(pb.Command(version=1, ping=pb.Ping()))
            command = receive.result()
        finally:
            receive.cancel()
        if command.HasField("request") and command.request.type == pb.MESSAGE:
            message = pb.Message.FromString(command.request.payload)
            client.ack(message.msgid)
            name, seqid = text_of(message).split()
            if name == self._name:  # else of an earlier one
                beat = self.beats[int(seqid) - 1]
                beat.received = beat.received or time.monotonic()
                self._changed.set()
