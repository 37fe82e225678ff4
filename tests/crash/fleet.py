"""Users who write to each other through a server that fails, and note what they see.

What each device decides comes from the seed; when it happens is up to the machine.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random

from rockdove.wire import im_pb2 as pb
from tests.history.checker import check
from tests.history.events import Acked, Event, Invoked, Killed, LoggedIn, Pinged, Ponged, Pulled, Received, Refused, Sent
from tests.history.evidence import Evidence
from tests.process import PASSWORD, ServerProcess
from tests.raw import DEADLINE_SECONDS, Closed, RawClient, acknowledging, sending, text_message, text_of

USERS = ("alice", "bob", "carol")
DEVICES = ("laptop", "phone")
IN_FLIGHT = 100  # unanswered sends of one device
PAUSE_SECONDS = 0.04  # at most, between two actions of a device

CALM = {"send": 50, "acknowledge": 40, "ping": 5, "send_transient": 5, "retry": 5}
RESTLESS = CALM | {"vanish": 2, "leave": 2}
GONE = object()  # what an action returns that ends the connection


def conversation(one: str, other: str) -> str:
    """The name of a conversation in the history."""
    return "+".join(sorted((one, other)))


CONVERSATIONS = {conversation(a, b): {a, b} for a, b in itertools.combinations_with_replacement(USERS, 2)}


class Fleet:
    """All devices of all users, and the history that they write together."""

    def __init__(self, seed: str, actions: Mapping[str, int] = RESTLESS) -> None:
        self.history: list[Event] = []
        self.actions = actions
        self.connections = itertools.count(1)
        self.devices = [Device(self, user, name, Random(f"{seed} {user} {name}")) for user in USERS for name in DEVICES]
        self.last_words: list[pb.Disconnect | None] = []  # of connections that the server ended
        self._lives: list[asyncio.Task[None]] = []

    async def go_online(self, port: int) -> None:
        """Bring every device online, and let it act until the server is gone."""
        self.last_words.clear()
        self._lives = [asyncio.create_task(device.live(port)) for device in self.devices]

    async def until_hung_up(self) -> None:
        """Wait until every device has lost its connection."""
        lives, self._lives = self._lives, []
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*lives)

    def kill(self, server: ServerProcess) -> None:
        """kill -9."""
        self.history.append(Killed())
        server.kill()

    async def finish(self, port: int) -> None:
        """Get every send answered and everything delivered and acknowledged; asserts that no promise was broken."""
        await self._online_and_quiet(port, [])
        self._assert_promises_kept()
        # What was acknowledged before must not come again before one more message in each conversation.
        last_texts = [(device, peer) for device in self.devices if device.name == DEVICES[0] for peer in USERS]
        await self._online_and_quiet(port, last_texts)
        self._assert_promises_kept()

    def _assert_promises_kept(self) -> None:
        violations = check(self.history, CONVERSATIONS)
        assert not violations, "\n".join(map(str, violations[:20]))

    async def _online_and_quiet(self, port: int, texts: Sequence[tuple["Device", str]]) -> None:
        await asyncio.gather(*(device.come_online(port) for device in self.devices))
        reading = [asyncio.create_task(device.read_on()) for device in self.devices]
        for device, peer in texts:
            device.send_text(peer)
        with suppress(TimeoutError):  # what is missing then, the checker tells
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asyncio.gather(*(device.until(lambda device: not device.unanswered) for device in self.devices))
                evidence = Evidence(self.history, CONVERSATIONS)
                for device in self.devices:
                    owed = {evidence.log[place].msgid for place in evidence.owed((device.user, device.name))}
                    await device.until(lambda device, owed=owed: owed <= device.received)
                    device.ping()
                    await device.until(lambda device: not device.unanswered_pings)
        for task in reading:
            task.cancel()
        for outcome in await asyncio.gather(*reading, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        for device in self.devices:
            if device.name == DEVICES[0]:
                await device.pull_everything()
            await device.hang_up()


class Device:
    """One device of one user, over all its connections. The fleet keeps it alive; a connection may end at any time."""

    def __init__(self, fleet: Fleet, user: str, name: str, random: Random) -> None:
        self.user = user
        self.name = name
        self.unanswered: dict[int, tuple[str, str]] = {}  # by seqid: to whom, what
        self.answered: dict[int, tuple[str, str]] = {}
        self.received: set[int] = set()  # msgids
        self.unanswered_pings = 0
        self._fleet = fleet
        self._random = random
        self._seqids = itertools.count(1)
        self._token = PASSWORD
        self._unacked: list[int] = []  # msgids, on this connection
        self._client: RawClient
        self._connection = 0
        self._changed = asyncio.Condition()

    # ------------------------------------------------------------ connections

    async def live(self, port: int) -> None:
        """Connect again and again, and act at random, until there is no server any more."""
        with suppress(OSError, Closed):
            while True:
                await self.come_online(port)
                await self._act_until_the_end()

    async def _act_until_the_end(self) -> None:
        """Returns when the device itself ends the connection, raises Closed when the server does."""
        reading = asyncio.create_task(self.read_on())
        acting = asyncio.create_task(self._act())
        await asyncio.wait((reading, acting), return_when=asyncio.FIRST_COMPLETED)
        try:
            await (acting if acting.done() else reading)
        except Closed as closed:
            self._fleet.last_words.append(closed.disconnect)
            raise
        finally:
            reading.cancel()
            acting.cancel()
            await self.hang_up()

    async def come_online(self, port: int) -> None:
        """Log in, and send again whatever is unanswered. Raises OSError or Closed."""
        self._client = await RawClient.connect(port)
        try:
            conack = await self._client.login(self.user, self._token, self.name)
        except Closed:
            await self.hang_up()
            raise
        assert conack.status == pb.STATUS_OK, conack
        assert max(self.answered, default=0) <= conack.last_seqid <= max([*self.answered, *self.unanswered], default=0)
        self._token = conack.resume_token
        self._connection = next(self._fleet.connections)
        self._unacked = []
        self.unanswered_pings = 0
        self._note(LoggedIn(self._connection, self.user, self.name))
        for seqid in self.unanswered:
            self._send(seqid)

    async def hang_up(self) -> None:
        """End the connection without a word."""
        await self._client.close()

    async def read_on(self) -> None:
        """Take in whatever comes. Raises Closed at the end of the connection."""
        while True:
            command = await self._client.read()
            if command.HasField("request") and command.request.type == pb.MESSAGE:
                self._take_message(pb.Message.FromString(command.request.payload))
            elif command.HasField("response"):
                self._take_answer(command.response)
            elif command.HasField("pong"):
                self.unanswered_pings -= 1
                self._note(Ponged(self._connection))
            async with self._changed:
                self._changed.notify_all()

    async def until(self, happened: Callable[["Device"], bool]) -> None:
        """Wait, while `read_on` runs, acknowledging everything."""
        async with self._changed:
            while not happened(self):
                if self._unacked:
                    self._acknowledge_up_to(len(self._unacked))
                await self._changed.wait()
        if self._unacked:
            self._acknowledge_up_to(len(self._unacked))

    def _take_message(self, message: pb.Message) -> None:
        if not message.seq:
            return  # transient: nothing is promised
        sender = getattr(message, "from")
        self.received.add(message.msgid)
        self._unacked.append(message.msgid)
        place = (message.msgid, message.seq, conversation(sender, message.to), sender, text_of(message).encode())
        self._note(Received(self._connection, *place, at_ms=int(time.monotonic() * 1000)))

    def _take_answer(self, response: pb.Response) -> None:
        seqid = response.seqid
        if not seqid:
            return  # of a transient message
        if response.code == pb.OK:
            sent = pb.Sent.FromString(response.payload)
            self._note(Sent(self._connection, seqid, sent.msgid, sent.seq))
            if seqid in self.unanswered:
                self.answered[seqid] = self.unanswered.pop(seqid)
        else:
            assert response.code == pb.UNAVAILABLE, response
            self._note(Refused(self._connection, seqid, response.code))

    # ------------------------------------------------------------ actions

    async def _act(self) -> None:
        names, weights = list(self._fleet.actions), list(self._fleet.actions.values())
        while True:
            if getattr(self, self._random.choices(names, weights)[0])() is GONE:
                return
            await asyncio.sleep(self._random.uniform(0, PAUSE_SECONDS))

    def send(self) -> None:
        """Pipeline some messages."""
        for _ in range(self._random.choice((1, 1, 2, 4, 16))):
            if len(self.unanswered) < IN_FLIGHT:
                self.send_text(self._random.choice(USERS))

    def send_text(self, to: str) -> None:
        """A message like no other of this user."""
        seqid = next(self._seqids)
        self.unanswered[seqid] = (to, f"{self.name} {seqid} " + "鸽" * self._random.choice((0, 1, 30, 1000)))
        self._send(seqid)

    def _send(self, seqid: int) -> None:
        to, text = self.unanswered.get(seqid) or self.answered[seqid]
        self._note(Invoked(self._connection, seqid, conversation(self.user, to), text.encode()))
        self._client.write(sending(seqid, text_message(to, text)))

    def retry(self) -> None:
        """Send something once more that was answered, perhaps long ago."""
        if self.answered:
            self._send(self._random.choice(list(self.answered)))

    def send_transient(self) -> None:
        """A message for those online."""
        self._client.write(sending(0, text_message(self._random.choice(USERS), "typing"), transient=True))

    def acknowledge(self) -> None:
        """Acknowledge up to some message, and with it those before it of its conversation."""
        if self._unacked:
            self._acknowledge_up_to(self._random.randint(1, len(self._unacked)))

    def _acknowledge_up_to(self, count: int) -> None:
        acked, self._unacked = self._unacked[:count], self._unacked[count:]
        for msgid in acked:
            self._note(Acked(self._connection, msgid))
        self._client.write(*map(acknowledging, acked))

    def ping(self) -> None:
        """A heartbeat."""
        self.unanswered_pings += 1
        self._note(Pinged(self._connection))
        self._client.write(pb.Command(version=1, ping=pb.Ping()))

    def vanish(self) -> object:
        """Lose the connection, and come back."""
        return GONE

    def leave(self) -> object:
        """Say goodbye, and come back."""
        self._client.write(pb.Command(version=1, disconnect=pb.Disconnect()))
        return GONE

    async def pull_everything(self) -> None:
        """Read the logs of all this user's conversations."""
        for peer in USERS:
            after, more = 0, True
            while more:
                page = await self._client.pull(peer, after, 200)
                for message in page.messages:
                    after = message.seq
                    place = (message.msgid, message.seq, conversation(self.user, peer), getattr(message, "from"))
                    self._note(Pulled(self._connection, *place, text_of(message).encode()))
                more = page.more

    def _note(self, event: Event) -> None:
        self._fleet.history.append(event)
