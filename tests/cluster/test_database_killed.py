"""PostgreSQL is killed under load: UNAVAILABLE meanwhile, nothing acknowledged is lost, and no node has to be restarted."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.cluster.installation import Installation, in_thread
from tests.cluster.pulse import Pulse
from tests.crash.fleet import USERS, Fleet

KILLS = 3
PULSE = ("dave", "erin")

pytestmark = pytest.mark.crash


def test_nothing_acknowledged_is_lost_when_postgresql_is_killed_and_comes_back(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("database killed")
        fleet.stay_online(installation.ports)
        async with Pulse("dave", installation.port("one"), "erin", installation.port("two")) as pulse:
            for _ in range(KILLS):
                await in_thread(installation.postgres.kill)
                await in_thread(installation.postgres.start)
                back = time.monotonic()
                await pulse.until_beats(10)
                print(f"{pulse.answered_after(back):.2f} s after PostgreSQL was back the first message was answered")
            await pulse.until_quiet()
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, *PULSE], durable=True) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()


def test_nothing_acknowledged_is_lost_when_a_synchronous_standby_takes_over(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("failover")
        fleet.stay_online(installation.ports)
        async with Pulse("dave", installation.port("one"), "erin", installation.port("two")) as pulse:
            killed = time.monotonic()
            await in_thread(installation.postgres.kill)
            await in_thread(installation.standby.promote)
            back = time.monotonic()
            await pulse.until_beats(10)
            print(
                f"promoted after {back - killed:.2f} s; the first message was answered {pulse.answered_after(back):.2f} s later"
            )
            await pulse.until_quiet()
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, *PULSE], durable=True, standby=True) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()
