"""A client that keeps its side of the protocol, on the network that the seed gives it."""

from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import TYPE_CHECKING, Final

from rockdove.wire import im_pb2 as pb
from tests.history.content import group_conversation, seen, single_conversation
from tests.history.events import (
    Acked,
    Answered,
    Asked,
    Invoked,
    LoggedIn,
    LogsIn,
    Pinged,
    Ponged,
    Pulled,
    Received,
    Refused,
    Sent,
)
from tests.raw import acknowledging, framed, sending, text_message
from tests.simulation.clock import MS
from tests.simulation.network import Connection

if TYPE_CHECKING:
    from tests.simulation.world import World

PING_US: Final = 30_000 * MS
SILENCE_US: Final = 75_000 * MS  # of the server; then the client gives a connection up
RECHECK_US: Final = 10_000 * MS  # from a heartbeat until the server has looked whether the session may go on
PATIENCE_US: Final = 3_000 * MS  # of a login, where another node may be faster
PULL_SEQID: Final = 1 << 50  # from here on: far from those of messages
ASK_SEQID: Final = 1 << 52  # the same for changes of groups


class Acking(Enum):
    """How a client acknowledges on one connection."""

    AT_ONCE = auto()
    LATE = auto()  # only the newest of each conversation, now and then
    OLDEST = auto()  # with seqid 0, as clients of the founding schema do
    NEVER = auto()


@dataclass
class Message:
    """What this device wants to send."""

    seqid: int
    to: str
    words: str
    to_group: bool = False
    transient: bool = False

    def conversation_of(self, user: str) -> str:
        """Where it goes, when this user sends it."""
        return group_conversation(self.to) if self.to_group else single_conversation(user, self.to)


@dataclass
class Wish:
    """A change of a group that this device asks for."""

    seqid: int
    group: str
    request: pb.Group


@dataclass
class Line:
    """What a client keeps of one connection."""

    connection: Connection
    acking: Acking
    alone: bool  # when it was begun, all earlier ones had been given up
    online: bool = False
    replaced: bool = False  # by a later login: what still comes here is old
    unread: bytearray = field(default_factory=bytearray)
    unacked: dict[int, tuple[str, int]] = field(default_factory=dict)  # by msgid, as pushed: conversation and seq
    acked: set[int] = field(default_factory=set)
    heard_us: int = 0
    ack_armed: bool = False


class Device:
    """One installation of a client, and all its connections."""

    def __init__(self, world: "World", user: str, name: str, random: Random) -> None:
        self.world = world
        self.user = user
        self.name = name
        self.acking = list(Acking)  # what it may do on its next connection
        self.lines: dict[int, Line] = {}  # by number of the connection, those still open
        self.pushes: list[tuple[int, str, int]] = []  # (connection, conversation, seq) of everything pushed
        self.outbox: dict[int, Message] = {}  # not answered yet, in order
        self.answered: list[Message] = []
        self.wishes: dict[int, Wish] = {}  # not answered yet
        self.known = False  # to the server
        self.wanted = True  # online
        self._random = random
        self._seqid = random.choice([0, 0, 1 << 40, (1 << 63) - 5])
        self._wished = 0
        self._connecting = False
        self._newest = 0  # the number of the connection that was begun last

    def __str__(self) -> str:
        return f"{self.user}/{self.name}"

    @property
    def line(self) -> Line | None:
        """The connection that logged in last."""
        return next((line for line in self.lines.values() if line.online and not line.replaced), None)

    # -- connecting

    def connect_soon(self, within_ms: int = 500) -> None:
        """Make a connection unless there is one, or one is being made."""
        if self.wanted and not self._connecting:
            self._connecting = True
            self.world.clock.after(self._random.randrange(within_ms) * MS, self._connect_once)

    def _connect_once(self) -> None:
        self._connecting = False
        if self.wanted and not self.lines:
            self.connect()

    def connect(self) -> None:
        """Make a connection, perhaps beside others."""
        connection = self.world.open_connection(self)
        if connection is None:  # the server is down
            self.connect_soon()
            return
        self._newest = connection.number
        line = Line(connection, self._random.choice(self.acking), alone=not self.lines)
        self.lines[connection.number] = line
        line.heard_us = self.world.clock.now_us
        self.world.note(f"{self} connects on {connection.number}, acks {line.acking.name}")
        connect = pb.Connect(
            org="default", appkey="default", user=self.user, device=self.name, token=self.world.password(self.user)
        )
        self.world.happened(LogsIn(connection.number))
        self._write(line, pb.Command(version=1, connect=connect))
        self.world.clock.after(PING_US, lambda: self._heartbeat(line))
        if self.world.plan.nodes > 1:
            self.world.clock.after(PATIENCE_US, lambda: None if line.online else self._drop(line))

    def hang_up(self) -> None:
        """Close all connections, without a word."""
        for line in list(self.lines.values()):
            self._drop(line)

    def _drop(self, line: Line) -> None:
        if self.lines.pop(line.connection.number, None) is not None:
            line.connection.hang_up()
            self.connect_soon()

    def lost(self, connection: Connection) -> None:
        self.world.note(f"{self} loses {connection.number}")
        self.lines.pop(connection.number, None)
        self.connect_soon()

    def _heartbeat(self, line: Line) -> None:
        if line.connection.number not in self.lines:
            return
        if self.world.clock.now_us - line.heard_us > SILENCE_US:
            self._drop(line)
            return
        if line.online and not self.world.quiet:
            self.ping(line)
        self.world.clock.after(PING_US, lambda: self._heartbeat(line))

    def ping(self, line: Line) -> None:
        """Say that we are here."""
        self.world.pinged(Pinged(line.connection.number))
        self._write(line, pb.Command(version=1, ping=pb.Ping()))
        if self.world.calm:
            self.world.clock.after(RECHECK_US, lambda: self._check(line.connection))

    def _check(self, connection: Connection) -> None:
        """A heartbeat ends a session that a later login has replaced, also where nobody else has told of it."""
        session = connection.session
        if session is not None and session.live and not connection.broken:
            newest = self.world.newest_login(self.user, self.name)
            self.world.check(session.login == newest, f"{self} still has {connection.number} after a heartbeat")

    # -- sending

    def send(self, to: str, words: str, *, to_group: bool = False, transient: bool = False) -> None:
        """Have a message sent, now or once there is a connection."""
        self._seqid += self._random.choice([1, 1, 1, 7])
        message = Message(self._seqid, to, words, to_group, transient)
        if transient:
            if self.line is not None:  # never retried
                self.world.transient.add(words)
                self._invoke(self.line, message)
            return
        self.outbox[message.seqid] = message
        if self.line is not None:
            self._invoke(self.line, message)

    def repeat(self) -> None:
        """Ask for something again that was answered."""
        if self.answered and self.line is not None:
            self._invoke(self.line, self._random.choice(self.answered))

    def _invoke(self, line: Line, message: Message) -> None:
        if not message.transient:
            conversation = message.conversation_of(self.user)
            self.world.happened(Invoked(line.connection.number, message.seqid, conversation, message.words.encode()))
        body = text_message(message.to, message.words)
        body.chat = pb.GROUP_CHAT if message.to_group else pb.SINGLE
        self._write(line, sending(message.seqid, body, transient=message.transient))

    def wish(self, group: str, request: pb.Group) -> None:
        """Have a group changed, now or once there is a connection."""
        self._wished += 1
        wish = self.wishes[self._wished] = Wish(ASK_SEQID + self._wished, group, request)
        if self.line is not None:
            self._ask(self.line, wish)

    def _ask(self, line: Line, wish: Wish) -> None:
        payload = wish.request.SerializeToString()
        self.world.happened(Asked(line.connection.number, wish.seqid, group_conversation(wish.group), payload))
        request = pb.Request(type=pb.GROUP, seqid=wish.seqid, payload=payload)
        self._write(line, pb.Command(version=1, request=request))

    def _write(self, line: Line, command: pb.Command) -> None:
        line.connection.send(framed(command))

    # -- receiving

    def received(self, connection: Connection, data: bytes, written_ms: int) -> None:
        line = self.lines.get(connection.number)
        if line is None or line.replaced:
            return
        line.heard_us = self.world.clock.now_us
        line.unread += data
        while (command := _next_command(line.unread)) is not None:
            self._take(line, command, written_ms)

    def _take(self, line: Line, command: pb.Command, written_ms: int) -> None:
        number = line.connection.number
        if command.HasField("conack"):
            self._logged_in(line, command.conack)
        elif command.HasField("request") and command.request.type == pb.MESSAGE:
            self._pushed(line, command.request, written_ms)
        elif command.HasField("response"):
            self._answer(line, command.response)
        elif command.HasField("pong"):
            self.world.pinged(Ponged(number))
        elif command.HasField("disconnect"):
            self.world.note(f"{self} is told on {number}: {command.disconnect.reason}")
            if command.disconnect.code == pb.REPLACED:
                rightly = self._newest > number or not line.alone
                self.world.check(rightly, f"{self} is replaced on {number} by a login that it had given up")

    def _logged_in(self, line: Line, ack: pb.ConAck) -> None:
        if ack.status != pb.STATUS_OK:
            self.world.note(f"{self} is refused: {ack.reason}")
            return
        for other in self.lines.values():
            other.replaced = other.replaced or other.online
        line.online = self.known = True
        self.world.happened(LoggedIn(line.connection.number, self.user, self.name))
        for message in list(self.outbox.values()):
            self._invoke(line, message)
        for wish in list(self.wishes.values()):
            self._ask(line, wish)

    def _answer(self, line: Line, response: pb.Response) -> None:
        number = line.connection.number
        if PULL_SEQID <= response.seqid < PULL_SEQID << 1:
            self._pulled(line, response)
            return
        if ASK_SEQID <= response.seqid < ASK_SEQID << 1:
            self._granted(line, response)
            return
        message = self.outbox.get(response.seqid) or next((m for m in self.answered if m.seqid == response.seqid), None)
        if message is None:  # transient
            return
        if response.code == pb.OK:
            sent = pb.Sent.FromString(response.payload)
            self.world.happened(Sent(number, response.seqid, sent.msgid, sent.seq))
            if self.outbox.pop(response.seqid, None):
                self.answered.append(message)
            return
        self.world.happened(Refused(number, response.seqid, response.code))
        if response.code == pb.UNAVAILABLE:
            self.world.clock.after(self._random.randrange(1, 2_000) * MS, lambda: self._try_again(message))
        else:
            self.outbox.pop(response.seqid, None)

    def _granted(self, line: Line, response: pb.Response) -> None:
        self.world.happened(Answered(line.connection.number, response.seqid, response.code))
        number = response.seqid - ASK_SEQID
        if response.code == pb.UNAVAILABLE:
            self.world.clock.after(self._random.randrange(1, 2_000) * MS, lambda: self._ask_again(number))
        else:
            self.wishes.pop(number, None)

    def _ask_again(self, number: int) -> None:
        if number in self.wishes and self.line is not None:
            self._ask(self.line, self.wishes[number])

    def _try_again(self, message: Message) -> None:
        if message.seqid in self.outbox and self.line is not None:
            self._invoke(self.line, message)

    def _pushed(self, line: Line, request: pb.Request, written_ms: int) -> None:
        message = pb.Message.FromString(request.payload)
        _, seq, conversation, sender, content = seen(message)
        if not request.seqid:
            words = content.decode()
            self.world.check(words in self.world.transient, f"{words!r} was pushed as transient")
            self.world.check(not message.seq, f"transient {words!r} has a seq")
            return
        number = line.connection.number
        # The 30 s until it comes again begin a little before it is written, when the node asks its store for it.
        at_ms = written_ms + written_ms // 100
        self.world.happened(Received(number, request.seqid, seq, conversation, sender, content, at_ms))
        self.pushes.append((number, conversation, seq))
        if request.seqid in line.acked:
            return  # it came again while our ack was on its way
        line.unacked.setdefault(request.seqid, (conversation, seq))
        self.world.check(len(line.unacked) <= self.world.plan.window, f"the window of {number} is overrun")
        if line.acking is Acking.AT_ONCE:
            self._ack(line, request.seqid, request.seqid)
        elif line.acking is Acking.OLDEST:
            self._ack(line, next(iter(line.unacked)), 0)
        elif line.acking is Acking.LATE and not line.ack_armed:
            line.ack_armed = True
            self.world.clock.after(self._random.randrange(400) * MS, lambda: self._ack_late(line))

    def _ack_late(self, line: Line) -> None:
        line.ack_armed = False
        self.ack_all(line)

    def ack_all(self, line: Line) -> None:
        """Acknowledge whatever was pushed, the newest of each conversation only."""
        newest = {conversation: msgid for msgid, (conversation, _) in sorted(line.unacked.items())}
        for msgid in newest.values():
            self._ack(line, msgid, msgid)

    def _ack(self, line: Line, msgid: int, seqid: int) -> None:
        if msgid not in line.unacked or line.connection.number not in self.lines:
            return
        self.world.happened(Acked(line.connection.number, msgid))
        conversation, seq = line.unacked[msgid]
        for earlier in [m for m, (c, s) in line.unacked.items() if c == conversation and s <= seq]:
            del line.unacked[earlier]
            line.acked.add(earlier)
        self._write(line, acknowledging(seqid))

    # -- pulling

    def pull(self, peers: list[str], groups: list[str]) -> None:
        """Read logs."""
        if self.line is None:
            return
        chats = [(pb.SINGLE, peer) for peer in peers] + [(pb.GROUP_CHAT, group) for group in groups]
        for number, (chat, peer) in enumerate(chats):
            pull = pb.Sync(pull=pb.Pull(chat=chat, peer=peer, limit=200))
            request = pb.Request(type=pb.SYNC, seqid=PULL_SEQID + number, payload=pull.SerializeToString())
            self._write(self.line, pb.Command(version=1, request=request))

    def _pulled(self, line: Line, response: pb.Response) -> None:
        for message in pb.Pulled.FromString(response.payload).messages:
            found = seen(message)
            self.world.check(found.content.decode() not in self.world.transient, f"transient {found.content!r} was stored")
            self.world.happened(Pulled(line.connection.number, *found))


def _next_command(unread: bytearray) -> pb.Command | None:
    """Cut the first frame off, if it is whole."""
    length = shift = at = 0
    while True:
        if at == len(unread):
            return None
        byte = unread[at]
        length |= (byte & 127) << shift
        shift += 7
        at += 1
        if byte < 128:
            break
    if len(unread) < at + length:
        return None
    command = pb.Command.FromString(bytes(unread[at : at + length]))
    del unread[: at + length]
    return command
