"""The database goes away for a while: nothing is said to be stored that is not, and all goes on when it is back."""

import json
from collections.abc import Callable
from pathlib import Path

from rockdove.client import BlockingClient, MessageReceived
from tests.conftest import StartServer
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import PASSWORD, rockdove


def test_what_was_sent_while_it_was_away_arrives_once_it_is_back(
    tmp_path: Path, start_postgres: Callable[..., PostgresServer], nats: NatsServer, start_server: StartServer
) -> None:
    server = start_postgres(durable=True)
    node = start_server(tmp_path, "--store", server.dsn(), "--bus", nats.url)
    node.wait_for_event("ready")
    rockdove("user", "add", "--from-file", "-", "--store", server.dsn(), text=f"alice:{PASSWORD}\nbob:{PASSWORD}\n")
    address = f"127.0.0.1:{node.port()}"
    with (
        BlockingClient(address, user="alice", token=PASSWORD, outbox=tmp_path / "a") as alice,
        BlockingClient(address, user="bob", token=PASSWORD, outbox=tmp_path / "b") as bob,
    ):
        assert alice.send("bob", "before").seq == 1
        server.kill()
        alice.post("bob", "meanwhile")
        node.wait_for_event("store_unavailable")
        server.start()
        texts = []
        for event in bob.events(timeout=60):
            if isinstance(event, MessageReceived):
                bob.acknowledge(event.message)
                texts.append((event.message.seq, event.message.text))
                if len(texts) == 2:
                    break
        assert texts == [(1, "before"), (2, "meanwhile")]
    node.stop()
    events = [json.loads(line) for line in node.log.splitlines()]
    assert [event for event in events if event["level"] == "error"] == []
