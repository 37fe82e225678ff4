"""A client of the wire contract for tests: asyncio and the generated module, none of the code under test."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rockdove.wire import im_pb2 as pb

DEADLINE_SECONDS = 60  # for anything that a working server does at once, on however slow a machine


class Closed(Exception):
    """The connection has ended. `disconnect` is the server's last word, None if it said none."""

    def __init__(self, disconnect: pb.Disconnect | None) -> None:
        super().__init__(f"disconnected: {disconnect.code} {disconnect.reason}" if disconnect else "connection lost")
        self.disconnect = disconnect


def framed(command: pb.Command) -> bytes:
    """The command as it goes over TCP (protocol §2)."""
    data = command.SerializeToString()
    prefix = bytearray()
    length = len(data)
    while length > 127:
        prefix.append(length & 127 | 128)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + data


def text_message(to: str, text: str) -> pb.Message:
    """A text for one user, as its sender writes it."""
    return pb.Message(type=pb.TXT, to=to, payload=pb.MessageTxt(txt=text).SerializeToString())


def text_of(message: pb.Message) -> str:
    """What a text message says."""
    return pb.MessageTxt.FromString(message.payload).txt


def sending(seqid: int, message: pb.Message, *, transient: bool = False) -> pb.Command:
    """The request to send `message` (protocol §4)."""
    options = [pb.Option(offline=False)] if transient else []
    request = pb.Request(type=pb.MESSAGE, seqid=seqid, payload=message.SerializeToString(), opts=options)
    return pb.Command(version=1, request=request)


def acknowledging(msgid: int) -> pb.Command:
    """The ack of a pushed message (protocol §5 Ack)."""
    return pb.Command(version=1, response=pb.Response(seqid=msgid))


class RawClient:
    """One connection. What arrives while something else is awaited is kept for later, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._kept: deque[pb.Command] = deque()
        self._disconnect: pb.Disconnect | None = None
        self._seqid = 1 << 40  # of requests that name none; far from what tests choose themselves

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Self:
        """Open a connection to a server, on this machine unless told otherwise."""
        return cls(*await asyncio.open_connection(host, port, ssl=tls))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ frames

    def write(self, *commands: pb.Command) -> None:
        """Send commands in one write; does not wait."""
        self.write_bytes(b"".join(framed(command) for command in commands))

    def write_bytes(self, data: bytes) -> None:
        """Send bytes as they are; into a connection that has ended they are not sent."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the server has read enough for more to be written."""
        await self._writer.drain()

    async def read(self) -> pb.Command:
        """The next command, however long it takes. Raises Closed at the end."""
        try:
            length = shift = 0
            while True:
                byte = (await self._reader.readexactly(1))[0]
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            command = pb.Command.FromString(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            raise Closed(self._disconnect) from None
        if command.HasField("disconnect"):
            self._disconnect = command.disconnect
        return command

    async def wait_for(self, wanted: Callable[[pb.Command], bool]) -> pb.Command:
        """The first command, kept or still to come, that is `wanted`. Raises TimeoutError, or Closed."""
        for command in self._kept:
            if wanted(command):
                self._kept.remove(command)
                return command
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not wanted(command := await self.read()):
                self._kept.append(command)
        return command

    # ------------------------------------------------------------ conversation

    async def login(
        self, user: str, token: str, device: str = "", *, org: str = "default", appkey: str = "default"
    ) -> pb.ConAck:
        """Log in; the answer may be a refusal."""
        connect = pb.Connect(org=org, appkey=appkey, user=user, token=token, device=device)
        self.write(pb.Command(version=1, connect=connect))
        return (await self.wait_for(lambda command: command.HasField("conack"))).conack

    async def request(self, kind: pb.RequestType, payload: bytes) -> pb.Response:
        """Ask for something and wait for the answer."""
        self._seqid += 1
        seqid = self._seqid
        self.write(pb.Command(version=1, request=pb.Request(type=kind, payload=payload, seqid=seqid)))
        return await self.answer(seqid)

    async def answer(self, seqid: int) -> pb.Response:
        """The answer to the request with that seqid."""
        return (await self.wait_for(lambda command: command.HasField("response") and command.response.seqid == seqid)).response

    async def send(self, seqid: int, message: pb.Message, *, transient: bool = False) -> pb.Response:
        """Send a message and wait for the answer."""
        self.write(sending(seqid, message, transient=transient))
        return await self.answer(seqid)

    async def next_message(self) -> pb.Message:
        """The next message pushed; not acknowledged by this."""
        command = await self.wait_for(lambda command: command.HasField("request") and command.request.type == pb.MESSAGE)
        return pb.Message.FromString(command.request.payload)

    def ack(self, msgid: int) -> None:
        """Acknowledge a message."""
        self.write(acknowledging(msgid))

    async def pull(self, peer: str, after: int = 0, limit: int = 0) -> pb.Pulled:
        """Read the log of the conversation with a user (protocol §6)."""
        pull = pb.Sync(pull=pb.Pull(chat=pb.SINGLE, peer=peer, after=after, limit=limit))
        answer = await self.request(pb.SYNC, pull.SerializeToString())
        assert answer.code == pb.OK, answer
        return pb.Pulled.FromString(answer.payload)

    async def ping(self) -> pb.Pong:
        """A heartbeat, and its answer."""
        self.write(pb.Command(version=1, ping=pb.Ping()))
        return (await self.wait_for(lambda command: command.HasField("pong"))).pong

    async def disconnected(self) -> pb.Disconnect | None:
        """Wait for the server to end the connection; its last word."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    await self.read()
        except Closed as closed:
            return closed.disconnect

    async def close(self) -> None:
        """Hang up without a word."""
        self._writer.close()
        with suppress(OSError):  # the other side was faster
            await self._writer.wait_closed()
