"""How soon an installation of three nodes serves again after each fault, and what clients of other nodes notice.

PostgreSQL (with fsync), a synchronous standby and NATS of its own. Two users talk all the time, one message after the other:
one is at the first node, the other at the third.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from rockdove.client import Client
from tests.cluster.installation import Installation
from tests.cluster.pulse import Pulse
from tests.process import PASSWORD

AWAY_SECONDS = 10.0  # NATS, and a frozen node
LEASE_SECONDS = 18.0  # longer than a node's lease
NODES = ("one", "two", "three")


class Fault(NamedTuple):
    """`harm` ends when whatever was harmed is there again."""

    name: str
    harm: Callable[[Installation], Awaitable[None]]


async def kill_other_node(installation: Installation) -> None:
    await asyncio.to_thread(installation.kill, "two")
    await asyncio.to_thread(installation.restart, "two")


async def kill_nats(installation: Installation) -> None:
    await asyncio.to_thread(installation.nats.kill)
    await asyncio.to_thread(installation.nats.start)


async def lose_nats(installation: Installation) -> None:
    await asyncio.to_thread(installation.nats.kill)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(installation.nats.start)


async def freeze_node(installation: Installation) -> None:
    installation.freeze("two")
    await asyncio.sleep(LEASE_SECONDS)
    installation.thaw("two")


async def kill_postgres(installation: Installation) -> None:
    await asyncio.to_thread(installation.postgres.kill)
    await asyncio.to_thread(installation.postgres.start)


async def fail_over(installation: Installation) -> None:
    await asyncio.to_thread(installation.postgres.kill)
    await asyncio.to_thread(installation.standby.promote)


FAULTS = (
    Fault("kill -9 of another node", kill_other_node),
    Fault("kill -9 of NATS, started again", kill_nats),
    Fault(f"NATS away for {AWAY_SECONDS:.0f} s", lose_nats),
    Fault(f"another node frozen for {LEASE_SECONDS:.0f} s", freeze_node),
    Fault("kill -9 of PostgreSQL, started again", kill_postgres),
    Fault("kill -9 of the primary, standby promoted", fail_over),
)


async def measure(installation: Installation, fault: Fault) -> None:
    async with Pulse("dave", installation.port("one"), "erin", installation.port("three")) as pulse:
        harmed = time.monotonic()
        await fault.harm(installation)
        repaired = time.monotonic()
        await pulse.until_beats(20)
        await pulse.until_quiet()
    waited = pulse.longest_answer(harmed)
    first = pulse.answered_after(repaired)
    late = max(beat.received - beat.began for beat in pulse.beats if beat.answered > harmed)
    row = (fault.name, f"{repaired - harmed:.2f}", f"{first:.2f}", f"{waited:.2f}", f"{late:.2f}")
    print("| " + " | ".join(row) + " |", flush=True)


async def measure_own_node(installation: Installation) -> None:
    """The node is killed to which the client is connected, and it goes to another, as the SDK does."""
    servers = [f"127.0.0.1:{installation.port(name)}" for name in NODES]
    async with Client(servers[:2], user="dave", token=PASSWORD, jitter=lambda: 0.0) as client:
        await client.send("dave", "before")
        killed = time.monotonic()
        await asyncio.to_thread(installation.kill, "one")
        await client.send("dave", "after")
        print(f"| kill -9 of one's own node | – | {time.monotonic() - killed:.2f} | | |", flush=True)
    await asyncio.to_thread(installation.restart, "one")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        options = {"durable": True, "standby": True}
        with Installation.running(Path(directory), ("dave", "erin"), NODES, **options) as installation:
            print("| fault | until repaired, s | then first answer, s | longest answer, s | longest until received, s |")
            print("|---|---|---|---|---|")
            asyncio.run(measure_own_node(installation))
            for fault in FAULTS:
                asyncio.run(measure(installation, fault))


if __name__ == "__main__":
    main()
