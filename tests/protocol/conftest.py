"""Every promise on every transport and store; those about time on virtual time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.client import Client
from tests.protocol.real import Certificate, RealWorld, make_certificate
from tests.protocol.storage import STORES, make_storage
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import World, live

WORLDS = ["virtual-memory", "virtual-sqlite", "virtual-cluster", "tcp-memory", "tls-sqlite"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=WORLDS)
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a world with the given settings. Afterwards no server may have noticed a bug of its own."""
    transport, store = request.param.split("-")
    with ExitStack() as worlds:

        def make(**settings: Any) -> World:
            storage = make_storage(store, tmp_path)
            world: RealWorld | VirtualWorld
            if transport == "virtual":
                world = VirtualWorld(storage, _nodes(store), **settings)
            else:
                used = request.getfixturevalue("certificate") if transport == "tls" else None
                world = RealWorld(storage, used, **settings)
            worlds.callback(_no_faults, world)
            worlds.callback(world.close)
            return world

        yield make


@pytest.fixture(params=STORES)
def make_virtual(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., VirtualWorld]]:
    """Likewise, on virtual time."""
    with ExitStack() as worlds:

        def make(**settings: Any) -> VirtualWorld:
            world = VirtualWorld(make_storage(request.param, tmp_path), _nodes(request.param), **settings)
            worlds.callback(_no_faults, world)
            worlds.callback(world.close)
            return world

        yield make


def _nodes(store: str) -> int:
    return 2 if store == "cluster" else 1


def _no_faults(world: RealWorld | VirtualWorld) -> None:
    assert not world.journal.faults, "\n".join(world.journal.faults)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def virtual(make_virtual: Callable[..., VirtualWorld]) -> VirtualWorld:
    return make_virtual()


@pytest.fixture
def alice(world: World) -> Client:
    return live(world, "alice", "phone")


@pytest.fixture
def bob(world: World) -> Client:
    return live(world, "bob", "phone")
