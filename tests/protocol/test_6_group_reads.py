"""Protocol §6 in groups: unread counts, read marks, and who has read a message."""

from typing import Any

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import (
    GROUP,
    ask_group,
    conversation,
    done,
    in_group,
    invite,
    leave,
    make_group,
    reaction_of,
    recall_of,
    say_in,
)
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import World, live


@pytest.fixture
def carol(world: World) -> Client:
    return live(world, "carol", "phone")


def read(client: Client, seq: int) -> pb.Response:
    """Say that the user has read the group up to `seq`."""
    receipt = pb.Receipt(kind=pb.Receipt.READ, chat=pb.GROUP_CHAT, peer=GROUP, seq=seq)
    return client.ask(pb.RECEIPT, receipt.SerializeToString())


def readers(client: Client, seq: int, **fields: Any) -> pb.Readers:
    """One page of who has read a message."""
    answer = ask_readers(client, seq, **fields)
    assert answer.code == pb.OK, answer
    return pb.Readers.FromString(answer.payload)


def ask_readers(client: Client, seq: int, peer: str = GROUP, **fields: Any) -> pb.Response:
    return client.ask(pb.SYNC, pb.Sync(readers=pb.ListReaders(peer=peer, seq=seq, **fields)).SerializeToString())


# ---------------------------------------------------------------- READ


def test_a_read_mark_in_a_group_goes_to_the_readers_other_devices_only(
    world: World, alice: Client, bob: Client, carol: Client
) -> None:
    laptop = live(world, "bob", "laptop")
    make_group(alice, "bob", "carol")
    say_in(alice, "x")
    assert read(bob, 2).code == pb.OK
    mark = pb.Receipt(kind=pb.Receipt.READ, chat=pb.GROUP_CHAT, peer=GROUP, seq=2, user="bob")
    assert laptop.receipts() == [mark]
    assert bob.receipts() == alice.receipts() == carol.receipts() == []
    assert read(bob, 1).code == pb.OK
    assert laptop.receipts() == [], "it never moves back"


def test_unread_is_the_users_on_all_his_devices(world: World, alice: Client, bob: Client) -> None:
    laptop = live(world, "bob", "laptop")
    make_group(alice, "bob")
    for text in ("1", "2", "3"):
        say_in(alice, text)
    say_in(bob, "4")
    for client in (bob, laptop):
        assert conversation(client, GROUP).unread == 3, "the notice and his own do not count"
    read(bob, 3)
    for client in (bob, laptop):
        item = conversation(client, GROUP)
        assert (item.unread, item.read_seq, item.last_seq) == (1, 3, 5)
    assert conversation(alice, GROUP).unread == 1
    assert conversation(alice, GROUP).read_seq == 0


def test_what_was_recalled_and_what_changes_messages_is_not_unread(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    first, _ = say_in(alice, "1"), say_in(alice, "2")
    done(alice, in_group(reaction_of(GROUP, first.msgid, "👍")))
    done(alice, in_group(recall_of(GROUP, first.msgid)))
    assert conversation(bob, GROUP).unread == 1


def test_who_comes_later_has_nothing_unread_of_what_was_before(alice: Client, carol: Client) -> None:
    make_group(alice)
    say_in(alice, "1")
    invite(alice, "carol")
    assert conversation(carol, GROUP).unread == 0
    say_in(alice, "2")
    assert conversation(carol, GROUP).unread == 1


def test_what_was_said_after_somebody_left_is_not_unread_to_him(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    say_in(alice, "1")
    leave(bob)
    say_in(alice, "2")
    item = conversation(bob, GROUP)
    assert (item.unread, item.left, item.last_seq) == (1, True, 3)
    assert item.last.type == pb.NOTICE


def test_who_left_marks_read_what_he_saw_and_no_more(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    say_in(alice, "1")
    leave(bob)
    say_in(alice, "2")
    assert read(bob, 4).code == pb.INVALID_ARGUMENT
    assert read(bob, 3).code == pb.OK
    assert conversation(bob, GROUP).unread == 0


def test_nobody_marks_read_what_does_not_exist_or_what_he_never_saw(alice: Client, bob: Client, carol: Client) -> None:
    make_group(alice, "bob")
    assert read(bob, 2).code == pb.INVALID_ARGUMENT
    assert read(carol, 1).code == pb.INVALID_ARGUMENT


# ---------------------------------------------------------------- readers


def test_a_member_sees_how_many_and_who_have_read_a_message(alice: Client, bob: Client, carol: Client) -> None:
    make_group(alice, "bob", "carol", "dave")
    sent = say_in(alice, "1")
    say_in(alice, "2")
    assert readers(alice, sent.seq) == pb.Readers(count=0, total=3)
    read(bob, sent.seq)
    read(carol, sent.seq + 1)
    read(alice, sent.seq + 1)  # who wrote it counts neither here nor there
    for client in (alice, bob):
        assert readers(client, sent.seq) == pb.Readers(count=2, total=3, users=["bob", "carol"])
        assert readers(client, sent.seq + 1) == pb.Readers(count=1, total=3, users=["carol"])


def test_readers_come_in_pages_with_the_counts_of_all(alice: Client, bob: Client, carol: Client) -> None:
    make_group(alice, "bob", "carol")
    sent = say_in(alice, "1")
    for client in (bob, carol):
        read(client, sent.seq)
    first = readers(alice, sent.seq, limit=1)
    assert first == pb.Readers(count=2, total=2, users=["bob"], next="bob")
    assert readers(alice, sent.seq, limit=1, after=first.next) == pb.Readers(count=2, total=2, users=["carol"])
    assert not readers(alice, sent.seq, limit=2).next


def test_only_members_who_are_there_and_could_see_it_count(alice: Client, bob: Client, carol: Client) -> None:
    make_group(alice, "bob")
    sent = say_in(alice, "1")
    read(bob, sent.seq)
    invite(alice, "carol")
    read(carol, sent.seq + 1)
    assert readers(alice, sent.seq) == pb.Readers(count=1, total=1, users=["bob"])
    leave(bob)
    assert readers(alice, sent.seq) == pb.Readers(count=0, total=0)


def test_with_history_for_new_members_who_come_later_count_too(alice: Client, carol: Client) -> None:
    make_group(alice, history_for_new=True)
    sent = say_in(alice, "1")
    invite(alice, "carol")
    assert readers(alice, sent.seq).total == 1
    read(carol, sent.seq + 1)
    assert readers(alice, sent.seq) == pb.Readers(count=1, total=1, users=["carol"])


def test_readers_are_told_to_members_of_what_they_can_see(alice: Client, bob: Client, carol: Client) -> None:
    make_group(alice, "bob")
    sent = say_in(alice, "1")
    assert ask_readers(carol, sent.seq).code == pb.PERMISSION_DENIED
    invite(alice, "carol")
    assert ask_readers(carol, sent.seq).code == pb.INVALID_ARGUMENT
    assert ask_readers(carol, sent.seq + 1).code == pb.OK
    leave(bob)
    assert ask_readers(bob, sent.seq).code == pb.PERMISSION_DENIED
    assert ask_readers(alice, sent.seq, peer="nobody").code == pb.NOT_FOUND
    assert ask_readers(alice, sent.seq, after="nobody").code == pb.NOT_FOUND
    ask_group(alice, dissolve=pb.GroupRef(id=GROUP))
    assert ask_readers(alice, sent.seq).code == pb.NOT_FOUND


@pytest.mark.parametrize("seq", [0, 3, (1 << 64) - 1])
def test_who_has_read_what_was_never_said_is_no_question(alice: Client, seq: int) -> None:
    make_group(alice, "bob")
    say_in(alice, "1")
    assert ask_readers(alice, seq).code == pb.INVALID_ARGUMENT


def test_read_marks_of_groups_outlive_the_server(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    make_group(alice, "bob")
    sent = say_in(alice, "1")
    read(bob, sent.seq)
    virtual.crash()
    assert readers(live(virtual, "alice"), sent.seq).users == ["bob"]
    assert conversation(live(virtual, "bob"), GROUP).unread == 0
