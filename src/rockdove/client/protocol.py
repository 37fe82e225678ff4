"""A client's side of the protocol over all its connections, without any I/O: bytes in, bytes and events out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from google.protobuf.message import DecodeError

from rockdove.client.backoff import Backoff
from rockdove.client.content import Content
from rockdove.client.errors import Disconnected, LoginRefused, Refused, RockdoveError
from rockdove.client.events import Connected, Event, Reconnecting, Settled
from rockdove.client.heartbeat import Heartbeat
from rockdove.client.inbox import Gap, Inbox
from rockdove.client.message import Message, Sent, read_message, write_message
from rockdove.client.outbox import Outbox
from rockdove.client.peer import Peer, key_of, peer_of
from rockdove.client.pushes import read_push
from rockdove.client.requests import Requests
from rockdove.client.storage import Storage, Unsent
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import ProtocolError
from rockdove.wire.framing import FrameDecoder
from rockdove.wire.limits import FRAME_BYTES, HEARTBEAT_SECONDS, LOGIN_MS

Result = Sent | bytes | RockdoveError  # of a message, of any other request, or what went wrong

LOGIN_SECONDS: Final = LOGIN_MS / 1000
READ_FRAME_BYTES: Final = 16 * 1024 * 1024  # a page of 200 messages of 64 KiB, and some
STABLE_SECONDS: Final = 30.0  # a connection that lived this long starts the backoff anew
NEVER: Final = float("inf")

_LATER: Final = (pb.UNAVAILABLE, pb.RESOURCE_EXHAUSTED)  # try again with the same seqid (protocol §4)
CROWDED: Final = 3  # the attempt to begin the backoff with where everybody comes at once: up to 4 s
# The same for disconnects after which that is so, or which ask for restraint.
_CALMER: Final[dict[int | None, int]] = {pb.SERVER_SHUTDOWN: CROWDED, pb.FLOODING: 6}


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in. `token` is a password or a signed token; `client` is free text for operators."""

    org: str
    appkey: str
    user: str
    token: str
    device: str
    client: str


class Phase(Enum):
    """Of the connection."""

    AWAY = 0  # there is none
    LOGIN = 1  # waiting for the ConAck
    LIVE = 2


class Protocol:
    """Call `open`, `receive`, `lost` as the connection comes, speaks and goes, and `advance` after anything at all.

    Then send `output()`, and look at `events`, `results` and `end`. `now` is seconds on a monotonic clock,
    everywhere. `results` has (ticket, Result) for the tickets that `post` and `ask` returned.
    """

    def __init__(self, login: Login, storage: Storage, random: Callable[[], float]) -> None:
        self._login = login
        self._outbox = Outbox(storage)
        self._inbox = Inbox(storage, self._emit)
        self._requests = Requests()
        self._reconnects = Backoff(random)
        self._retries = Backoff(random)
        self._restored = {message.number for message in self._outbox}  # nobody here holds a ticket for these
        self._resume: tuple[str, float] | None = None  # token, when it expires
        self._resuming = False
        self._repair: tuple[int, Gap] | None = None  # the pull on its way, by seqid
        self._send_at = self._repair_at = 0.0  # not before
        self._out = bytearray()
        self._decoder = FrameDecoder(READ_FRAME_BYTES)
        self._heartbeat = Heartbeat(0.0)
        self._opened_at = 0.0
        self._max_frame_bytes = FRAME_BYTES
        self.phase = Phase.AWAY
        self.presence = b""  # what to publish after each login; the server forgets it with the connection
        self.end: RockdoveError | None = None  # why the connection is to be closed now
        self.events: list[Event] = []
        self.results: list[tuple[int, Result]] = []

    def _emit(self, event: Event) -> None:
        self.events.append(event)

    def output(self) -> bytes:
        """What to send now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    # ---------------------------------------------------------------- the application's side

    def post(self, to: Peer, content: Content, reply_to: int, mentions: Sequence[str]) -> tuple[int, Message]:
        """Keep a message until the server has it; returns its ticket, and how it looks until then.

        Durable on return if the storage is on disk.

        Raises Refused when it is beyond the protocol's limits or the outbox is full, OutboxUnusable when the disk fails.
        """
        unsent = self._outbox.post(key_of(to), write_message(to, content, reply_to, mentions))
        return unsent.number, self._own(unsent)

    def transient(self, to: Peer, content: Content) -> int:
        """Send to those online now, once, without keeping anything (protocol §4 opts); returns a ticket.

        Raises Disconnected when not logged in, Refused as `post`.
        """
        body = write_message(to, content, 0, ())
        if self.phase is not Phase.LIVE:
            raise Disconnected(None, "not connected, and a transient message is not kept for later")
        return self._requests.ask(pb.MESSAGE, body, (pb.Option(offline=False),), again=False)

    def ask(self, kind: pb.RequestType, payload: bytes, *, again: bool) -> int:
        """Any request but MESSAGE; returns a ticket. If `again`, it is repeated on the next connection until it is answered.

        Raises Disconnected when not logged in, for one that is not repeated.
        """
        if not again and self.phase is not Phase.LIVE:
            raise Disconnected(None, "not connected, and this request is not kept for later")
        return self._requests.ask(kind, payload, again=again)

    def forget(self, ticket: int) -> None:
        """Nobody waits for the answer to this request any more."""
        self._requests.answered(ticket)

    def acknowledge(self, message: Message) -> None:
        """The application is done with this message, and with all earlier ones of its conversation."""
        self._inbox.acknowledge(message)

    @property
    def unsent_count(self) -> int:
        """How many messages wait for their answer."""
        return len(self._outbox)

    def unsent(self) -> list[Message]:
        """The messages that wait for their answer, without msgid and seq."""
        return [self._own(unsent) for unsent in self._outbox]

    def _own(self, unsent: Unsent) -> Message:
        wire = pb.Message.FromString(unsent.body)
        setattr(wire, "from", self._login.user)
        return read_message(wire, self._login.user)

    # ---------------------------------------------------------------- the connection's side

    def open(self, now: float) -> None:
        """A connection is there: log in (protocol §3)."""
        self.end = None
        self.phase = Phase.LOGIN
        self._opened_at = now
        self._decoder = FrameDecoder(READ_FRAME_BYTES)
        token = self._login.token
        self._resuming = self._resume is not None and now < self._resume[1]
        if self._resume and self._resuming:
            token = self._resume[0]
        login = self._login
        connect = pb.Connect(
            org=login.org, appkey=login.appkey, user=login.user, token=token, device=login.device, client=login.client
        )
        self._write(pb.Command(version=1, connect=connect))

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the server. What they break is told by `end`."""
        self._heartbeat.heard(now, pong=False)
        self._decoder.feed(data)
        try:
            for frame in self._decoder.frames():
                self._take(pb.Command.FromString(frame), now)
                if self.end:
                    return
        except ProtocolError as error:
            self._give_up(error.code, error.reason)
        except DecodeError:
            self._give_up(pb.PROTOCOL_ERROR, "the server sent something that does not parse")

    def lost(self, now: float, reason: str) -> float:
        """The connection is gone, or there was none to be had. Returns the seconds to wait before the next try.

        Raises Disconnected or LoginRefused when trying again makes no sense: replaced, kicked, token refused.
        """
        if self.phase is Phase.AWAY or not self.end:  # what ended an earlier connection is no reason any more
            self.end = Disconnected(None, reason)
        end = self.end
        stable = self.phase is Phase.LIVE and now - self._opened_at >= STABLE_SECONDS
        self.phase = Phase.AWAY
        self._out.clear()
        self._outbox.lost()
        self._inbox.lost()
        if self._repair:
            self._requests.answered(self._repair[0])
            self._repair = None
        self.results += [(ticket, Disconnected(None, reason)) for ticket in self._requests.lost()]
        if stable:
            self._reconnects.reset()
        code = end.code if isinstance(end, Disconnected) else None
        resume_refused = self._resuming and isinstance(end, LoginRefused) and not end.retry
        if self._resume and (resume_refused or code == pb.TOKEN_EXPIRED):
            self._resume = None
            return 0.0  # once more, with the token that we were given
        if isinstance(end, Disconnected | LoginRefused) and not end.retry:
            raise end
        crowded = isinstance(end, LoginRefused) and end.code == pb.UNAVAILABLE  # too many log in already
        delay = self._reconnects.next_delay(CROWDED if crowded else _CALMER.get(code, 0))
        self._emit(Reconnecting(delay, code, str(end)))
        return delay

    def leave(self) -> None:
        """Say goodbye (protocol §3)."""
        if self.phase is Phase.LIVE:
            self._write(pb.Command(version=1, disconnect=pb.Disconnect(code=pb.NORMAL)))

    def advance(self, now: float) -> None:
        """Do everything that is due: acks, repairs, requests, messages, heartbeat."""
        acks = self._inbox.acks()  # offline too: it notes on disk how far the application has come
        if self.phase is Phase.LOGIN and now >= self._opened_at + LOGIN_SECONDS:
            self._give_up(None, "the server does not answer the login")
        if self.phase is not Phase.LIVE:
            return
        for msgid in acks:
            self._write(pb.Command(version=1, response=pb.Response(seqid=msgid)))
        if now >= self._repair_at:
            self._repair_at = 0.0
            self._ask_for_gap()
        for request in self._requests.unwritten():
            self._write(pb.Command(version=1, request=request))
        if now >= self._send_at:
            self._send_at = 0.0
            while message := self._outbox.next():
                self._send(message)
        self._heartbeat.awaiting(now, due=self._outbox.awaiting or self._requests.awaiting)
        if self._heartbeat.dead(now):
            self._give_up(None, "the server does not answer")
        elif self._heartbeat.ping_due(now):
            self._write(pb.Command(version=1, ping=pb.Ping()))

    def deadline(self) -> float:
        """When `advance` is due next, if nothing happens until then."""
        if self.phase is Phase.AWAY:
            return NEVER
        if self.phase is Phase.LOGIN:
            return self._opened_at + LOGIN_SECONDS
        return min([self._heartbeat.deadline(), *(at for at in (self._send_at, self._repair_at) if at)])

    # ---------------------------------------------------------------- writing

    def _write(self, command: pb.Command) -> None:
        self._out += codec.frame(command)

    def _send(self, message: Unsent) -> None:
        request = pb.Request(type=pb.MESSAGE, payload=message.body, seqid=message.seqid)
        command = pb.Command(version=1, request=request)
        size = command.ByteSize()
        if size > self._max_frame_bytes:  # it would end this connection, and each one after it
            reason = f"the message is {size} bytes, this server reads at most {self._max_frame_bytes}"
            self._settle(message, Refused(pb.INVALID_ARGUMENT, reason))
        else:
            self._write(command)

    def _ask_for_gap(self) -> None:
        if self._repair or not (gap := self._inbox.gap(self._outbox.unsettled)):
            return
        pull = pb.Pull(peer=gap.key[1], after=gap.after, limit=gap.limit)
        pull.chat = gap.key[0]  # type: ignore[assignment]  # an open enum
        self._repair = self._requests.ask(pb.SYNC, pb.Sync(pull=pull).SerializeToString()), gap

    def _give_up(self, code: int | None, reason: str) -> None:
        self.end = Disconnected(code, reason)

    # ---------------------------------------------------------------- reading

    def _take(self, command: pb.Command, now: float) -> None:
        if command.HasField("disconnect"):
            self._give_up(command.disconnect.code, command.disconnect.reason)
        elif command.HasField("conack") and self.phase is Phase.LOGIN:
            self._logged_in(command.conack, now)
        elif self.phase is not Phase.LIVE:
            self._give_up(pb.PROTOCOL_ERROR, "the server spoke before it answered the login")
        elif command.HasField("request"):
            self._pushed(command.request)
        elif command.HasField("response"):
            self._answered(command.response, now)
        elif command.HasField("pong"):
            self._heartbeat.heard(now, pong=True)

    def _logged_in(self, conack: pb.ConAck, now: float) -> None:
        if conack.status != pb.STATUS_OK:
            self.end = LoginRefused(int(conack.code), conack.reason)
            return
        self.phase = Phase.LIVE
        self._heartbeat = Heartbeat(now, conack.heartbeat_seconds or HEARTBEAT_SECONDS)
        self._max_frame_bytes = conack.max_frame_bytes or FRAME_BYTES
        if conack.resume_token:
            lifetime = (conack.resume_expires_at - conack.server_time) / 1000  # both on the server's clock
            self._resume = conack.resume_token, now + lifetime
        self._outbox.login(conack.last_seqid)
        if self.presence:
            self._requests.ask(pb.PRESENCE, self.presence)
        self._emit(Connected(conack.session, self._inbox.login(conack.epoch, conack.window)))

    def _pushed(self, request: pb.Request) -> None:
        if request.type == pb.MESSAGE:
            self._inbox.offer(read_message(pb.Message.FromString(request.payload), self._login.user))
        else:
            self.events += read_push(request, self._login.user)

    def _answered(self, response: pb.Response, now: float) -> None:
        if message := self._outbox.answered(response.seqid):
            self._message_answered(message, response, now)
        elif self._requests.answered(response.seqid):
            if self._repair and self._repair[0] == response.seqid:
                self._gap_answered(self._repair[1], response, now)
            else:
                self.results.append((response.seqid, _result(response)))

    def _message_answered(self, message: Unsent, response: pb.Response, now: float) -> None:
        if response.code in _LATER:
            self._outbox.defer(message)
            self._send_at = now + self._retries.next_delay()
        elif response.code:
            self._settle(message, Refused(response.code, response.reason))
        else:
            sent = pb.Sent.FromString(response.payload)
            self._retries.reset()
            self._settle(message, Sent(peer_of(*message.key), sent.msgid, sent.seq, sent.timestamp))

    def _settle(self, message: Unsent, result: Sent | Refused) -> None:
        place = self._inbox.sent(message.key, result.seq) if isinstance(result, Sent) else None
        self._outbox.settle(message, place)
        if message.number in self._restored:
            self._restored.discard(message.number)
            self._emit(Settled(self._own(message), result))
        else:
            self.results.append((message.number, result))

    def _gap_answered(self, gap: Gap, response: pb.Response, now: float) -> None:
        self._repair = None
        if response.code in _LATER:
            self._repair_at = now + self._retries.next_delay()
            return
        # Refused for good: what we are not allowed to see is as missing as what has expired.
        pulled = pb.Pulled.FromString(response.payload) if not response.code else pb.Pulled()
        self._inbox.pulled(gap, [read_message(each, self._login.user) for each in pulled.messages])


def _result(response: pb.Response) -> bytes | Refused:
    return Refused(response.code, response.reason) if response.code else response.payload
