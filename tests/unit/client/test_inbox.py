"""Whatever the server and the network do, the application gets each message once and in order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rockdove.client.storage import Storage
from rockdove.wire import im_pb2 as pb
from tests.unit.client.peer import OWNER, Peer, message_of, push, sent

PEERS = ("bob", "carol")


class Server:
    """The logs of two conversations; each entry is pushed, or is one of the client's own messages."""

    def __init__(self) -> None:
        self.logs: dict[str, list[str]] = {peer: [] for peer in PEERS}  # texts, by seq
        self.own: dict[str, set[int]] = {peer: set() for peer in PEERS}
        self.answers: dict[int, tuple[str, int]] = {}  # seqid -> (peer, seq): a retry gets the first answer

    def append(self, peer: str) -> None:
        self.logs[peer].append(f"{peer} {len(self.logs[peer]) + 1}")

    def store(self, request: pb.Request) -> None:
        if request.seqid not in self.answers:
            message = pb.Message.FromString(request.payload)
            self.logs[message.to].append(pb.MessageTxt.FromString(message.payload).txt)
            self.own[message.to].add(len(self.logs[message.to]))
            self.answers[request.seqid] = message.to, len(self.logs[message.to])

    def answer(self, seqid: int) -> pb.Command:
        peer, seq = self.answers[seqid]
        return sent(seqid, seq, peer)

    def pushable(self, peer: str) -> list[int]:
        return [seq for seq in range(1, len(self.logs[peer]) + 1) if seq not in self.own[peer]]

    def pull(self, request: pb.Request) -> pb.Command:
        pull = pb.Sync.FromString(request.payload).pull
        log = self.logs[pull.peer]
        upto = min(len(log), pull.after + pull.limit)
        messages = [
            message_of(push(seq, pull.peer, text=log[seq - 1], sender="alice" if seq in self.own[pull.peer] else ""))
            for seq in range(pull.after + 1, upto + 1)
        ]
        payload = pb.Pulled(messages=messages, more=upto < len(log)).SerializeToString()
        return pb.Command(response=pb.Response(seqid=request.seqid, payload=payload))


class Run:
    """One client and its server; `choice` decides what happens next."""

    def __init__(self, choice: random.Random, storage: Storage) -> None:
        self.choice = choice
        self.storage = storage
        self.server = Server()
        self.unanswered: list[int] = []
        self.pulls: list[pb.Request] = []
        self.seen: dict[str, list[str]] = {peer: [] for peer in PEERS}
        self.posted = 0
        self.connect(Peer(storage))

    def connect(self, peer: Peer) -> None:
        self.client = peer
        last_seqid = max(self.server.answers, default=0)
        self.client.login(last_seqid=last_seqid, epoch=7)
        # The first push of a conversation tells where its log begins for this device: at the start.
        for name in PEERS:
            if seqs := self.server.pushable(name):
                self.push(name, seqs[0])

    def push(self, name: str, seq: int) -> None:
        self.client.say(push(seq, name, text=self.server.logs[name][seq - 1]))

    def listen(self) -> None:
        """Hear what the client says; the answers come later, or never."""
        for command in self.client.heard():
            if command.HasField("request") and command.request.type == pb.MESSAGE:
                self.server.store(command.request)
                self.unanswered.append(command.request.seqid)
            elif command.HasField("request"):
                self.pulls.append(command.request)

    def take(self) -> None:
        """The application takes and acknowledges all there is."""
        for event in self.client.protocol.events:
            if hasattr(event, "message") and hasattr(event.message, "seq"):
                if hasattr(event, "result"):
                    continue
                self.seen[event.message.peer].append(event.message.text)
                self.client.protocol.acknowledge(event.message)
        self.client.protocol.events.clear()

    def lose(self, *, restart: bool) -> None:
        self.take()
        self.listen()  # the acks reach the disk; what is said now may or may not reach the server
        self.unanswered.clear()
        self.pulls.clear()
        self.client.protocol.lost(self.client.now, "gone")
        self.connect(Peer(self.storage) if restart else self.client)

    def step(self) -> None:
        name = self.choice.choice(PEERS)
        steps = ["append", "push", "post", "answer", "pull", "take", "lose", "restart"]
        match self.choice.choices(steps, [6, 12, 3, 3, 3, 3, 1, 1])[0]:
            case "append":
                first = not self.server.pushable(name)
                self.server.append(name)
                if first:
                    self.push(name, self.server.pushable(name)[0])
            case "push":  # any message: a double, one too early, one as due
                if seqs := self.server.pushable(name):
                    self.push(name, self.choice.choice(seqs[-6:]))
            case "post":
                self.posted += 1
                self.client.post(f"mine {self.posted}", name)
            case "answer" if self.unanswered:
                self.client.say(self.server.answer(self.unanswered.pop(0)))
            case "pull" if self.pulls:
                self.client.say(self.server.pull(self.pulls.pop(0)))
            case "take":
                self.take()
            case "lose":
                self.lose(restart=False)
            case "restart":
                self.lose(restart=True)
        self.listen()

    def finish(self) -> None:
        """A well-behaved server: everything is pushed in order and answered."""
        for _ in range(1000):
            self.listen()
            if self.unanswered:
                self.client.say(self.server.answer(self.unanswered.pop(0)))
            elif self.pulls:
                self.client.say(self.server.pull(self.pulls.pop(0)))
            else:
                break
        for name in PEERS:
            for seq in self.server.pushable(name):
                self.push(name, seq)
                self.listen()
        while self.pulls:
            self.client.say(self.server.pull(self.pulls.pop(0)))
            self.listen()
        self.take()


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_each_message_once_and_in_order_whatever_happens(seed: int) -> None:
    choice = random.Random(seed)
    run = Run(choice, Storage(None, OWNER))
    for _ in range(choice.randrange(200)):
        run.step()
    run.finish()
    for name in PEERS:
        received = [run.server.logs[name][seq - 1] for seq in run.server.pushable(name)]
        assert run.seen[name] == received
    mine = [text for name in PEERS for text in run.server.logs[name] if text.startswith("mine")]
    assert sorted(mine, key=lambda text: int(text.split()[1])) == [f"mine {n}" for n in range(1, run.posted + 1)]
    for name in PEERS:
        numbers = [int(text.split()[1]) for text in run.server.logs[name] if text.startswith("mine")]
        assert numbers == sorted(numbers)
    assert run.client.protocol.unsent() == []
