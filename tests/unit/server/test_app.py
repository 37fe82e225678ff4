"""How a server ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rockdove.core.errors import StoreFailed
from rockdove.core.settings import Settings
from rockdove.server.app import _Server
from rockdove.server.config import Config
from tests.protocol.virtual import Journal


class FailingNode:
    """The store fails while clients are told that the server stops: what waits for a commit waits for ever."""

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self.commit = self
        self._on_failure = on_failure

    def drain(self, within_ms: int = 0) -> None:
        self._on_failure(StoreFailed("fsync"))

    def then(self, call: Callable[[Any], None]) -> None:
        pass


def test_a_store_that_fails_while_the_server_stops_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    async def stop() -> None:
        server = _Server(Config(data=tmp_path), Journal())
        async with asyncio.timeout(10):
            await server._drain(FailingNode(server._failed))  # type: ignore[arg-type]
        assert server._exit_code == 1

    asyncio.run(stop())


def test_what_the_operator_chose_reaches_the_core(tmp_path: Path) -> None:
    config = Config(
        data=tmp_path,
        heartbeat_seconds=7,
        window=8,
        max_frame_bytes=5_000,
        group_max_members=9,
        logins_at_once=10,
        logins_waiting=11,
        device_expiry_days=2,
        maintenance_seconds=3,
    )
    assert _Server(config, Journal())._settings() == Settings(
        heartbeat_seconds=7,
        window=8,
        max_frame_bytes=5_000,
        group_max_members=9,
        logins_at_once=10,
        logins_waiting=11,
        device_expiry_ms=2 * 86_400_000,
        maintenance_ms=3_000,
    )
