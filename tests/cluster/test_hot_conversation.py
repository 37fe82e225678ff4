"""Everybody writes into one group, through all nodes at once: its log has no gap, and everybody gets it in order."""

import asyncio
import time
from collections import defaultdict
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.cluster.installation import Installation
from tests.process import PASSWORD
from tests.raw import DEADLINE_SECONDS, RawClient, sending, text_message, text_of

WRITERS = [f"writer{number}" for number in range(9)]
MESSAGES = 150  # of each

pytestmark = pytest.mark.crash


class Writer:
    """Sends all its messages at once, and takes in those of the others."""

    def __init__(self, name: str, client: RawClient) -> None:
        self.name = name
        self._client = client
        self.received: list[pb.Message] = []
        self.sent: dict[int, pb.Sent] = {}

    async def talk(self) -> None:
        message = [text_message("hot", f"{self.name} {number}") for number in range(1, MESSAGES + 1)]
        for each in message:
            each.chat = pb.GROUP_CHAT
        self._client.write(*(sending(number, each) for number, each in enumerate(message, 1)))
        while len(self.sent) < MESSAGES or len(self.received) < (len(WRITERS) - 1) * MESSAGES:
            self._take(await self._client.read())
        await self._client.close()

    def _take(self, command: pb.Command) -> None:
        if command.HasField("response"):
            assert command.response.code == pb.OK, command
            self.sent[command.response.seqid] = pb.Sent.FromString(command.response.payload)
        elif command.HasField("request") and command.request.type == pb.MESSAGE:
            message = pb.Message.FromString(command.request.payload)
            self._client.ack(message.msgid)
            if message.type == pb.TXT:
                self.received.append(message)


def test_a_group_in_which_all_write_through_all_nodes_stays_in_order(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        clients = []
        for name, port in zip(WRITERS, installation.ports * len(WRITERS), strict=False):
            client = await RawClient.connect(port)
            assert (await client.login(name, PASSWORD, "")).status == pb.STATUS_OK
            clients.append(client)
        create = pb.GroupCreate(id="hot", name="hot", members=WRITERS[1:])
        answer = await clients[0].request(pb.GROUP, pb.Group(create=create).SerializeToString())
        assert answer.code == pb.OK, answer

        writers = [Writer(*pair) for pair in zip(WRITERS, clients, strict=True)]
        began = time.monotonic()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*(writer.talk() for writer in writers))
        count = len(WRITERS) * MESSAGES
        print(f"{count / (time.monotonic() - began):.0f} messages a second in one group by {len(installation.nodes)} nodes")
        assert_one_log(writers)

    with Installation.running(tmp_path, WRITERS, ("one", "two", "three")) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()


def assert_one_log(writers: list[Writer]) -> None:
    """All were told the same; gapless, msgids upwards, each writer's in the order of sending."""
    log: dict[int, tuple[int, str]] = {}
    for writer in writers:
        for number, sent in writer.sent.items():
            assert log.setdefault(sent.seq, (sent.msgid, f"{writer.name} {number}")) == (sent.msgid, f"{writer.name} {number}")
        for message in writer.received:
            assert log.setdefault(message.seq, (message.msgid, text_of(message))) == (message.msgid, text_of(message))
        seqs = [message.seq for message in writer.received]
        assert seqs == sorted(set(seqs)), f"{writer.name} did not get them in order"
    first = min(log)  # after the notice that the group is there
    assert sorted(log) == list(range(first, first + len(writers) * MESSAGES))
    msgids = [log[seq][0] for seq in sorted(log)]
    assert msgids == sorted(set(msgids))
    numbers = defaultdict(list)
    for seq in sorted(log):
        name, number = log[seq][1].split()
        numbers[name].append(int(number))
    assert all(sent == sorted(sent) for sent in numbers.values())
