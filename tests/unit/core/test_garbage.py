"""A closed session is freed at once: a full garbage collection over many sessions holds up the loop, and so is kept rare."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.storage import make_storage
from tests.protocol.virtual import VirtualWorld, socket_of
from tests.protocol.world import live
from tests.raw import sending, text_message


@pytest.fixture
def nothing_is_collected() -> Iterator[None]:
    """Until a test asks for it; then what is found is kept in gc.garbage."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()
    gc.collect()


def found_by_the_collector() -> Counter[str]:
    """Objects of our own classes that nobody could reach any more, and that were there all the same."""
    gc.collect()
    kinds = (type(thing) for thing in gc.garbage)
    return Counter(kind.__qualname__ for kind in kinds if kind.__module__.startswith("rockdove."))


@pytest.mark.usefixtures("nothing_is_collected")
@pytest.mark.parametrize("storage", ["memory", "sqlite"])
@pytest.mark.parametrize("ending", ["hangs up", "is replaced", "never logs in", "is owed something"])
def test_nothing_of_a_closed_session_waits_for_the_collector(tmp_path: Path, storage: str, ending: str) -> None:
    world = VirtualWorld(make_storage(storage, tmp_path))
    alice = live(world, "alice", "phone")
    bob = world.connect() if ending == "never logs in" else live(world, "bob", "phone")
    count = 400 if ending == "is owed something" else 3
    alice.write(*(sending(seqid, text_message("bob", "hello")) for seqid in range(1, count + 1)))
    alice.settle()
    if ending == "is replaced":
        live(world, "bob", "phone")
    bob.pipe.hang_up()
    world.clock.advance(5_000)
    del socket_of(bob).session  # as a real connection does
    world._sockets.clear()
    del bob
    assert not found_by_the_collector()
    world.close()
