"""The server's side of the protocol, word by word, for tests of the core without I/O."""

from rockdove.client.content import Text
from rockdove.client.protocol import Login, Protocol
from rockdove.client.storage import Storage
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

OWNER = "alice@default/default"
LOGIN = Login("default", "default", "alice", "secret", "phone", "test")


def push(
    seq: int, peer: str = "bob", *, text: str = "", msgid: int = 0, chat: pb.Chat = pb.SINGLE, sender: str = ""
) -> pb.Command:
    """The push of a message of the conversation with `peer`."""
    message = pb.Message(
        payload=pb.MessageTxt(txt=text or f"{peer} {seq}").SerializeToString(),
        to=peer if chat == pb.GROUP_CHAT or sender == "alice" else "alice",
        chat=chat,
        msgid=msgid or msgid_of(peer, seq),
        seq=seq,
        timestamp=1_700_000_000_000 + seq,
    )
    setattr(message, "from", sender or ("carol" if chat == pb.GROUP_CHAT else peer))
    return pb.Command(request=pb.Request(payload=message.SerializeToString(), seqid=message.msgid))


def message_of(command: pb.Command) -> pb.Message:
    """The message that a request carries."""
    return pb.Message.FromString(command.request.payload)


def msgid_of(peer: str, seq: int) -> int:
    """Different for every message of these tests."""
    return sum(map(ord, peer)) << 32 | seq


def sent(seqid: int, seq: int, peer: str = "bob") -> pb.Command:
    """The answer that a message is stored."""
    result = pb.Sent(msgid=msgid_of(peer, seq), seq=seq, timestamp=1_700_000_000_000 + seq)
    return pb.Command(response=pb.Response(seqid=seqid, payload=result.SerializeToString()))


def refused(seqid: int, code: pb.Code, reason: str = "no") -> pb.Command:
    """An error answer."""
    return pb.Command(response=pb.Response(seqid=seqid, code=code, reason=reason))


class Peer:
    """A Protocol with its server at hand. `now` is the time of both."""

    def __init__(self, storage: Storage | None = None, login: Login = LOGIN) -> None:
        self.storage = storage or Storage(None, OWNER)
        self.now = 1000.0
        self.random = 0.5
        self.protocol = Protocol(login, self.storage, lambda: self.random)

    def heard(self) -> list[pb.Command]:
        """What the client has to say now."""
        self.protocol.advance(self.now)
        decoder = FrameDecoder(1 << 24)
        decoder.feed(self.protocol.output())
        return [pb.Command.FromString(frame) for frame in decoder.frames()]

    def requests(self, kind: int = pb.MESSAGE) -> list[pb.Request]:
        """The requests of that type in what the client has to say now."""
        return [command.request for command in self.heard() if command.HasField("request") and command.request.type == kind]

    def acks(self) -> list[int]:
        """The msgids that the client acknowledges now."""
        return [command.response.seqid for command in self.heard() if command.HasField("response")]

    def say(self, *commands: pb.Command) -> None:
        """The server speaks."""
        self.protocol.receive(b"".join(map(codec.frame, commands)), self.now)

    def login(self, **conack: object) -> pb.Connect:
        """A connection, and a successful login; returns how the client introduced itself."""
        self.protocol.open(self.now)
        (command,) = self.heard()
        fields = {"session": "s1", "heartbeat_seconds": 30, "window": 256, "epoch": 7, "max_frame_bytes": 131072, **conack}
        self.say(pb.Command(conack=pb.ConAck(**fields)))
        return command.connect

    def post(self, text: str, to: str = "bob") -> int:
        """The application posts a text; returns its ticket."""
        return self.protocol.post(to, Text(text), 0, ())[0]

    def received(self) -> list[str]:
        """The texts of the messages which the application gets now, in their order. It acknowledges none of them."""
        texts = [event.message.text for event in self.protocol.events if hasattr(event, "message")]
        self.protocol.events.clear()
        return texts

    def take(self) -> list[str]:
        """As `received`, and the application acknowledges each."""
        messages = [event.message for event in self.protocol.events if hasattr(event, "message")]
        self.protocol.events.clear()
        for message in messages:
            self.protocol.acknowledge(message)
        return [message.text for message in messages]
