"""A perfect server with imperfect connections: makes histories that break no promise."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.history.events import Acked, Event, Invoked, Killed, LoggedIn, Pinged, Ponged, Received, Sent
from tests.history.evidence import Device

MEMBERS = {"alice+bob": {"alice", "bob"}, "alice+carol": {"alice", "carol"}}
DEVICES: Sequence[Device] = (("alice", "phone"), ("alice", "laptop"), ("bob", "phone"), ("carol", "phone"))


@dataclass(slots=True)
class _Message:
    msgid: int
    device: Device
    content: bytes


@dataclass(slots=True)
class _Online:
    connection: int
    next_seq: dict[str, int] = field(default_factory=dict)  # to be pushed
    unacked: list[tuple[str, int]] = field(default_factory=list)


class World:
    """Each operation appends to `history`; numbers choose, so that any sequence of operations is a legal one."""

    def __init__(self) -> None:
        self.history: list[Event] = []
        self._numbers = count(1)
        self._logs: dict[str, list[_Message]] = {conversation: [] for conversation in MEMBERS}
        self._places: dict[tuple[Device, int], tuple[str, int]] = {}  # the keys of de-duplication
        self._wanted: dict[Device, list[tuple[int, str, bytes]]] = defaultdict(list)  # unanswered sends
        self._answered: dict[Device, list[tuple[int, str, bytes]]] = defaultdict(list)
        self._online: dict[Device, _Online] = {}
        self._in_memory: dict[tuple[Device, str], int] = defaultdict(int)  # cursors
        self._on_disk: dict[tuple[Device, str], int] = defaultdict(int)
        for device in DEVICES:
            self._connect(device)

    def send(self, device: Device, choice: int) -> None:
        """Pipeline one to three new messages, of which the connection may carry only some there, or back."""
        online = self._connect(device)
        conversations = [name for name, users in MEMBERS.items() if device[0] in users]
        for _ in range(1 + choice % 3):
            seqid = next(self._numbers)
            self._wanted[device].append((seqid, conversations[choice % len(conversations)], f"text {seqid}".encode()))
        wanted = self._wanted[device]
        arriving = len(wanted) if choice % 5 else choice % len(wanted)
        answered = arriving if choice % 7 else choice % (arriving + 1)
        self.history += [Invoked(online.connection, *send) for send in wanted]
        for send in wanted[:arriving]:
            self._store(device, *send)
        for send in wanted[:answered]:
            self._answer(device, online, *send)
        if answered < len(wanted):
            self._online.pop(device)

    def retry(self, device: Device, choice: int) -> None:
        """Ask for something again that was answered before."""
        online = self._connect(device)
        if answered := self._answered[device]:
            send = answered[choice % len(answered)]
            self.history.append(Invoked(online.connection, *send))
            self._answer(device, online, *send)

    def receive(self, device: Device, choice: int) -> None:
        """Some pushes arrive."""
        online = self._connect(device)
        for _ in range(1 + choice % 4):
            for conversation in sorted(online.next_seq):
                self._push(device, online, conversation)

    def ack(self, device: Device, choice: int) -> None:
        """Acknowledge one of the pushed messages; the ack may get lost with the connection."""
        online = self._connect(device)
        if not online.unacked:
            return
        conversation, seq = online.unacked[choice % len(online.unacked)]
        self.history.append(Acked(online.connection, self._logs[conversation][seq - 1].msgid))
        if choice % 5:
            key = (device, conversation)
            self._in_memory[key] = max(self._in_memory[key], seq)
            online.unacked = [place for place in online.unacked if place[0] != conversation or place[1] > seq]
        else:
            self._online.pop(device)

    def ping(self, device: Device, choice: int) -> None:
        """A heartbeat; the answer may get lost with the connection."""
        online = self._connect(device)
        self.history.append(Pinged(online.connection))
        if choice % 5:
            self._on_disk = self._in_memory.copy()
            self.history.append(Ponged(online.connection))
        else:
            self._online.pop(device)

    def kill(self, device: Device, choice: int) -> None:
        """The server is killed; acks that no answered heartbeat has followed are forgotten."""
        self.history.append(Killed())
        self._online.clear()
        self._in_memory = self._on_disk.copy()

    def drain(self) -> None:
        """Everything is answered, delivered and acknowledged."""
        for device in DEVICES:
            online = self._connect(device)
            wanted = self._wanted[device]
            self.history += [Invoked(online.connection, *send) for send in wanted]
            for send in list(wanted):
                self._store(device, *send)
                self._answer(device, online, *send)
        for device in DEVICES:
            online = self._connect(device)
            for conversation in online.next_seq:
                while self._push(device, online, conversation):
                    pass

    # ------------------------------------------------------------ the server

    def _connect(self, device: Device) -> _Online:
        if device not in self._online:
            online = self._online[device] = _Online(next(self._numbers))
            self.history.append(LoggedIn(online.connection, *device))
            for conversation, users in MEMBERS.items():
                if device[0] in users:
                    online.next_seq[conversation] = self._in_memory[device, conversation] + 1
        return self._online[device]

    def _store(self, device: Device, seqid: int, conversation: str, content: bytes) -> None:
        if (device, seqid) not in self._places:
            log = self._logs[conversation]
            log.append(_Message(1000 + next(self._numbers), device, content))
            self._places[device, seqid] = (conversation, len(log))

    def _answer(self, device: Device, online: _Online, seqid: int, conversation: str, content: bytes) -> None:
        _, seq = self._places[device, seqid]
        self.history.append(Sent(online.connection, seqid, self._logs[conversation][seq - 1].msgid, seq))
        send = (seqid, conversation, content)
        if send in self._wanted[device]:
            self._wanted[device].remove(send)
            self._answered[device].append(send)

    def _push(self, device: Device, online: _Online, conversation: str) -> bool:
        """Push the next message that the device did not send itself; False if there is none."""
        log = self._logs[conversation]
        while online.next_seq[conversation] <= len(log):
            seq = online.next_seq[conversation]
            online.next_seq[conversation] += 1
            message = log[seq - 1]
            if message.device != device:
                online.unacked.append((conversation, seq))
                pushed = Received(online.connection, message.msgid, seq, conversation, message.device[0], message.content)
                self.history.append(pushed)
                return True
        return False


OPERATIONS: Sequence[Callable[[World, Device, int], None]] = (
    World.send,
    World.retry,
    World.receive,
    World.ack,
    World.ping,
    World.kill,
)
