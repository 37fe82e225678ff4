"""kill -9 of nodes at random moments: nothing acknowledged is lost, doubled or reordered, and the others go on.

ROCKDOVE_NODE_KILLS sets how often (default 6), ROCKDOVE_SEED how it begins.
"""

import asyncio
import os
import secrets
from pathlib import Path
from random import Random

import pytest

from tests.cluster.installation import Installation, in_thread
from tests.crash.fleet import USERS, Fleet

KILLS = int(os.environ.get("ROCKDOVE_NODE_KILLS", "6"))
LOAD_SECONDS = 1.0  # at most, between a node's start and the next kill

pytestmark = pytest.mark.crash


async def kill_again_and_again(installation: Installation, seed: str) -> None:
    random = Random(seed)
    fleet = Fleet(seed, pause_seconds=0.1)
    fleet.stay_online(installation.ports)
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.1, LOAD_SECONDS))
        name = random.choice(list(installation.nodes))
        fleet.kill(installation.nodes[name])
        installation.start(name)
        if random.random() < 0.8:  # else the next kill may come while it starts
            await in_thread(installation.until_ready, name)
    await in_thread(installation.until_ready, *installation.nodes)
    await fleet.rest()
    await fleet.finish(*installation.ports)
    print(f"{len(fleet.history)} events")


def test_nothing_is_lost_doubled_or_reordered_by_kill_minus_nine_of_nodes(tmp_path: Path) -> None:
    seed = os.environ.get("ROCKDOVE_SEED", secrets.token_hex(4))
    print(f"replay the decisions with ROCKDOVE_SEED={seed} ROCKDOVE_NODE_KILLS={KILLS}")
    with Installation.running(tmp_path, USERS, ("one", "two", "three")) as installation:
        asyncio.run(kill_again_and_again(installation, seed))
        installation.assert_no_fault()
