"""A server that does what a test says: for what a real one can't be made to do."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder


class FakeConnection:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder(1 << 24)
        self._frames = self._decoder.frames()

    async def command(self) -> pb.Command | None:
        """The next command; None when the client has hung up."""
        while True:
            for frame in self._decoder.frames():
                return pb.Command.FromString(frame)
            with contextlib.suppress(ConnectionError):
                if data := await self._reader.read(65536):
                    self._decoder.feed(data)
                    continue
            return None

    async def request(self, kind: int = pb.MESSAGE) -> pb.Request:
        """The next request of that type; whatever comes before it is skipped."""
        while command := await self.command():
            if command.HasField("request") and command.request.type == kind:
                return command.request
        raise AssertionError("the client has hung up")

    async def ack(self) -> int:
        """The msgid of the next ack."""
        while command := await self.command():
            if command.HasField("response"):
                return command.response.seqid
        raise AssertionError("the client has hung up")

    def say(self, *commands: pb.Command) -> None:
        """Speak."""
        self._writer.write(b"".join(map(codec.frame, commands)))

    async def login(self, **conack: object) -> pb.Connect:
        """Let the client in; returns how it introduced itself."""
        command = await self.command()
        assert command
        fields = {"session": "s", "heartbeat_seconds": 30, "window": 256, "epoch": 7, "max_frame_bytes": 131072, **conack}
        self.say(pb.Command(conack=pb.ConAck(**fields)))
        return command.connect

    async def refuse(self, code: pb.Code, reason: str = "no") -> pb.Connect:
        """Answer the login with an error, and hang up."""
        command = await self.command()
        assert command
        self.say(pb.Command(conack=pb.ConAck(status=pb.STATUS_FAIL, code=code, reason=reason)))
        self._writer.close()
        return command.connect

    def disconnect(self, code: pb.DisconnectCode, reason: str = "") -> None:
        """Say why, and hang up."""
        self.say(pb.Command(disconnect=pb.Disconnect(code=code, reason=reason)))
        self._writer.close()

    def drop(self) -> None:
        """Cut the connection without a word."""
        self._writer.transport.abort()


class FakeServer:
    """Listens on a free port of the loopback interface."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[FakeConnection] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._accepted.put_nowait(FakeConnection(reader, writer))

    async def accept(self) -> FakeConnection:
        """The next connection."""
        return await self._accepted.get()

    @property
    def idle(self) -> bool:
        """Whether nobody has connected since the last `accept`."""
        return self._accepted.empty()
