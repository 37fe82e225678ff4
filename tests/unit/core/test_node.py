"""What a node does regularly goes on, whatever happens in between."""

from collections.abc import Iterator
from typing import Any

import pytest

from rockdove.core.node import ACCOUNTS_MS
from rockdove.core.records import UserState
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import LOGIN_MS
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Gate, VirtualWorld
from tests.protocol.world import change_user, live


class Faulty:
    """A session whose deadline meets a bug."""

    check_ms = 0
    check_slot = -1

    def check(self, now_ms: int) -> None:
        raise ZeroDivisionError


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    world = VirtualWorld(MemoryStorage())
    yield world
    world.close()


def test_a_user_disabled_while_the_accounts_cannot_be_read_is_out_as_soon_as_they_can(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    change_user(world, "alice", state=UserState.DISABLED)

    async def fail(_: int) -> None:
        raise ZeroDivisionError

    world.accounts.user_by_id = fail  # type: ignore[method-assign,assignment]
    world.clock.advance(ACCOUNTS_MS)
    assert len(world.journal.faults) == 1
    del world.accounts.user_by_id  # type: ignore[method-assign]
    world.clock.advance(ACCOUNTS_MS)
    farewell = alice.farewell()
    assert farewell is not None
    assert farewell.code == pb.KICKED


@pytest.mark.parametrize("slow", ["forget_requests", "changes"])
def test_a_slow_store_is_not_asked_again_before_it_has_answered(world: VirtualWorld, slow: str) -> None:
    owner = world.store if slow == "forget_requests" else world.accounts
    real, gate, asked = getattr(owner, slow), Gate(), []

    async def answer_later(*arguments: Any) -> Any:
        asked.append(arguments)
        await gate
        return await real(*arguments)

    setattr(owner, slow, answer_later)
    world.clock.advance(60_000)
    assert len(asked) == 1
    gate.open()
    world.clock.advance(60_000)
    assert len(asked) > 30
    assert not world.journal.faults


def test_after_a_fault_with_one_deadline_the_later_ones_hold(world: VirtualWorld) -> None:
    world.node.deadlines.watch(Faulty(), world.clock.now_ms())  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        world.clock.advance(2 * LOGIN_MS)
    silent = world.connect()
    world.clock.advance(2 * LOGIN_MS)
    farewell = silent.farewell()
    assert farewell is not None
    assert farewell.code == pb.LOGIN_REQUIRED
