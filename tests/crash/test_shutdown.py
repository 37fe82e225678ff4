"""SIGTERM: an operator's restart is felt as nothing worse than a reconnect."""

import asyncio
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.crash.fleet import CALM, USERS, Fleet
from tests.process import add_users

pytestmark = pytest.mark.crash


def test_sigterm_under_load_tells_every_client_and_loses_nothing(tmp_path: Path, start_server: StartServer) -> None:
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

    add_users(tmp_path, USERS)
    asyncio.run(scenario())
