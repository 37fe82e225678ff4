"""Two nodes of one store: clients move from one that stops to the other, and the operator sees both."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rockdove import Client, MessageReceived
from tests.conftest import StartServer
from tests.engines.nats import NatsServer
from tests.process import DEADLINE_SECONDS, PASSWORD, ROCKDOVE

pytestmark = pytest.mark.crash


def status(store: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the nodes by name."""
    command = [str(ROCKDOVE), "cluster", "status", "--store", store, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return done.returncode, {node["name"]: node for node in json.loads(done.stdout)["nodes"]}


def test_clients_move_to_the_other_node_when_one_stops(
    tmp_path: Path, store: str, nats: NatsServer, start_server: StartServer
) -> None:
    lines = f"alice:{PASSWORD}\nbob:{PASSWORD}\n"
    add = [str(ROCKDOVE), "user", "add", "--from-file", "-", "--store", store]
    subprocess.run(add, input=lines, text=True, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    options = ("--store", store, "--bus", nats.url)
    nodes = {name: start_server(tmp_path, *options, "--node-name", name) for name in ("blue", "red")}
    addresses = {name: f"127.0.0.1:{node.port()}" for name, node in nodes.items()}

    async def until(wanted: Any) -> dict[str, dict[str, Any]]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not wanted(*(seen := await asyncio.to_thread(status, store))):
                await asyncio.sleep(0.2)
            return seen[1]

    async def scenario() -> None:
        order = [addresses["blue"], addresses["red"]]
        alice = Client(order, user="alice", token=PASSWORD, jitter=lambda: 0.0)  # takes them in this order
        bob = Client(addresses["red"], user="bob", token=PASSWORD)
        async with alice, bob:
            await until(lambda code, seen: code == 0 and len(seen) == 2 and seen["blue"]["connections"] == 1)
            await asyncio.to_thread(nodes["blue"].stop)
            sent = await alice.send("bob", "from the other side", timeout=DEADLINE_SECONDS)
            async for event in bob.events():
                if isinstance(event, MessageReceived):
                    assert (event.message.seq, event.message.text) == (sent.seq, "from the other side")
                    break
            seen = await until(lambda code, seen: code == 0 and seen["red"]["connections"] == 2)
            assert seen["blue"]["status"] == "left"
            await asyncio.to_thread(nodes["red"].kill)
        seen = await until(lambda code, seen: code == 1)
        assert seen["red"]["status"] == "dead"

    asyncio.run(scenario())
