"""All nodes are restarted, one after the other, while clients stay: they notice a reconnect, and lose nothing."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from rockdove.client import Client, MessageReceived, Reconnecting
from rockdove.wire import im_pb2 as pb
from tests.cluster.installation import Installation, in_thread
from tests.crash.fleet import USERS, Fleet
from tests.process import PASSWORD

pytestmark = pytest.mark.crash


class Talker:
    """Says something as soon as the last thing was stored, and notes how long that took; listens, and notes what comes."""

    def __init__(self, client: Client, peer: str) -> None:
        self._client = client
        self._peer = peer
        self.seconds: list[float] = []
        self.heard: list[str] = []
        self.codes: Counter[int | None] = Counter()  # of lost connections
        self.enough = False

    async def talk(self) -> None:
        while not self.enough:
            began = time.monotonic()
            await self._client.send(self._peer, str(len(self.seconds)))
            self.seconds.append(time.monotonic() - began)

    async def listen(self) -> None:
        async for event in self._client.events():
            if isinstance(event, MessageReceived):
                self.heard.append(event.message.text)
            elif isinstance(event, Reconnecting):
                self.codes[event.code] += 1


def test_a_rolling_restart_is_a_reconnect_for_clients_and_no_more(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("rolling", pause_seconds=0.1)
        fleet.stay_online(installation.ports)
        servers = [f"127.0.0.1:{port}" for port in installation.ports]
        async with (
            Client(servers, user="dave", token=PASSWORD) as dave,
            Client(servers, user="erin", token=PASSWORD) as erin,
        ):
            talkers = Talker(dave, "erin"), Talker(erin, "dave")
            listening = [asyncio.create_task(talker.listen()) for talker in talkers]
            talking = [asyncio.create_task(talker.talk()) for talker in talkers]
            for name, node in list(installation.nodes.items()):
                await in_thread(node.stop)
                await in_thread(installation.restart, name)
            for talker in talkers:
                talker.enough = True
            await asyncio.gather(*talking)
            for talker, other in (talkers, talkers[::-1]):
                while len(other.heard) < len(talker.seconds):
                    await asyncio.sleep(0.01)
                assert other.heard == [str(number) for number in range(len(talker.seconds))]
                longest = max(talker.seconds)
                print(f"{len(talker.seconds)} messages, {longest:.2f} s at most; connections lost: {dict(talker.codes)}")
                assert set(talker.codes) <= {pb.SERVER_SHUTDOWN, None}
                assert talker.codes.total() <= 2 * len(installation.nodes)
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, "dave", "erin"], ("one", "two", "three")) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()
