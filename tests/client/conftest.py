"""Clients of a real server."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rockdove.client import Client
from tests.process import PASSWORD, ServerProcess

MakeClient = Callable[..., Client]


@pytest.fixture
def client_of(server: ServerProcess) -> MakeClient:
    """Makes a client of a user, by default on the device "phone", that comes back quickly."""

    def make(user: str, *, device: str | None = "phone", outbox: Path | None = None, token: str = PASSWORD) -> Client:
        address = f"127.0.0.1:{server.port()}"
        return Client(address, user=user, token=token, device=device, outbox=outbox, jitter=lambda: 0.1)

    return make


@pytest.fixture
def chat_environment(server: ServerProcess, tmp_path: Path) -> Mapping[str, str]:
    """The environment of `rockdove chat` for the running server, with files of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROCKDOVE_", "LC_", "LANG"))}
    return environment | {
        "ROCKDOVE_PASSWORD": PASSWORD,
        "ROCKDOVE_SERVER": f"127.0.0.1:{server.port()}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONUTF8": "1",
    }
