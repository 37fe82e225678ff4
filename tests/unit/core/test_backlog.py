"""The backlog on a store that takes its time, as one on another machine does (protocol §5 Backlog)."""

from collections.abc import Iterator, Sequence

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Stored
from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import GROUP, ask_group, make_group, say_in
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Gate, VirtualWorld
from tests.protocol.world import live
from tests.raw import text_of


class SlowReads:
    """Makes every read of a log wait until it is let through, with what the log held when it began."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._messages = world.store.messages
        world.store.messages = self.messages
        self._gates: list[Gate] = []
        self.fails = False

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        found: Sequence[Stored] = await self._messages(conversation, after, before, limit)
        gate = Gate()
        self._gates.append(gate)
        await gate
        if self.fails:
            raise StoreUnavailable("away")
        return found

    def let_through(self) -> None:
        """Finish the reads under way, and those that they lead to."""
        while self._gates:
            self._gates.pop().open()
            self._world.clock.settle()


def hiding(peer: str, seqs: list[int], through: int) -> pb.Command:
    """The request to delete messages for oneself."""
    sync = pb.Sync(hide=pb.Hide(peer=peer, seqs=seqs, through=through))
    return pb.Command(version=1, request=pb.Request(type=pb.SYNC, seqid=1, payload=sync.SerializeToString()))


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    world = VirtualWorld(MemoryStorage())
    yield world
    assert not world.journal.faults


def test_what_arrives_while_the_log_is_read_comes_behind_it(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    alice.say_all("bob", ["1", "2"])
    reads = SlowReads(world)
    bob = live(world, "bob")
    alice.say("bob", "3")
    assert bob.messages() == []
    reads.let_through()
    alice.say("bob", "4")
    reads.let_through()
    assert [text_of(message) for message in bob.messages()] == ["1", "2", "3", "4"]


def test_an_ack_while_the_log_is_read_leads_to_nothing_twice(world: VirtualWorld) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    alice.say_all("bob", [f"{n}" for n in range(400)])
    first = bob.messages()
    assert len(first) == 256
    reads = SlowReads(world)
    bob.ack(first[99].msgid)
    bob.settle()
    bob.ack(first[199].msgid)
    bob.ping()
    reads.let_through()
    rest = bob.messages()
    assert [text_of(message) for message in first + rest] == [f"{n}" for n in range(400)]


def test_a_repush_that_falls_due_while_the_log_is_read_keeps_the_order(world: VirtualWorld) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    alice.say_all("bob", [f"{n}" for n in range(300)])
    first = bob.messages()
    reads = SlowReads(world)
    bob.ack(first[9].msgid)
    bob.settle()
    world.clock.advance(31_000)
    reads.let_through()
    seqs = [message.seq for message in bob.messages()]
    falls = [at for at in range(1, len(seqs)) if seqs[at] != seqs[at - 1] + 1]
    assert len(falls) <= 1, seqs
    assert all(seqs[at] == 11 for at in falls)
    assert seqs[-1] == 266
    bob.ack(bob.pull("alice", before=267, limit=1).messages[0].msgid)
    world.clock.settle()
    reads.let_through()
    assert [message.seq for message in bob.messages()][-1] == 300


def test_what_was_acknowledged_elsewhere_and_cut_does_not_bring_what_follows_too_early(world: VirtualWorld) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    alice.say_all("bob", ["1", "2"])
    world.clock.advance(10_000)
    third = alice.say("bob", "3")
    assert len(bob.messages()) == 3
    user = world.do(world.accounts.user(1, "bob")).id
    (device,) = world.do(world.store.devices(user))
    (conversation,) = world.do(world.store.owed(user, device.id))
    assert world.do(world.store.cut(conversation, 2, third.msgid, 10)) == 2
    world.clock.advance(21_000)
    assert bob.messages() == []
    alice.say("bob", "4")
    assert [text_of(message) for message in bob.messages()] == ["4"]
    world.clock.advance(31_000)
    assert [text_of(message) for message in bob.messages()] == ["3", "4"]


def test_what_is_deleted_while_the_log_is_read_is_not_pushed(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    alice.say_all("bob", ["1", "a secret", "3", "4"])
    laptop = live(world, "bob", "laptop")
    laptop.everything()
    reads = SlowReads(world)
    phone = live(world, "bob", "phone")
    laptop.write(hiding("alice", [3], through=1))
    laptop.settle()
    reads.let_through()
    assert [(message.seq, message.removed) for message in phone.messages()] == [(2, False), (3, True), (4, False)]


def test_who_is_put_out_of_a_group_while_its_log_is_read_gets_the_news_of_it_last(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    make_group(alice, "bob")
    say_in(alice, "1")
    reads = SlowReads(world)
    bob = live(world, "bob")
    ask_group(alice, kick=pb.GroupUsers(id=GROUP, users=["bob"]))
    say_in(alice, "not for bob")
    reads.let_through()
    messages = bob.messages()
    assert [message.seq for message in messages] == [1, 2, 3]
    assert pb.Notice.FromString(messages[-1].payload).kind == "group.kicked"


def test_a_device_that_leaves_while_the_log_is_read_is_pushed_nothing(world: VirtualWorld) -> None:
    alice = live(world, "alice")
    alice.say("bob", "1")
    reads = SlowReads(world)
    gone = live(world, "bob", "phone")
    newer = live(world, "bob", "phone")
    reads.let_through()
    assert [text_of(message) for message in newer.messages()] == ["1"]
    assert gone.farewell()
    assert not [command for command in gone.inbox if command.HasField("request")]


def test_a_store_that_was_away_is_asked_again_with_the_next_heartbeat(world: VirtualWorld) -> None:
    live(world, "alice").say_all("bob", ["1", "2"])
    reads = SlowReads(world)
    reads.fails = True
    bob = live(world, "bob")
    reads.let_through()
    assert bob.messages() == []
    reads.fails = False
    bob.ping()
    reads.let_through()
    assert [text_of(message) for message in bob.messages()] == ["1", "2"]


def test_a_long_log_of_ones_own_is_passed_over_while_others_have_their_turns(world: VirtualWorld) -> None:
    alice, bob = live(world, "alice"), live(world, "bob")
    bob.say("alice", "not acknowledged")
    alice.say_all("bob", [f"{n}" for n in range(3_000)])
    bob.say("alice", "the last")
    reads_in_turn = [0]
    messages, turn = world.store.messages, world.clock.turn

    async def counted(*place: int) -> Sequence[Stored]:
        reads_in_turn[-1] += 1
        found: Sequence[Stored] = await messages(*place)
        return found

    def next_turn() -> None:
        reads_in_turn.append(0)
        turn()

    world.store.messages, world.clock.turn = counted, next_turn
    again = live(world, "alice")
    assert [text_of(message) for message in again.messages()] == ["not acknowledged", "the last"]
    assert sum(reads_in_turn) > 60
    assert max(reads_in_turn) <= 20
