"""SIGTERM: an operator's restart is felt as nothing worse than a reconnect."""

import asyncio
import signal
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.crash.fleet import CALM, USERS, Fleet
from tests.process import DEADLINE_SECONDS, PASSWORD, add_users
from tests.raw import RawClient

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("drain_seconds", [0, 2])
def test_sigterm_under_load_tells_every_client_and_loses_nothing(
    tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch, drain_seconds: int
) -> None:
    async def scenario() -> None:
        server = start_server(tmp_path)
        fleet = Fleet("shutdown", CALM)
        await fleet.go_online(await asyncio.to_thread(server.port))
        await asyncio.gather(*(device.until(lambda device: len(device.answered) > 50) for device in fleet.devices))

        await asyncio.to_thread(server.stop)
        await fleet.until_hung_up()
        assert [word and word.code for word in fleet.last_words] == [pb.SERVER_SHUTDOWN] * len(fleet.devices)

        server = start_server(tmp_path)
        await fleet.finish(await asyncio.to_thread(server.port))
        server.stop()

    monkeypatch.setenv("ROCKDOVE_DRAIN_SECONDS", str(drain_seconds))
    add_users(tmp_path, USERS)
    asyncio.run(scenario())


def get(url: str) -> tuple[int, str]:
    """Status and body of the answer."""
    try:
        with urlopen(url, timeout=DEADLINE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_clients_are_moved_one_by_one_and_a_second_sigterm_moves_all(
    tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROCKDOVE_DRAIN_SECONDS", "3600")
    add_users(tmp_path, ["alice"])
    server = start_server(tmp_path, "--http", "127.0.0.1:0")
    port, http = server.port(), f"http://127.0.0.1:{server.port('http')}"

    async def scenario() -> None:
        clients = [await RawClient.connect(port) for _ in range(5)]
        for number, client in enumerate(clients):
            await client.login("alice", PASSWORD, device=f"device{number}")
        server.wait_for_event("ready")
        assert await asyncio.to_thread(get, f"{http}/readyz") == (200, "ready\n")
        assert 'rockdove_sessions{state="live"} 5.0\n' in (await asyncio.to_thread(get, f"{http}/metrics"))[1]
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.wait_for_event, "draining", lambda event: event["connections"] == 5)
        assert await asyncio.to_thread(get, f"{http}/readyz") == (503, "not ready: the server stops\n")
        for client in clients:
            await client.ping()  # they are still served
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(port)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        for client in clients:
            last = await client.disconnected()
            assert last is not None
            assert last.code == pb.SERVER_SHUTDOWN
            await client.close()
        assert await asyncio.to_thread(server.wait, DEADLINE_SECONDS) == 0
        assert time.monotonic() - began < 10

    asyncio.run(scenario())
