"""One device of a user who writes through servers that fail: what it does, and what it notes of what it sees.

What it decides comes from the seed; when it happens is up to the machine.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import NamedTuple, Protocol

from rockdove.wire import im_pb2 as pb
from tests.history.content import edit_of, group_conversation, newest_edit, recall_of, seen, single_conversation
from tests.history.events import (
    Acked,
    Answered,
    Asked,
    Event,
    Invoked,
    Killed,
    LoggedIn,
    LogsIn,
    Pinged,
    Ponged,
    Pulled,
    Received,
    Refused,
    Sent,
)
from tests.process import PASSWORD
from tests.raw import Closed, RawClient, acknowledging, sending, text_message

USERS = ("alice", "bob", "carol")
DEVICES = ("laptop", "phone")
GROUPS = ("birds", "trees")
PLACES = (*USERS, *(group_conversation(group) for group in GROUPS))  # where messages go
IN_FLIGHT = 100  # unanswered sends of one device
PAUSE_SECONDS = 0.04  # at most, between two actions of a device, by default
PATIENCE_SECONDS = 5.0  # without any news: the node is frozen, or cut off
HEARTBEAT_SECONDS = 1.0  # between heartbeats while nothing else is to be done
COMEBACK_SECONDS = 0.5  # at most, before the next try of who has found no node

CALM = {
    "send": 50,
    "acknowledge": 40,
    "ping": 5,
    "send_transient": 5,
    "retry": 5,
    "recall": 4,
    "edit": 4,
    "change_group": 10,
    "insist": 4,
}
RESTLESS = CALM | {"vanish": 2, "leave": 2}
RECENT = 20  # messages that may be recalled or edited
FOR_EVER = 100 * 365 * 86_400  # seconds
ASK_SEQID = 1 << 50  # of changes of groups; far from other seqids
GONE = object()  # what an action returns that ends the connection


class Letter(NamedTuple):
    """A message that a device wants stored."""

    conversation: str
    content: bytes  # as histories tell of it
    message: pb.Message


class Company(Protocol):
    """What the devices have in common."""

    history: list[Event]
    actions: Mapping[str, int]
    pause_seconds: float
    connections: Iterator[int]
    last_words: list[pb.Disconnect | None]
    apart: bool  # nodes cannot ask each other: where a device comes, only what is stored is known of it


class Device:
    """One device of one user, over all its connections. The fleet keeps it alive; a connection may end at any time."""

    def __init__(self, fleet: Company, user: str, name: str, random: Random) -> None:
        self.user = user
        self.name = name
        self.unanswered: dict[int, Letter] = {}  # by seqid
        self.answered: dict[int, Letter] = {}
        self.texts: list[tuple[int, Letter]] = []  # those of them that are stored, with their msgids
        self.wishes: dict[int, tuple[str, pb.Group]] = {}  # by seqid: changes of groups, not answered yet
        self.turned_down: list[int] = []  # seqids of what could not be stored just then
        self.received: set[int] = set()  # msgids
        self.unanswered_pings = 0
        self._fleet = fleet
        self._random = random
        self._seqids = itertools.count(1)
        self._ask_seqids = itertools.count(ASK_SEQID)
        self._token = PASSWORD
        self._unacked: list[int] = []  # msgids, on this connection
        self._client: RawClient
        self._connection = 0
        self._changed = asyncio.Condition()
        if (user, name) == (USERS[0], DEVICES[0]):
            for group in GROUPS:
                policy = pb.GroupPolicy(join=pb.GroupPolicy.OPEN, members_invite=True, history_for_new=group == GROUPS[1])
                create = pb.GroupCreate(id=group, name=group, members=USERS[1:2], policy=policy)
                self.wishes[next(self._ask_seqids)] = (group, pb.Group(create=create))

    @property
    def waits(self) -> bool:
        """Whether an answer is missing."""
        return bool(self.unanswered or self.wishes)

    # ------------------------------------------------------------ connections

    async def live(self, port: int) -> None:
        """Connect again and again, and act at random, until there is no server any more."""
        with suppress(OSError, Closed):
            while True:
                await self.come_online(port)
                await self._act_until_the_end()

    async def persist(self, ports: Sequence[int]) -> None:
        """Connect to any of these nodes, and act at random, whatever becomes of the node; until cancelled."""
        while True:
            with suppress(OSError, Closed, TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self.come_online(self._random.choice(ports))
                await self._act_until_the_end(PATIENCE_SECONDS)
            await asyncio.sleep(self._random.uniform(0, COMEBACK_SECONDS))

    async def _act_until_the_end(self, patience_seconds: float | None = None) -> None:
        """Returns when the device itself ends the connection, raises Closed when the server does, TimeoutError as `read_on`."""
        reading = asyncio.create_task(self.read_on(patience_seconds))
        acting = asyncio.create_task(self._act())
        try:
            await asyncio.wait((reading, acting), return_when=asyncio.FIRST_COMPLETED)
            await (acting if acting.done() else reading)
        except Closed as closed:
            self._fleet.last_words.append(closed.disconnect)
            raise
        finally:
            reading.cancel()
            acting.cancel()
            await asyncio.wait((reading, acting))
            await self.hang_up()

    async def come_online(self, port: int) -> None:
        """Log in, and send again whatever is unanswered. Raises OSError or Closed."""
        self._client = await RawClient.connect(port)
        connection = next(self._fleet.connections)
        self._note(LogsIn(connection))
        try:
            conack = await self._client.login(self.user, self._token, self.name)
            if conack.code == pb.UNAVAILABLE:
                raise Closed(None)
        except BaseException:
            await self.hang_up()
            raise
        assert conack.status == pb.STATUS_OK, conack
        assert max(self.answered, default=0) <= conack.last_seqid <= max([*self.answered, *self.unanswered], default=0)
        self._token = conack.resume_token
        self._connection = connection
        self._unacked = []
        self.turned_down.clear()
        self.unanswered_pings = 0
        if self._fleet.apart:
            self._note(Killed())
        self._note(LoggedIn(self._connection, self.user, self.name))
        for seqid in self.unanswered:
            self._send(seqid)
        for seqid in self.wishes:
            self._ask(seqid)

    async def hang_up(self) -> None:
        """End the connection without a word."""
        await self._client.close()

    async def read_on(self, patience_seconds: float | None = None) -> None:
        """Take in whatever comes. Raises Closed at the end of the connection, TimeoutError when nothing comes for so long."""
        while True:
            async with asyncio.timeout(patience_seconds):
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

    async def keep_alive(self) -> None:
        """Let the server hear something now and then."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self.ping()

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
        self.received.add(message.msgid)
        self._unacked.append(message.msgid)
        at_ms = int(time.monotonic() * 1000)
        self._note(Received(self._connection, *seen(message), at_ms, message.removed, newest_edit(message)))

    def _take_answer(self, response: pb.Response) -> None:
        seqid = response.seqid
        if not seqid:
            return  # of a transient message
        if seqid >= ASK_SEQID:
            self._note(Answered(self._connection, seqid, response.code))
            if response.code == pb.UNAVAILABLE:
                self.turned_down.append(seqid)
            else:
                self.wishes.pop(seqid, None)
        elif response.code == pb.OK:
            sent = pb.Sent.FromString(response.payload)
            self._note(Sent(self._connection, seqid, sent.msgid, sent.seq))
            if seqid in self.unanswered:
                letter = self.answered[seqid] = self.unanswered.pop(seqid)
                if letter.message.type == pb.TXT:
                    self.texts.append((sent.msgid, letter))
        else:
            self._note(Refused(self._connection, seqid, response.code))
            if response.code == pb.UNAVAILABLE:
                self.turned_down.append(seqid)
            else:
                self.unanswered.pop(seqid)

    # ------------------------------------------------------------ actions

    async def _act(self) -> None:
        names, weights = list(self._fleet.actions), list(self._fleet.actions.values())
        while True:
            if getattr(self, self._random.choices(names, weights)[0])() is GONE:
                return
            await asyncio.sleep(self._random.uniform(0, self._fleet.pause_seconds))

    def send(self) -> None:
        """Pipeline some messages."""
        for _ in range(self._random.choice((1, 1, 2, 4, 16))):
            if len(self.unanswered) < IN_FLIGHT:
                self.send_text(self._random.choice(PLACES))

    def send_text(self, place: str) -> None:
        """A message like no other of this user, to a user or a group."""
        text = f"{self.name} {len(self.answered)} {self._random.random()} " + "鸽" * self._random.choice((0, 1, 30, 1000))
        group = place.removeprefix(group_conversation(""))
        message = text_message(group, text)
        message.chat = pb.SINGLE if group == place else pb.GROUP_CHAT
        self._put(Letter(single_conversation(self.user, place) if group == place else place, text.encode(), message))

    def recall(self) -> None:
        """Take something back that was stored lately."""
        if self.texts and len(self.unanswered) < IN_FLIGHT:
            msgid, letter = self._random.choice(self.texts[-RECENT:])
            self._put_change(pb.RECALL, pb.Change(msgid=msgid), letter, recall_of(msgid))

    def edit(self) -> None:
        """Write something anew that was stored lately."""
        if self.texts and len(self.unanswered) < IN_FLIGHT:
            msgid, letter = self._random.choice(self.texts[-RECENT:])
            words = f"{self.name} edits {self._random.random()}"
            payload = pb.MessageTxt(txt=words).SerializeToString()
            self._put_change(
                pb.EDIT, pb.Change(msgid=msgid, type=pb.TXT, payload=payload), letter, edit_of(msgid, words.encode())
            )

    def _put_change(self, kind: pb.MessageType, change: pb.Change, letter: Letter, content: bytes) -> None:
        to, chat = letter.message.to, letter.message.chat
        message = pb.Message(type=kind, to=to, chat=chat, payload=change.SerializeToString())
        self._put(Letter(letter.conversation, content, message))

    def _put(self, letter: Letter) -> None:
        seqid = next(self._seqids)
        self.unanswered[seqid] = letter
        self._send(seqid)

    def _send(self, seqid: int) -> None:
        letter = self.unanswered.get(seqid) or self.answered[seqid]
        self._note(Invoked(self._connection, seqid, letter.conversation, letter.content))
        self._client.write(sending(seqid, letter.message))

    def change_group(self) -> None:
        """Come or go, or have others come, go or be silent; who may not is refused."""
        group, user = self._random.choice(GROUPS), self._random.choice([name for name in USERS if name != self.user])
        reference, users = pb.GroupRef(id=group), pb.GroupUsers(id=group, users=[user])
        mute = pb.GroupMute(id=group, user=user, seconds=self._random.choice((0, 0, FOR_EVER)))
        role = pb.GroupRole(id=group, user=user, role=self._random.choice((pb.GroupRole.MEMBER, pb.GroupRole.ADMIN)))
        requests = [pb.Group(join=reference)] * 3 + [pb.Group(leave=reference), pb.Group(invite=users)]
        requests += [pb.Group(kick=users), pb.Group(mute=mute), pb.Group(role=role)]
        seqid = next(self._ask_seqids)
        self.wishes[seqid] = (group, self._random.choice(requests))
        self._ask(seqid)

    def _ask(self, seqid: int) -> None:
        group, request = self.wishes[seqid]
        payload = request.SerializeToString()
        self._note(Asked(self._connection, seqid, group_conversation(group), payload))
        self._client.write(pb.Command(version=1, request=pb.Request(type=pb.GROUP, seqid=seqid, payload=payload)))

    def insist(self) -> None:
        """Send again what was turned down, in order."""
        turned_down, self.turned_down = sorted(set(self.turned_down)), []
        for seqid in turned_down:
            if seqid in self.wishes:
                self._ask(seqid)
            elif seqid in self.unanswered:
                self._send(seqid)

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
        for chat, peer in [*((pb.SINGLE, user) for user in USERS), *((pb.GROUP_CHAT, group) for group in GROUPS)]:
            after, more = 0, True
            while more:
                pull = pb.Sync(pull=pb.Pull(chat=chat, peer=peer, after=after, limit=200))
                answer = await self._client.request(pb.SYNC, pull.SerializeToString())
                assert answer.code == pb.OK or (answer.code, chat) == (pb.PERMISSION_DENIED, pb.GROUP_CHAT), answer
                page = pb.Pulled.FromString(answer.payload)
                for message in page.messages:
                    after = message.seq
                    self._note(Pulled(self._connection, *seen(message), message.removed, newest_edit(message)))
                more = page.more

    def _note(self, event: Event) -> None:
        self._fleet.history.append(event)
