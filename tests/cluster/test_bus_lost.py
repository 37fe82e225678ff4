"""Without its bus an installation is slower, and that is all: the store is the truth.

ROCKDOVE_BUS_LOST_SECONDS sets for how long it is lost (default 8; heartbeats are 2 s apart here).
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.cluster.installation import Installation, in_thread
from tests.cluster.pulse import Pulse
from tests.crash.fleet import USERS, Fleet

LOST_SECONDS = float(os.environ.get("ROCKDOVE_BUS_LOST_SECONDS", "8"))
KILLS = 3
DELAY_SECONDS = 10.0  # two heartbeats and a busy machine

pytestmark = pytest.mark.crash


def test_nothing_but_time_is_lost_while_the_bus_is_away(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("bus lost", pause_seconds=0.2)
        fleet.stay_online(installation.ports)
        async with Pulse("dave", installation.port("one"), "erin", installation.port("two")) as pulse:
            fleet.apart = True
            lost = time.monotonic()
            await in_thread(installation.nats.kill)
            await asyncio.sleep(LOST_SECONDS)
            away = [(node, node.events) for node in installation.nodes.values()]
            await in_thread(installation.nats.start)
            for node, events in away:
                await asyncio.to_thread(node.wait_for_event, "bus_connected", after=events)
            back = time.monotonic()
            await pulse.until_beats(10)
            await pulse.until_quiet()
            late = max(beat.received - beat.began for beat in pulse.beats if beat.began > lost)
            print(f"{back - lost:.1f} s without a bus: answers took {pulse.longest_answer(lost):.2f} s, arrivals {late:.2f} s")
            assert late < DELAY_SECONDS
        fleet.apart = False
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, "dave", "erin"]) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()


def test_a_bus_that_is_killed_again_and_again_costs_nothing(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("bus killed")
        fleet.apart = True
        fleet.stay_online(installation.ports)
        for _ in range(KILLS):
            await asyncio.sleep(0.7)
            await in_thread(installation.nats.kill)
            await in_thread(installation.nats.start)
        async with Pulse("dave", installation.port("one"), "erin", installation.port("two")):
            pass
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, "dave", "erin"]) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()
