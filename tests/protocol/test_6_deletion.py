"""Protocol §6, extension: delete for me, which concerns nobody else."""

from typing import Any

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import (
    GROUP,
    conversation,
    done,
    exposed,
    found,
    hide,
    hides,
    in_group,
    leave,
    make_group,
    pull_one,
    reaction_of,
    say_in,
)
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import World, live
from tests.raw import text_of


def texts(pulled: pb.Pulled) -> list[tuple[int, str]]:
    """(seq, text) of messages; "†" for a tombstone."""
    return [(message.seq, "†" if message.removed else text_of(message)) for message in pulled.messages]


def test_what_was_deleted_is_a_tombstone_for_its_reader_alone(world: World, alice: Client, bob: Client) -> None:
    live(world, "bob", "laptop").pipe.hang_up()
    sent = alice.say_all("bob", ["a secret", "2", "secret, too"])
    assert hide(bob, "alice", 1, 3).code == pb.OK
    assert texts(bob.pull("alice")) == [(1, "†"), (2, "2"), (3, "†")]
    assert texts(bob.pull("alice", before=4)) == [(1, "†"), (2, "2"), (3, "†")]
    place = {"msgid": sent[0].msgid, "seq": 1, "timestamp": sent[0].timestamp, "from": "alice"}
    assert pull_one(bob, "alice", 1) == pb.Message(to="bob", removed=True, **place)
    away = live(world, "bob", "laptop").messages()
    assert [(message.seq, message.removed) for message in away] == [(1, True), (2, False), (3, True)]
    assert b"secret" not in exposed(world, "bob", "alice")
    assert b"secret" in exposed(world, "alice", "bob")
    assert texts(alice.pull("bob")) == [(1, "a secret"), (2, "2"), (3, "secret, too")]


def test_the_list_of_conversations_does_not_show_what_was_deleted(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2"])
    hide(bob, "alice", 2)
    last = conversation(bob, "alice").last
    assert (last.seq, last.removed, last.payload) == (2, True, b"")
    assert text_of(conversation(alice, "bob").last) == "2"


def test_only_the_users_other_devices_hear_of_it(world: World, alice: Client, bob: Client) -> None:
    laptop, tablet = live(world, "bob", "laptop"), live(world, "alice", "tablet")
    alice.say_all("bob", ["1", "2", "3"])
    assert hide(bob, "alice", 1, 3, through=1).code == pb.OK
    assert hides(laptop) == [pb.Hide(peer="alice", seqs=[1, 3], through=1)]
    assert hides(bob) == hides(alice) == hides(tablet) == []


def test_what_awaits_its_ack_comes_again_without_what_was_deleted(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", ["1", "a secret", "3"])
    bob.everything()
    hide(bob, "alice", 2)
    virtual.clock.advance(31_000)
    again = bob.messages()
    assert [(message.seq, message.removed) for message in again] == [(1, False), (2, True), (3, False)]


def test_new_messages_come_after_a_deletion_as_before(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2"])
    assert len(bob.messages()) == 2
    hide(bob, "alice", through=2)
    alice.say("bob", "3")
    assert [text_of(message) for message in bob.messages()] == ["3"]


def test_a_cleared_history_is_gone_for_its_reader_alone(world: World, alice: Client, bob: Client) -> None:
    live(world, "bob", "laptop").pipe.hang_up()
    alice.say_all("bob", ["1", "a secret", "3", "4"])
    assert hide(bob, "alice", through=3).code == pb.OK
    assert texts(bob.pull("alice")) == texts(bob.pull("alice", before=5)) == [(4, "4")]
    assert not bob.pull("alice", before=4).messages
    assert [message.seq for message in live(world, "bob", "laptop").messages()] == [4]
    assert conversation(bob, "alice").unread == 1
    assert len(alice.pull("bob").messages) == 4
    assert hide(bob, "alice", through=4).code == pb.OK
    assert not bob.pull("alice").messages
    item = conversation(bob, "alice")
    assert (item.last_seq, item.unread, item.HasField("last")) == (4, 0, False)
    assert b"secret" not in exposed(world, "bob", "alice")


def test_a_device_that_was_owed_what_was_cleared_is_owed_nothing(world: World, alice: Client, bob: Client) -> None:
    live(world, "bob", "laptop").pipe.hang_up()
    alice.say_all("bob", ["1", "2"])
    hide(bob, "alice", through=2)
    laptop = live(world, "bob", "laptop")
    assert laptop.messages() == []
    alice.say("bob", "3")
    assert [message.seq for message in laptop.messages()] == [3]


def test_a_deletion_outlives_the_server(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", ["1", "2", "3"])
    hide(bob, "alice", 3, through=1)
    virtual.crash()
    bob = live(virtual, "bob")
    assert texts(bob.pull("alice")) == [(2, "2"), (3, "†")]
    assert [message.removed for message in bob.messages()] == [False, True]


def test_a_deletion_is_never_taken_back_and_a_retry_is_harmless(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2", "3"])
    for _ in range(2):
        assert hide(bob, "alice", through=2).code == pb.OK
    assert hide(bob, "alice", through=1).code == pb.OK
    assert hide(bob, "alice", 1).code == pb.OK
    assert texts(bob.pull("alice")) == [(3, "3")]


def test_both_sides_of_a_talk_delete_for_themselves(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2"])
    hide(alice, "bob", 1)
    hide(bob, "alice", 2)
    assert texts(alice.pull("bob")) == [(1, "†"), (2, "2")]
    assert texts(bob.pull("alice")) == [(1, "1"), (2, "†")]


def test_in_a_group_too_only_for_oneself_and_also_after_leaving(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    for text in ("1", "2", "3"):
        say_in(alice, text)
    assert hide(bob, GROUP, 3, chat=pb.GROUP_CHAT).code == pb.OK
    leave(bob)
    assert hide(bob, GROUP, through=2, chat=pb.GROUP_CHAT).code == pb.OK
    expected = [(3, True, pb.TXT), (4, False, pb.TXT), (5, False, pb.NOTICE)]
    for before in (0, 100):
        seen = bob.pull(GROUP, chat=pb.GROUP_CHAT, before=before).messages
        assert [(message.seq, message.removed, message.type) for message in seen] == expected
    assert not any(message.removed for message in alice.pull(GROUP, chat=pb.GROUP_CHAT).messages)


def test_what_was_deleted_can_still_be_reacted_to_by_others(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    sent = say_in(alice, "x")
    hide(alice, GROUP, sent.seq, chat=pb.GROUP_CHAT)
    done(bob, in_group(reaction_of(GROUP, sent.msgid, "👍")))
    assert pull_one(alice, GROUP, sent.seq, chat=pb.GROUP_CHAT).removed


def test_what_was_deleted_is_not_found_by_a_search_any_more(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["blue one", "blue two", "blue three"])
    assert found(bob, "blue") == ["blue three", "blue two", "blue one"]
    hide(bob, "alice", 3, through=1)
    assert found(bob, "blue") == ["blue two"]
    assert found(alice, "blue") == ["blue three", "blue two", "blue one"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"peer": "bob"}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "seqs": [0]}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "seqs": [3]}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "seqs": [1, (1 << 64) - 1]}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "through": 3}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "seqs": [1] * 1_001}, pb.INVALID_ARGUMENT),
        ({"peer": "bob", "seqs": [1], "chat": 7}, pb.INVALID_ARGUMENT),
        ({"peer": "no name", "seqs": [1]}, pb.INVALID_ARGUMENT),
        ({"peer": "carol", "seqs": [1]}, pb.INVALID_ARGUMENT),
        ({"peer": "nobody", "seqs": [1]}, pb.NOT_FOUND),
        ({"peer": "nobody", "seqs": [1], "chat": pb.GROUP_CHAT}, pb.NOT_FOUND),
    ],
)
def test_a_deletion_that_makes_no_sense_is_refused_whole(alice: Client, request_: dict[str, Any], code: pb.Code) -> None:
    alice.say_all("bob", ["1", "2"])
    answer = alice.ask(pb.SYNC, pb.Sync(hide=pb.Hide(**request_)).SerializeToString())
    assert answer.code == code
    assert answer.reason
    assert texts(alice.pull("bob")) == [(1, "1"), (2, "2")]


def test_up_to_1000_messages_are_deleted_at_once(alice: Client) -> None:
    alice.say_all("alice", ["x"] * 1_000)
    assert hide(alice, "alice", *range(1, 1_001)).code == pb.OK
    assert all(message.removed for message in alice.pull("alice", before=1_001, limit=200).messages)


def test_who_never_was_in_a_group_deletes_nothing_of_it(world: World, alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    carol = live(world, "carol")
    assert hide(carol, GROUP, 1, chat=pb.GROUP_CHAT).code == pb.INVALID_ARGUMENT
    assert hide(carol, GROUP, through=1, chat=pb.GROUP_CHAT).code == pb.INVALID_ARGUMENT
