"""Users who write to each other through servers that fail, and the history of what they see."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random

from rockdove.wire import im_pb2 as pb
from tests.crash.device import CALM, DEVICES, PAUSE_SECONDS, PLACES, RESTLESS, USERS, Device
from tests.history.checker import check
from tests.history.content import single_conversation
from tests.history.events import Event, Killed
from tests.history.evidence import Evidence
from tests.process import ServerProcess
from tests.raw import DEADLINE_SECONDS

__all__ = ["CALM", "RESTLESS", "USERS", "Fleet"]

CONVERSATIONS = {single_conversation(a, b): {a, b} for a, b in itertools.combinations_with_replacement(USERS, 2)}


class Fleet:
    """All devices of all users, and the history that they write together."""

    def __init__(self, seed: str, actions: Mapping[str, int] = RESTLESS, pause_seconds: float = PAUSE_SECONDS) -> None:
        self.history: list[Event] = []
        self.actions = actions
        self.pause_seconds = pause_seconds
        self.connections = itertools.count(1)
        self.devices = [Device(self, user, name, Random(f"{seed} {user} {name}")) for user in USERS for name in DEVICES]
        self.last_words: list[pb.Disconnect | None] = []  # of connections that the server ended
        self.apart = False
        self._lives: list[asyncio.Task[None]] = []

    async def go_online(self, port: int) -> None:
        """Bring every device online, and let it act until the server is gone."""
        self.last_words.clear()
        self._lives = [asyncio.create_task(device.live(port)) for device in self.devices]

    def stay_online(self, ports: Sequence[int]) -> None:
        """Have every device online at any of these nodes, and act whatever happens to them, until `rest`."""
        self._lives = [asyncio.create_task(device.persist(ports)) for device in self.devices]

    async def rest(self) -> None:
        """Everybody hangs up. Raises what went wrong with a device."""
        lives, self._lives = self._lives, []
        for life in lives:
            life.cancel()
        for outcome in await asyncio.gather(*lives, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def until_hung_up(self) -> None:
        """Wait until every device has lost its connection."""
        lives, self._lives = self._lives, []
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*lives)

    def kill(self, server: ServerProcess) -> None:
        """kill -9."""
        self.history.append(Killed())
        server.kill()

    async def finish(self, *ports: int) -> None:
        """Get every send answered and everything delivered and acknowledged; asserts that no promise was broken."""
        await self._online_and_quiet(ports, [])
        self._assert_promises_kept()
        # What was acknowledged before must not come again before one more message in each conversation.
        last_texts = [(device, peer) for device in self.devices if device.name == DEVICES[0] for peer in PLACES]
        await self._online_and_quiet(ports[::-1], last_texts)
        self._assert_promises_kept()

    def _assert_promises_kept(self) -> None:
        violations = check(self.history, CONVERSATIONS)
        assert not violations, "\n".join(map(str, violations[:20]))

    async def _online_and_quiet(self, ports: Sequence[int], texts: Sequence[tuple[Device, str]]) -> None:
        places = zip(self.devices, itertools.cycle(ports), strict=False)
        await asyncio.gather(*(device.come_online(port) for device, port in places))
        reading = [asyncio.create_task(device.read_on()) for device in self.devices]
        beating = [asyncio.create_task(device.keep_alive()) for device in self.devices]
        for device, peer in texts:
            device.send_text(peer)
        with suppress(TimeoutError):  # what is missing then, the checker tells
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asyncio.gather(*(device.until(lambda device: not device.waits) for device in self.devices))
                evidence = Evidence(self.history, CONVERSATIONS)
                for device in self.devices:
                    owed = {evidence.log[place].msgid for place in evidence.owed((device.user, device.name))}
                    await device.until(lambda device, owed=owed: owed <= device.received)
                    device.ping()
                    await device.until(lambda device: not device.unanswered_pings)
        for task in (*beating, *reading):
            task.cancel()
        for outcome in await asyncio.gather(*reading, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        for device in self.devices:
            if device.name == DEVICES[0]:
                await device.pull_everything()
            await device.hang_up()
