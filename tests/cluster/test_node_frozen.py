"""A node is frozen under load: the others go on, and when it comes back it does no harm.

ROCKDOVE_FROZEN_SECONDS sets for how long it is frozen beyond its lease of 15 s (default 18).
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.cluster.installation import Installation, in_thread
from tests.cluster.pulse import Pulse
from tests.crash.fleet import USERS, Fleet

SHORT_SECONDS = 4.0  # less than its lease: nobody takes it for dead
LONG_SECONDS = float(os.environ.get("ROCKDOVE_FROZEN_SECONDS", "18"))
STALL_SECONDS = 8.0  # the database lets go of a frozen node's locks after 3 s; the rest is for a busy machine

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("seconds", [SHORT_SECONDS, LONG_SECONDS])
def test_the_others_go_on_while_a_node_is_frozen_and_it_does_no_harm_afterwards(tmp_path: Path, seconds: float) -> None:
    async def scenario(installation: Installation) -> None:
        fleet = Fleet("frozen", pause_seconds=0.2)
        fleet.stay_online(installation.ports)
        async with Pulse("dave", installation.port("one"), "erin", installation.port("three")) as pulse:
            fleet.apart = True  # a frozen node is asked in vain
            frozen = time.monotonic()
            installation.freeze("two")
            await asyncio.sleep(seconds)
            installation.thaw("two")
            await pulse.until_beats(10)
            print(f"frozen for {seconds} s: others waited {pulse.longest_answer(frozen):.2f} s at most")
            assert pulse.longest_answer(frozen) < STALL_SECONDS
        if seconds > SHORT_SECONDS:
            await in_thread(installation.nodes["one"].wait_for_event, "node_gone")
        async with Pulse("dave", installation.port("two"), "erin", installation.port("one")):
            pass  # it serves again
        fleet.apart = False
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, "dave", "erin"], ("one", "two", "three")) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()
