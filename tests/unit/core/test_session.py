"""What one session may not do to itself or to others."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from rockdove.core.records import Batch, Summary
from rockdove.core.session import FRAMES_PER_TURN
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Gate, VirtualWorld, socket_of
from tests.protocol.world import live
from tests.raw import sending, text_message


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    world = VirtualWorld(MemoryStorage())
    yield world
    world.close()


def test_a_login_whose_connection_is_gone_ends_no_other_session(world: VirtualWorld) -> None:
    world.passwords.gate = gate = Gate()
    gone = world.connect()
    gone.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)))
    socket_of(gone).hang_up()
    world.clock.settle()
    world.passwords.gate = None
    alice = live(world, "alice")
    gate.open()
    world.clock.settle()
    assert alice.ping().server_time


def test_many_heartbeats_in_a_turn_look_into_the_store_once(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    looks = []
    owed = world.store.owed

    async def counted(user: int, device: int) -> Sequence[int]:
        looks.append(device)
        found: Sequence[int] = await owed(user, device)
        return found

    world.store.owed = counted
    alice.write(*[pb.Command(ping=pb.Ping())] * 100)
    world.clock.settle()
    assert len(alice.everything()) == 100
    assert len(looks) == 1


def test_a_fault_while_the_backlog_is_looked_up_ends_the_login(world: VirtualWorld) -> None:
    async def broken(user: int, device: int) -> Sequence[int]:
        raise ZeroDivisionError

    world.store.owed = broken
    client = world.connect()
    client.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)))
    world.clock.settle()
    farewell = client.farewell()
    assert farewell is not None
    assert farewell.code == pb.SERVER_SHUTDOWN
    world.journal.faults.clear()


def test_a_flood_of_other_requests_is_served_one_in_a_turn(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    served = [0]
    summaries, turn = world.store.summaries, world.clock.turn

    async def counted(*query: Any) -> Sequence[Summary]:
        served[-1] += 1
        found: Sequence[Summary] = await summaries(*query)
        return found

    def next_turn() -> None:
        served.append(0)
        turn()

    world.store.summaries, world.clock.turn = counted, next_turn
    listing = pb.Sync(conversations=pb.ListConversations()).SerializeToString()
    alice.write(*(pb.Command(request=pb.Request(type=pb.SYNC, seqid=n, payload=listing)) for n in range(1, 200)))
    world.clock.settle()
    assert sum(served) == 199
    assert max(served) == 1


def test_a_session_puts_a_bounded_number_of_messages_into_one_batch_however_slow_the_store(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    alice.say("bob", "so that the way is known")
    sizes = []
    commit = world.store.commit

    def measured(batch: Batch, done: Callable[[Exception | None], None]) -> None:
        sizes.append(len(batch))
        commit(batch, done)

    world.store.commit = measured
    world.store.holds = True
    for _ in range(50):
        alice.write(*(sending(alice.next_seqid(), text_message("bob", "flood")) for _ in range(100)))
        world.clock.settle()
    world.store.release()
    world.clock.settle()
    assert sum(sizes) >= 5_000
    assert max(sizes) <= FRAMES_PER_TURN


def test_a_flood_of_acks_takes_no_more_than_its_share_of_a_turn(world: VirtualWorld) -> None:
    live(world, "alice")
    session = world.session_of(1, "")
    ack = codec.frame(pb.Command(version=1, response=pb.Response(seqid=5)))
    session.receive(ack * (FRAMES_PER_TURN + 1), world.clock.now_ms())
    assert session._decoder.waiting
    world.clock.settle()
    assert not session._decoder.waiting


def test_pushes_are_counted_whether_they_come_from_the_log_or_not(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    alice.say_all("bob", ["1", "2"])
    live(world, "bob")
    alice.say_all("bob", ["3", "4", "5"])
    assert world.node.commit.figures.pushes == 5
