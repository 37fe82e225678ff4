"""kill -9 at random moments: nothing acknowledged is lost, doubled or reordered, whatever the clients were doing.

ROCKDOVE_KILLS sets how often (default 200, over all seeds), ROCKDOVE_SEED how it begins.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.conftest import StartServer
from tests.crash.fleet import USERS, Fleet
from tests.process import ROCKDOVE, ServerProcess, add_users

SEEDS = 4  # run in parallel where there are the processors
KILLS = int(os.environ.get("ROCKDOVE_KILLS", "200"))
SMALL_TAIL = (sys.executable, str(Path(__file__).with_name("small_tail.py")))
START_SECONDS = 1.0  # about as long as a start takes
LOAD_SECONDS = 0.5  # at most, between the start and the kill


async def kill_again_and_again(seed: str, start: Callable[[], ServerProcess]) -> None:
    random = Random(seed)
    fleet = Fleet(seed)
    for _ in range(KILLS // SEEDS):
        server = start()
        if random.random() < 0.1:  # while it starts: a kill during recovery
            await asyncio.sleep(random.uniform(0, START_SECONDS))
            fleet.kill(server)
            continue
        await fleet.go_online(await asyncio.to_thread(server.port))
        await asyncio.sleep(random.uniform(0.05, LOAD_SECONDS))
        fleet.kill(server)
        await fleet.until_hung_up()
        assert not any(fleet.last_words), "the server ended a connection before it was killed"
    server = start()
    await fleet.finish(await asyncio.to_thread(server.port))
    server.stop()
    print(f"{len(fleet.history)} events")


@pytest.mark.crash
@pytest.mark.parametrize("shard", range(SEEDS))
def test_nothing_is_lost_doubled_or_reordered_by_kill_minus_nine(shard: int, tmp_path: Path, start_server: StartServer) -> None:
    base = os.environ.get("ROCKDOVE_SEED", secrets.token_hex(4))
    print(f"replay the decisions with ROCKDOVE_SEED={base} ROCKDOVE_KILLS={KILLS}")
    add_users(tmp_path, USERS)
    program = SMALL_TAIL if shard % 2 else (str(ROCKDOVE),)
    asyncio.run(kill_again_and_again(f"{base} {shard}", lambda: start_server(tmp_path, program=program)))
