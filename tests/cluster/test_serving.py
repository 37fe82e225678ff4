"""Several nodes on one database and one bus: real processes."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rockdove.client import BlockingClient, MessageReceived
from rockdove.client.errors import Disconnected
from tests.conftest import StartServer
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import PASSWORD, ServerProcess, rockdove

STOP_SECONDS = 20.0  # a machine that is busy needs more than the 10 of the promise
FOLLOWS_SECONDS = 5.0  # the promise is about one; a machine that is busy is no reason to fail


@pytest.fixture
def start_node(tmp_path: Path, database: str, nats: NatsServer, start_server: StartServer) -> Callable[[str], ServerProcess]:
    """Starts a node of that name; all of them share a new database and a bus."""
    return lambda name: start_server(tmp_path, "--store", database, "--bus", nats.url, "--node-name", name)


def client(node: ServerProcess, user: str, outbox: Path) -> BlockingClient:
    return BlockingClient(f"127.0.0.1:{node.port()}", user=user, token=PASSWORD, outbox=outbox / user)


def test_nodes_that_start_together_on_a_new_database_serve_the_same_people(
    tmp_path: Path, database: str, start_node: Callable[[str], ServerProcess]
) -> None:
    nodes = [start_node(name) for name in ("one", "two", "three")]
    for node in nodes:
        node.wait_for_event("bus_connected")
        assert node.wait_for_event("ready")["store"] == re.sub("//.*@", "//", database)
    people = "".join(f"{name}:{PASSWORD}\n" for name in ("alice", "bob"))
    rockdove("user", "add", "--from-file", "-", "--store", database, text=people)
    with client(nodes[0], "alice", tmp_path) as alice, client(nodes[1], "bob", tmp_path) as bob:
        sent = alice.send("bob", "hello")
        message = next(event.message for event in bob.events(timeout=60) if isinstance(event, MessageReceived))
        assert (message.text, message.seq) == ("hello", sent.seq)
    for node in nodes:
        node.stop()
        assert node.wait_for_event("draining")["seconds"] > 0


def test_an_account_that_is_disabled_anywhere_is_signed_out_of_every_node(
    tmp_path: Path, database: str, start_node: Callable[[str], ServerProcess]
) -> None:
    node = start_node("one")
    node.wait_for_event("ready")
    rockdove("user", "add", "alice", "--password-stdin", "--store", database, text=PASSWORD)
    with client(node, "alice", tmp_path) as alice:
        alice.next_event(timeout=60)
        rockdove("user", "disable", "alice", "--store", database)
        began = time.monotonic()
        with pytest.raises(Disconnected, match="KICKED"):
            alice.next_event(timeout=60)
        assert time.monotonic() - began < FOLLOWS_SECONDS


def test_passwords_of_database_and_bus_are_in_no_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    start_nats: Callable[..., NatsServer],
    start_server: StartServer,
) -> None:
    bus = start_nats("--user", "rockdove", "--pass", "s3cret")
    monkeypatch.setenv("ROCKDOVE_STORE", database.replace("postgres@", "postgres:s3cret@"))
    monkeypatch.setenv("ROCKDOVE_BUS", f"nats://rockdove:s3cret@{bus.address}")
    monkeypatch.setenv("ROCKDOVE_LOG_LEVEL", "debug")
    node = start_server(tmp_path)
    node.wait_for_event("bus_connected")
    node.wait_for_event("ready")
    bus.kill()
    node.wait_for_event("bus_lost")
    node.stop()
    assert "s3cret" not in node.log


def test_a_node_without_a_bus_is_warned_of(tmp_path: Path, database: str, start_server: StartServer) -> None:
    node = start_server(tmp_path, "--store", database)
    assert "set bus" in node.wait_for_event("bus_missing")["action"]
    node.wait_for_event("ready")
    node.stop()
    assert node.wait_for_event("draining")["seconds"] == 0


def test_a_node_whose_database_is_frozen_stops_in_time(
    tmp_path: Path, start_postgres: Callable[..., PostgresServer], nats: NatsServer, start_server: StartServer
) -> None:
    server = start_postgres()
    node = start_server(tmp_path, "--store", server.dsn(), "--bus", nats.url)
    node.wait_for_event("ready")
    rockdove("user", "add", "--from-file", "-", "--store", server.dsn(), text=f"alice:{PASSWORD}\nbob:{PASSWORD}\n")
    with client(node, "alice", tmp_path) as alice:
        alice.send("bob", "stored")
        server.pause()
        alice.post("bob", "under way")
        node.signal(signal.SIGTERM)
        assert node.wait(STOP_SECONDS) == 0
    server.resume()
