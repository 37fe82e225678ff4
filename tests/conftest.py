"""Shared fixtures: a real server process on free ports, with its own data."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.process import ServerProcess, add_users


class StartServer(Protocol):
    """Starts a server on `data`; whatever still runs is killed when the test ends."""

    def __call__(self, data: Path, *arguments: str, **options: Sequence[str]) -> ServerProcess:
        """Arguments and options as of ServerProcess."""


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """A function that starts servers."""
    started: list[ServerProcess] = []

    def start(data: Path, *arguments: str, **options: Sequence[str]) -> ServerProcess:
        started.append(ServerProcess(data, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def server(tmp_path: Path, start_server: StartServer) -> ServerProcess:
    """A running server with the users alice, bob and carol, whose password is `tests.process.PASSWORD`."""
    data = tmp_path / "data"
    add_users(data, ["alice", "bob", "carol"])
    process = start_server(data)
    process.port()
    return process
