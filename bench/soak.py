"""Does a server's memory stay flat? An hour of everything that people do, at a modest rate.

They write to each other and to groups, acknowledge, read, recall, edit, react, search, join and leave, lose their connections,
and stay away for a while. Every minute the server's memory is looked at. What it takes grows until its caches and the newest
part of the log are full (131,072 messages); the slope is that of the last half.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from watched import Figures, WatchedServer, make_users

from rockdove.client import (
    Client,
    Disconnected,
    Group,
    Joining,
    Message,
    MessageReceived,
    OutcomeUnknown,
    Policy,
    Refused,
    Sent,
)

MIB = 1024 * 1024
GROUP_SIZE = 25  # people in each group to begin with
AWAY_SECONDS = 60.0
REMEMBERED = 20  # messages that somebody may still react to, or recall


class World:
    """What everybody has in common."""

    def __init__(self, port: int, password: str, names: list[str]) -> None:
        self.port = port
        self.password = password
        self.names = names
        self.groups = [Group(f"group{number}") for number in range(len(names) // GROUP_SIZE)]
        self.counts: Counter[str] = Counter()
        self.received = 0


class Person:
    """Somebody with a device, who does this and that."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.name = world.names[number]
        self._group = world.groups[number % len(world.groups)]
        self._chance = random.Random(number)
        self._sent: deque[Sent] = deque(maxlen=REMEMBERED)
        self._received: deque[Message] = deque(maxlen=REMEMBERED)
        self._reading: asyncio.Task[None] | None = None
        self.client = self._make_client()
        self._actions: dict[Callable[[], Awaitable[None]], int] = {
            self._write: 600,
            self._write_to_group: 150,
            self._react: 60,
            self._mark_read: 60,
            self._recall: 20,
            self._edit: 20,
            self._look_back: 20,
            self._list: 20,
            self._search: 10,
            self._change_groups: 20,
            self._reconnect: 15,
            self._go_away: 5,
        }

    def _make_client(self) -> Client:
        return Client(f"127.0.0.1:{self._world.port}", user=self.name, token=self._world.password, device="soak")

    async def come(self) -> None:
        """Log in, and acknowledge whatever arrives from now on."""
        self.client = self._make_client()
        await self.client.__aenter__()
        self._reading = asyncio.create_task(self._read(self.client))

    async def go(self) -> None:
        """Log out."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        await self.client.close()

    async def _read(self, client: Client) -> None:
        async for event in client.events():
            if isinstance(event, MessageReceived):
                self._world.received += 1
                self._received.append(event.message)

    async def live(self, pause_seconds: float) -> None:
        """Act for ever, with pauses of about so long."""
        kinds, weights = list(self._actions), list(self._actions.values())
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / pause_seconds))
            (action,) = self._chance.choices(kinds, weights)
            kind = action.__name__.lstrip("_")
            try:
                await action()
            except (Refused, OutcomeUnknown, Disconnected) as error:
                kind = f"{kind}: {type(error).__name__}"
            self._world.counts[kind] += 1

    # -- what there is to do

    def _somebody(self) -> str:
        return self._chance.choice([name for name in self._world.names[:: self._chance.randint(1, 7)] if name != self.name])

    def _text(self) -> str:
        return " ".join(f"word{self._chance.randint(0, 5_000)}" for _ in range(self._chance.randint(1, 25)))

    async def _write(self) -> None:
        self._sent.append(await self.client.send(self._somebody(), self._text()))

    async def _write_to_group(self) -> None:
        await self.client.send(self._group, self._text())

    async def _react(self) -> None:
        if self._received:
            await self.client.react(self._chance.choice(self._received), "👍")

    async def _mark_read(self) -> None:
        if self._received:
            message = self._received[-1]
            await self.client.read(message.peer, message.seq)

    async def _recall(self) -> None:
        if self._sent:
            await self.client.recall(self._sent.pop())

    async def _edit(self) -> None:
        if self._sent:
            await self.client.edit(self._sent[-1], self._text())

    async def _look_back(self) -> None:
        await self.client.history(self._group, limit=50)

    async def _list(self) -> None:
        async for _ in self.client.conversations():
            pass

    async def _search(self) -> None:
        async for _ in self.client.search(f"word{self._chance.randint(0, 5_000)}"):
            break

    async def _change_groups(self) -> None:
        if self._group is not self._world.groups[-1]:
            await self.client.groups.leave(self._group)
        self._group = self._chance.choice(self._world.groups)
        await self.client.groups.join(self._group)

    async def _reconnect(self) -> None:
        await self.go()
        await self.come()

    async def _go_away(self) -> None:
        await self.go()
        await asyncio.sleep(AWAY_SECONDS)
        await self.come()


async def watch(server: WatchedServer, world: World, minutes: float, every_seconds: float) -> list[tuple[float, Figures]]:
    """Sample the server until the time is over, and print each sample."""
    start = time.monotonic()
    samples = []
    print("minute  own MiB  resident MiB   CPU s  worst pause ms  messages  received", flush=True)
    while (now := time.monotonic() - start) < minutes * 60:
        figures = await asyncio.to_thread(server.figures)
        samples.append((now, figures))
        own, resident = figures.anonymous_bytes / MIB, figures.resident_bytes / MIB
        row = f"{now / 60:6.1f}  {own:7.1f}  {resident:12.1f}  {figures.cpu_seconds:6.1f}"
        print(f"{row}  {figures.worst_pause_seconds * 1e3:14.1f}  {figures.messages:8}  {world.received:8}", flush=True)
        await asyncio.sleep(every_seconds)
    return samples


def slope(samples: list[tuple[float, Figures]]) -> float:
    """Growth of the server's own memory in MiB an hour, by least squares."""
    count = len(samples)
    middle = sum(at for at, _ in samples) / count
    mean = sum(figures.anonymous_bytes for _, figures in samples) / count
    above = sum((at - middle) * (figures.anonymous_bytes - mean) for at, figures in samples)
    return above / sum((at - middle) ** 2 for at, _ in samples) * 3600 / MIB


async def soak(data: Path, people: int, rate: float, minutes: float) -> None:
    names = [f"person{number:04d}" for number in range(people)]
    password = make_users(data, names)
    server = WatchedServer(data)
    world = World(server.port, password, names)
    everybody = [Person(world, number) for number in range(people)]
    for person in everybody:
        await person.come()
    for number, group in enumerate(world.groups):
        members = names[number :: len(world.groups)]
        await everybody[number].client.groups.create(
            f"Group {number}", members[1:], policy=Policy(joining=Joining.OPEN), id=group.id
        )
    lives = [asyncio.create_task(person.live(people / rate)) for person in everybody]
    samples = await watch(server, world, minutes, min(60.0, minutes * 3))
    for life in lives:
        life.cancel()
    failed = [outcome for outcome in await asyncio.gather(*lives, return_exceptions=True) if isinstance(outcome, Exception)]
    for person in everybody:
        await person.go()
    server.stop()
    late = samples[len(samples) // 2 :]
    print(f"slope of the last half: {slope(late):+.2f} MiB an hour, from {late[0][1].anonymous_bytes / MIB:.1f} MiB")
    print(f"worst pause: {max(figures.worst_pause_seconds for _, figures in samples) * 1e3:.1f} ms")
    print("what was done:", ", ".join(f"{kind} {count}" for kind, count in sorted(world.counts.items())))
    print("failed:", failed or "nothing", "· the server's warnings:", server.log.count('"warning"') or "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100.0, help="of what all of them do in a second")
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(soak(Path(directory), options.people, options.rate, options.minutes))


if __name__ == "__main__":
    main()
