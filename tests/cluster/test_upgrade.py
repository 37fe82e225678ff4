"""A rolling upgrade: two versions side by side, on one database and one bus."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cluster.installation import Installation, in_thread
from tests.cluster.pulse import Pulse
from tests.crash.fleet import USERS, Fleet

NEWER = (sys.executable, str(Path(__file__).with_name("newer.py")))
IGNORED = ("ring_failed", "ring_unreadable", "question_unreadable")

pytestmark = pytest.mark.crash


def test_an_older_node_goes_on_beside_a_newer_one_and_is_not_started_again_on_the_newer_schema(tmp_path: Path) -> None:
    async def side_by_side(installation: Installation) -> None:
        fleet = Fleet("upgrade", pause_seconds=0.1)
        fleet.stay_online(installation.ports)
        await in_thread(installation.nodes["two"].stop)
        await in_thread(installation.restart, "two", NEWER)
        one, two = installation.port("one"), installation.port("two")
        async with Pulse("dave", one, "erin", two) as there, Pulse("erin", two, "dave", one) as back:
            await there.until_beats(20)
            await back.until_beats(20)
        await fleet.rest()
        await fleet.finish(*installation.ports)

    with Installation.running(tmp_path, [*USERS, "dave", "erin"]) as installation:
        asyncio.run(side_by_side(installation))
        installation.assert_no_fault()
        older = installation.nodes["one"]
        assert not [event for event in IGNORED if event in older.log]
        older.stop()
        refused = installation.start("one")
        assert refused.wait() == 1
        assert "was written by a newer rockdove" in refused.log
        installation.restart("one", NEWER)
