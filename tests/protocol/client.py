"""A client for tests that says one thing at a time, over whatever carries its bytes."""

from collections.abc import Callable
from itertools import count
from typing import Any, Protocol, Self

from rockdove.wire import im_pb2 as pb
from tests.raw import acknowledging, framed, sending, text_message

PASSWORD = "correct horse battery staple"  # of every user in these tests


class Pipe(Protocol):
    """The client's end of one connection."""

    def write(self, data: bytes) -> None:
        """Send bytes; into a connection that has ended they are lost."""

    def more(self) -> bytes:
        """What has come since the last call, after waiting for something to come; empty when nothing will."""

    @property
    def ended(self) -> bool:
        """Whether the server has closed the connection."""

    @property
    def pings_to_settle(self) -> bool:
        """Whether only the answer to a Ping tells that everything has come."""

    def hang_up(self) -> None:
        """Close without a word."""


def frame_at(data: bytes, at: int) -> slice | None:
    """Where the frame is whose length stands at `at`; None if it is not all there."""
    length = shift = 0
    for start, byte in enumerate(data[at : at + 5], at + 1):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return slice(start, start + length) if start + length <= len(data) else None
    return None


class Client:
    """One connection, and what has come over it and was not looked at yet."""

    _seqids = count(1 << 40)  # of requests that name none; far from what tests choose themselves

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.inbox: list[pb.Command] = []
        self._partial = b""

    # ------------------------------------------------------------ frames

    def write_bytes(self, data: bytes) -> None:
        self.pipe.write(data)

    def write(self, *commands: pb.Command) -> None:
        """Send commands in one piece."""
        self.pipe.write(b"".join(framed(command) for command in commands))

    def _receive(self) -> bool:
        """Wait for more; False when nothing more will come."""
        data = self.pipe.more()
        self.take_in(data)
        return bool(data)

    def take_in(self, data: bytes) -> None:
        """Put the whole frames into the inbox."""
        data = self._partial + data
        at = 0
        while frame := frame_at(data, at):
            at = frame.stop
            self.inbox.append(pb.Command.FromString(data[frame.start : at]))
        self._partial = data[at:]

    def take(self, kind: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first Connect, ConAck, Request, ... that is `wanted`; what came before it stays for later."""
        at = 0
        while True:
            for command in self.inbox[at:]:
                if command.HasField(kind) and wanted(getattr(command, kind)):
                    self.inbox.remove(command)
                    return getattr(command, kind)
            at = len(self.inbox)
            assert self._receive(), f"the server never sent that {kind}, but {self.inbox}"

    def settle(self) -> Self:
        """Wait until the server has sent everything that it is going to send now."""
        if self.pipe.pings_to_settle and not self.pipe.ended:
            self.write(pb.Command(version=1, ping=pb.Ping()))
            while self._receive():
                for command in self.inbox:
                    if command.HasField("pong"):
                        self.inbox.remove(command)
                        return self
        else:
            while self._receive():
                pass
        return self

    # ------------------------------------------------------------ what came

    def everything(self) -> list[pb.Command]:
        """All that has come by now, in order."""
        self.settle()
        came, self.inbox = self.inbox, []
        return came

    def pushes(self, kind: int = pb.MESSAGE) -> list[pb.Request]:
        """All pushes of that type that have come by now, in order; the rest stays for later."""
        self.settle()
        pushes = [command.request for command in self.inbox if command.HasField("request") and command.request.type == kind]
        self.inbox = [command for command in self.inbox if command.request not in pushes]
        return pushes

    def messages(self) -> list[pb.Message]:
        """All messages that were pushed by now."""
        return [pb.Message.FromString(push.payload) for push in self.pushes()]

    def receipts(self) -> list[pb.Receipt]:
        """All receipts that were pushed by now."""
        return [pb.Receipt.FromString(push.payload) for push in self.pushes(pb.RECEIPT)]

    def farewell(self) -> pb.Disconnect | None:
        """Wait until the server has closed the connection; its last word."""
        while self._receive():
            pass
        assert self.pipe.ended, f"the connection still lives: {self.inbox}"
        return self.inbox[-1].disconnect if self.inbox and self.inbox[-1].HasField("disconnect") else None

    # ------------------------------------------------------------ what is asked

    def login(self, user: str, token: str = PASSWORD, device: str = "", **fields: Any) -> pb.ConAck:
        """Send a Connect; the answer may be a refusal."""
        connect = {"org": "default", "appkey": "default", "user": user, "token": token, "device": device} | fields
        self.write(pb.Command(version=1, connect=pb.Connect(**connect)))
        return self.take("conack")

    def answer(self, seqid: int) -> pb.Response:
        """The answer to the request with that seqid."""
        return self.take("response", lambda response: response.seqid == seqid)

    def ask(self, kind: int, payload: bytes, **fields: Any) -> pb.Response:
        """Send a request; its answer."""
        seqid = fields.pop("seqid", None) or self.next_seqid()
        self.write(pb.Command(version=1, request=pb.Request(type=kind, payload=payload, seqid=seqid, **fields)))
        return self.answer(seqid)

    def next_seqid(self) -> int:
        """A seqid that nobody has used."""
        return next(self._seqids)

    def send(self, message: pb.Message, seqid: int = 0, *, transient: bool = False) -> pb.Response:
        """Send a message; its answer."""
        seqid = seqid or self.next_seqid()
        self.write(sending(seqid, message, transient=transient))
        return self.answer(seqid)

    def say(self, to: str, text: str, seqid: int = 0) -> pb.Sent:
        """Send a text that must arrive."""
        answer = self.send(text_message(to, text), seqid)
        assert answer.code == pb.OK, answer
        return pb.Sent.FromString(answer.payload)

    def say_all(self, to: str, texts: list[str]) -> list[pb.Sent]:
        """Send many texts at once."""
        seqids = [self.next_seqid() for _ in texts]
        self.write(*(sending(seqid, text_message(to, text)) for seqid, text in zip(seqids, texts, strict=True)))
        return [pb.Sent.FromString(self.answer(seqid).payload) for seqid in seqids]

    def ack(self, *msgids: int) -> None:
        """Acknowledge messages."""
        self.write(*(acknowledging(msgid) for msgid in msgids))

    def ping(self) -> pb.Pong:
        """A heartbeat and its answer."""
        self.write(pb.Command(version=1, ping=pb.Ping()))
        return self.take("pong")

    def read(self, peer: str, seq: int) -> pb.Response:
        """Say that the user has read up to `seq`."""
        receipt = pb.Receipt(kind=pb.Receipt.READ, peer=peer, seq=seq)
        return self.ask(pb.RECEIPT, receipt.SerializeToString())

    def pull(self, peer: str, **fields: Any) -> pb.Pulled:
        """A range of the log."""
        answer = self.ask(pb.SYNC, pb.Sync(pull=pb.Pull(peer=peer, **fields)).SerializeToString())
        assert answer.code == pb.OK, answer
        return pb.Pulled.FromString(answer.payload)

    def conversations(self, **fields: Any) -> pb.Conversations:
        """One page of the list of conversations."""
        answer = self.ask(pb.SYNC, pb.Sync(conversations=pb.ListConversations(**fields)).SerializeToString())
        assert answer.code == pb.OK, answer
        return pb.Conversations.FromString(answer.payload)
