"""Thousands of real dialogues in 28 languages, spoken through a running server: every byte, in order, once.

Each file of the corpus is one conversation of two users, who speak its lines in turns: everybody waits for a
line before answering it. Each user has a phone, online all the time, and a tablet that is away until the end.
"""

import asyncio
import itertools
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from chatterbot_corpus.corpus import DATA_DIRECTORY

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.process import PASSWORD, add_users
from tests.raw import RawClient, sending, text_message, text_of

USERS = [f"user{number:02}" for number in range(24)]
SECONDS = 240  # for all of it, on a slow machine

Dialogues = dict[tuple[str, str], list[str]]  # (who begins, who answers) -> lines


def read_dialogues() -> Dialogues:
    """Each file's lines, given to a pair of users who say nothing else to each other."""
    files = sorted(Path(DATA_DIRECTORY).rglob("*.yml"))
    pairs = itertools.combinations(USERS, 2)
    return {pair: _lines(path) for pair, path in zip(pairs, files, strict=False)}


def _lines(path: Path) -> list[str]:
    conversations = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)["conversations"]
    return [line for talk in conversations for line in ([talk] if isinstance(talk, str) else talk)]


class Speaker:
    """A user's phone: answers each line with the next one."""

    def __init__(self, user: str, client: RawClient, dialogues: Dialogues) -> None:
        self._client = client
        self._lines = {b if a == user else a: lines for (a, b), lines in dialogues.items() if user in (a, b)}
        self._begins = [b for (a, b) in dialogues if a == user]
        self._seqids = itertools.count(1)
        self._places: dict[int, tuple[str, int]] = {}  # by seqid: the peer and the seq that is expected
        self._expected = sum(map(len, self._lines.values()))  # lines said or heard
        self.heard: dict[str, list[str]] = defaultdict(list)  # by peer

    async def talk(self) -> None:
        """Until all lines of all dialogues are said, stored and heard."""
        for peer in self._begins:
            self._say(peer, 1)
        while self._expected:
            command = await self._client.read()
            if command.HasField("request") and command.request.type == pb.MESSAGE:
                self._hear(pb.Message.FromString(command.request.payload))
            elif command.HasField("response"):
                self._check_answer(command.response)

    def _say(self, peer: str, seq: int) -> None:
        if seq <= len(self._lines[peer]):
            seqid = next(self._seqids)
            self._places[seqid] = (peer, seq)
            self._client.write(sending(seqid, text_message(peer, self._lines[peer][seq - 1])))

    def _hear(self, message: pb.Message) -> None:
        peer = getattr(message, "from")
        self.heard[peer].append(text_of(message))
        self._expected -= 1
        self._client.ack(message.msgid)
        self._say(peer, message.seq + 1)

    def _check_answer(self, response: pb.Response) -> None:
        assert response.code == pb.OK, response
        _, seq = self._places.pop(response.seqid)
        assert pb.Sent.FromString(response.payload).seq == seq
        self._expected -= 1


async def read_backlog(user: str, client: RawClient, dialogues: Dialogues) -> dict[str, list[str]]:
    """What a device that comes back is pushed, by peer; acknowledged as it comes."""
    expected = sum(len(lines) for pair, lines in dialogues.items() if user in pair)
    texts: dict[str, list[str]] = defaultdict(list)
    for _ in range(expected):
        message = await client.next_message()
        sender = getattr(message, "from")
        texts[message.to if sender == user else sender].append(text_of(message))
        client.ack(message.msgid)
    return texts


async def silent(client: RawClient) -> bool:
    """Whether nothing more is pushed: what is owed comes before the answer to the second heartbeat."""
    pushes = []
    for _ in range(2):
        client.write(pb.Command(version=1, ping=pb.Ping()))
        while not (command := await client.read()).HasField("pong"):
            pushes += [command] if command.HasField("request") and command.request.type == pb.MESSAGE else []
    return not pushes


async def login(port: int, user: str, device: str) -> RawClient:
    client = await RawClient.connect(port)
    answer = await client.login(user, PASSWORD, device)
    assert answer.status == pb.STATUS_OK, answer
    return client


async def replay(port: int, dialogues: Dialogues) -> None:
    for user in USERS:  # a device is owed what is sent once it has been seen
        await (await login(port, user, "tablet")).close()
    phones = {user: await login(port, user, "phone") for user in USERS}
    speakers = {user: Speaker(user, phones[user], dialogues) for user in USERS}
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        for speaker in speakers.values():
            group.create_task(speaker.talk())
    for (first, second), lines in dialogues.items():
        assert speakers[second].heard[first] == lines[0::2]
        assert speakers[first].heard.get(second, []) == lines[1::2]
    for user, phone in phones.items():
        assert await silent(phone), f"{user}'s phone was sent more than was said"
        await phone.close()
        tablet = await login(port, user, "tablet")
        texts = await read_backlog(user, tablet, dialogues)
        assert texts == {b if a == user else a: lines for (a, b), lines in dialogues.items() if user in (a, b)}
        assert await silent(tablet), f"{user}'s tablet was sent more than was said"
        await tablet.close()


@pytest.mark.corpus
def test_every_line_of_the_corpus_arrives_unchanged_in_order_and_once(tmp_path: Path, start_server: StartServer) -> None:
    add_users(tmp_path, USERS)
    server = start_server(tmp_path)
    dialogues = read_dialogues()
    assert len(dialogues) > 200
    assert sum(map(len, dialogues.values())) > 19_000
    asyncio.run(replay(server.port(), dialogues))
