"""Reading on a store that takes its time, while others change who may see what (protocol §7)."""

from collections.abc import Iterator
from typing import Any

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import GROUP, ask_group, make_group, say_in
from tests.protocol.client import Client
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Gate, VirtualWorld
from tests.protocol.world import live
from tests.raw import text_of

SEQID = 77


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    world = VirtualWorld(MemoryStorage())
    yield world
    assert not world.journal.faults


def held_back(world: VirtualWorld, name: str) -> Gate:
    """Reads of that name wait until the gate is opened, and only then look."""
    gate, read = Gate(), getattr(world.store, name)

    async def wait(*arguments: Any) -> Any:
        await gate
        return await read(*arguments)

    setattr(world.store, name, wait)
    return gate


def begin(client: Client, sync: pb.Sync) -> None:
    """Ask, and do not wait for the answer."""
    request = pb.Request(type=pb.SYNC, seqid=SEQID, payload=sync.SerializeToString())
    client.write(pb.Command(version=1, request=request))
    client.settle()


def put_bob_out(alice: Client) -> None:
    ask_group(alice, kick=pb.GroupUsers(id=GROUP, users=["bob"]))
    say_in(alice, "not for bob")


@pytest.mark.parametrize("bounds", [{}, {"before": 100}], ids=["upwards", "downwards"])
def test_who_is_put_out_while_he_pulls_finds_nothing_of_later(world: VirtualWorld, bounds: dict[str, int]) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    make_group(alice, "bob")
    say_in(alice, "for bob")
    bob.everything()
    gate = held_back(world, "newest" if bounds else "messages")
    begin(bob, pb.Sync(pull=pb.Pull(chat=pb.GROUP_CHAT, peer=GROUP, **bounds)))
    put_bob_out(alice)
    gate.open()
    messages = pb.Pulled.FromString(bob.answer(SEQID).payload).messages
    assert "for bob" in [text_of(message) for message in messages]
    assert "not for bob" not in [text_of(message) for message in messages]


def test_who_is_put_out_while_he_asks_for_readers_learns_nothing_of_later_messages(world: VirtualWorld) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    make_group(alice, "bob")
    bob.everything()
    gate = held_back(world, "last_seq")
    begin(bob, pb.Sync(readers=pb.ListReaders(peer=GROUP, seq=3)))
    put_bob_out(alice)
    gate.open()
    assert bob.answer(SEQID).code == pb.INVALID_ARGUMENT
