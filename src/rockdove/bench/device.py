"""One device of one user: a connection that is light, so that the load does not measure itself."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from struct import Struct
from typing import Final, NamedTuple, cast

from rockdove.bench import checking, texts
from rockdove.bench.accounts import DEVICE, Account
from rockdove.bench.checking import Inbox
from rockdove.bench.errors import BenchError
from rockdove.bench.traffic import Flow, Traffic
from rockdove.wire import codec, limits
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

_REQUEST: Final = b"\x08\x01\x32"  # Command{version: 1, request}, up to its length
_SEQID: Final = Struct("<Q")
_ACK: Final = codec.response(1)[: -_SEQID.size]
_PING: Final = codec.frame(pb.Command(version=1, ping=pb.Ping()))
_GOODBYE: Final = codec.frame(pb.Command(version=1, disconnect=pb.Disconnect()))
_NEVER_MESSAGES: Final = 1 << 62  # seqids of other requests begin here
ANSWER_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 30.0
LEAVE_SECONDS: Final = 10.0


class Busy(Exception):
    """The server says: come again."""


class Unanswered(NamedTuple):
    """A message on its way. The frame is kept, as it is sent again after a cut."""

    seqid: bytes
    flow: Flow
    mark: texts.Mark
    frame: bytes


class Device(asyncio.Protocol):
    """Lives longer than its connections. Acknowledges whatever is pushed, at once."""

    def __init__(self, traffic: Traffic, account: Account, address: tuple[str, int]) -> None:
        self.name = account.name
        self.inboxes: dict[str, Inbox] = {}
        self.resume_token = ""
        self.here = False  # logged in
        self.heartbeat_seconds = limits.HEARTBEAT_SECONDS
        self._pinged_ns = 0
        self._since_ns = 0  # when it began to log in
        self._account = account
        self._address = address
        self._traffic = traffic
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder(1 << 20)
        self._out: list[bytes] = []
        self._unanswered: deque[Unanswered] = deque()
        self._requests: dict[int, asyncio.Future[pb.Response]] = {}
        self._seqid = time.time_ns() & (1 << 61) - 1  # no other run has used it for this device
        self._login: asyncio.Future[pb.ConAck] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._leaving = False

    def open_inbox(self, conversation: str) -> Inbox:
        """What this device has of a conversation."""
        return self.inboxes.setdefault(conversation, Inbox(self._traffic.faults))

    # ---------------------------------------------------------------- coming and going

    async def log_in(self, token: str | None = None) -> None:
        """Connect, with the resume token if that is given; then send again what was not answered.

        Raises BenchError when it cannot be done, Busy when the server wants it to be tried later.
        """
        loop = asyncio.get_running_loop()
        self._since_ns = time.monotonic_ns()
        self._login, self._gone, self._leaving = loop.create_future(), loop.create_future(), False
        host, port = self._address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: self, host, port)
        except (OSError, TimeoutError) as error:
            raise BenchError("bench_no_connection", server=f"{host}:{port}", reason=error or "timeout") from None
        account = self._account
        connect = pb.Connect(org=account.org, appkey=account.appkey, user=account.name, token=token or account.token)
        connect.device, connect.client = DEVICE, "rockdove bench"
        self._write(codec.frame(pb.Command(version=1, connect=connect)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._login
        except TimeoutError:
            raise BenchError("bench_no_login", user=self.name, reason="timeout") from None
        finally:
            self._login = None
        if answer.code == pb.UNAVAILABLE:
            await self.leave()
            raise Busy
        if answer.status != pb.STATUS_OK:
            raise BenchError("bench_no_login", user=self.name, reason=answer.reason)
        self.resume_token = answer.resume_token
        self.heartbeat_seconds = answer.heartbeat_seconds or self.heartbeat_seconds
        self.here = True
        for message in self._unanswered:
            self._write(message.frame)

    async def leave(self) -> None:
        """Log out."""
        self._leaving, self.here = True, False
        if self._transport:
            self._write(_GOODBYE)
            self.flush()
            self._transport.close()
        if self._gone:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await asyncio.shield(self._gone)
                return
            await self.cut()  # the server does not read

    async def cut(self) -> None:
        """Lose the connection, as a phone does in a tunnel: the server is not told."""
        self._leaving, self.here = True, False
        if self._transport:
            self._transport.abort()
        if self._gone:
            await self._gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._decoder = FrameDecoder(1 << 20)
        for inbox in self.inboxes.values():
            inbox.reconnected()

    def connection_lost(self, exc: Exception | None) -> None:
        """From asyncio."""
        self._transport, self.here = None, False
        self._out.clear()
        if self._gone and not self._gone.done():
            self._gone.set_result(None)
        if self._login and not self._login.done():
            self._login.set_result(pb.ConAck(status=pb.STATUS_FAIL, code=pb.UNAVAILABLE, reason=str(exc or "closed")))
        elif not self._leaving:
            self._traffic.faults[checking.CUT] += 1
        for answer in self._requests.values():
            answer.set_exception(ConnectionResetError())
        self._requests.clear()

    # ---------------------------------------------------------------- sending

    def send(self, flow: Flow, mark: texts.Mark) -> None:
        """Send a message, or keep it for the next connection."""
        self._seqid += 1
        frame = flow.template.frame(mark, self._seqid)
        self._unanswered.append(Unanswered(_SEQID.pack(self._seqid), flow, mark, frame))
        if self.here:
            self._write(frame)
        if self._traffic.paced:
            self._traffic.sent.add(time.monotonic_ns() - mark.due_ns)

    def ping(self) -> None:
        """Say that it lives."""
        if self.here:
            self._pinged_ns = time.monotonic_ns()
            self._write(_PING)

    def tell(self, kind: pb.RequestType, payload: bytes) -> None:
        """A request whose answer matters only if it is an error."""
        self._write(codec.frame(_request(kind, payload, self._next_request())))

    async def ask(self, kind: pb.RequestType, payload: bytes) -> pb.Response:
        """The answer to any request. Raises BenchError when it is an error, or none comes."""
        seqid = self._next_request()
        answer = self._requests[seqid] = asyncio.get_running_loop().create_future()
        self._write(codec.frame(_request(kind, payload, seqid)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response: pb.Response = await answer
        except (TimeoutError, ConnectionResetError):
            raise BenchError("bench_no_answer", user=self.name) from None
        if response.code:
            raise BenchError("bench_refused", user=self.name, reason=response.reason)
        return response

    def _next_request(self) -> int:
        self._seqid += 1
        return self._seqid | _NEVER_MESSAGES

    def _write(self, frame: bytes) -> None:
        if not self._out:
            self._traffic.write_later(self)
        self._out.append(frame)

    def flush(self) -> None:
        """Write what this turn of the loop has brought."""
        if self._transport and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # ---------------------------------------------------------------- receiving

    def data_received(self, data: bytes) -> None:
        """From asyncio."""
        now_ns = time.monotonic_ns()
        self._decoder.feed(data)
        for frame in self._decoder.frames():
            if frame.startswith(_REQUEST):
                self._pushed(frame, now_ns)
            elif not self._unanswered or not (seq := texts.read_sent(frame, self._unanswered[0].seqid)):
                self._other(pb.Command.FromString(frame))
            else:
                self._take_answer(seq, now_ns)

    def _take_answer(self, seq: int, now_ns: int) -> None:
        _, flow, mark, _ = self._unanswered.popleft()
        if mark.due_ns >= self._since_ns:  # else it was the sender who was away
            self._traffic.answered.add(now_ns - mark.due_ns)
        self.inboxes[flow.conversation].own(seq)
        flow.answered += 1
        self._traffic.answers += 1
        self._traffic.heard(flow)
        self._traffic.came(flow, mark.number)

    def _pushed(self, frame: bytes, now_ns: int) -> None:
        traffic = self._traffic
        found = texts.read_mark(frame, traffic.tag)
        if not found:
            self._other(pb.Command.FromString(frame))
            return
        self._write(_ACK + frame[-8:])
        mark, at = found
        flow = traffic.flow(mark.flow)
        inbox = self.inboxes.get(flow.conversation) if flow else None
        if not flow or not inbox:
            traffic.faults[checking.STRAY] += 1
            return
        seq = texts.read_seq(frame, at, flow.template.tail)
        if not seq:
            traffic.faults[checking.ALTERED] += 1
        elif inbox.pushed(seq):
            inbox.numbered(mark.flow, mark.number)
            traffic.deliveries += 1
            if mark.due_ns >= self._since_ns:
                traffic.received.add(now_ns - mark.due_ns)
            else:
                traffic.caught_up.add(now_ns - self._since_ns)
            traffic.read(self, flow, seq)
            traffic.came(flow, mark.number)

    def _other(self, command: pb.Command) -> None:
        """Whatever comes seldom."""
        if command.HasField("request"):
            self._other_request(command.request)
        elif command.HasField("response"):
            self._other_response(command.response)
        elif command.HasField("pong"):
            self._traffic.heartbeats.add(time.monotonic_ns() - self._pinged_ns)
        elif command.HasField("conack") and self._login and not self._login.done():
            self._login.set_result(command.conack)

    def _other_request(self, request: pb.Request) -> None:
        """A notice, a message of another run, or news that want no ack."""
        if not request.seqid:
            self._traffic.news += 1
            return
        self._write(_ACK + _SEQID.pack(request.seqid))
        message = pb.Message.FromString(request.payload)
        if message.chat == pb.GROUP_CHAT and (inbox := self.inboxes.get(f"#{message.to}")):
            inbox.pushed(message.seq)

    def _other_response(self, response: pb.Response) -> None:
        """An answer to something else than a message, or an error."""
        seqid = _SEQID.pack(response.seqid)
        answer = self._requests.pop(response.seqid, None)
        if answer:
            with suppress(asyncio.InvalidStateError):
                answer.set_result(response)
        elif response.code:
            self._traffic.faults[checking.REFUSED] += 1
            if self._unanswered and self._unanswered[0].seqid == seqid:
                _, flow, mark, _ = self._unanswered.popleft()
                flow.refuse(mark.number)
        elif any(message.seqid == seqid for message in self._unanswered):
            while self._unanswered[0].seqid != seqid:  # those before were passed over
                self._unanswered.popleft()
            self._take_answer(pb.Sent.FromString(response.payload).seq, time.monotonic_ns())
        elif not response.seqid & _NEVER_MESSAGES:
            self._traffic.faults[checking.DOUBLED] += 1  # nobody asked, or it was answered before


def _request(kind: pb.RequestType, payload: bytes, seqid: int) -> pb.Command:
    return pb.Command(version=1, request=pb.Request(type=kind, payload=payload, seqid=seqid))
