"""Protocol §6: sync, receipts."""

from collections.abc import Callable

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import UserState
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import OTHER_TENANT, World, add_users, change_user, live
from tests.raw import sending, text_message, text_of

READ, DELIVERED = pb.Receipt.READ, pb.Receipt.DELIVERED


def peers(page: pb.Conversations) -> list[str]:
    """Whom the conversations are with, in order."""
    return [conversation.peer for conversation in page.items]


def seqs(pulled: pb.Pulled) -> list[int]:
    """The places of the messages, in order."""
    return [message.seq for message in pulled.messages]


def receipt(kind: pb.Receipt.Kind, peer: str, user: str, seq: int) -> pb.Receipt:
    """As its reader gets it."""
    return pb.Receipt(kind=kind, chat=pb.SINGLE, peer=peer, user=user, seq=seq)


# ---------------------------------------------------------------- ListConversations


def test_a_new_user_has_no_conversations(alice: Client) -> None:
    page = alice.conversations()
    assert not page.items
    assert not page.next


def test_conversations_come_with_the_newest_activity_first(alice: Client) -> None:
    carol_speaks = [alice.say(peer, "x") for peer in ("bob", "carol", "dave", "bob", "alice")]
    assert len(carol_speaks) == 5
    assert peers(alice.conversations()) == ["alice", "bob", "dave", "carol"]


def test_activity_of_the_other_side_counts(world: World, alice: Client, bob: Client) -> None:
    alice.say("bob", "x")
    alice.say("carol", "x")
    assert peers(alice.conversations()) == ["carol", "bob"]
    bob.say("alice", "y")
    assert peers(alice.conversations()) == ["bob", "carol"]
    assert peers(bob.conversations()) == ["alice"]


def test_a_conversation_says_where_everybody_stands(world: World, alice: Client, bob: Client) -> None:
    laptop = live(world, "bob", "laptop")
    alice.say_all("bob", ["1", "2", "3", "4", "5"])
    bob.say("alice", "6")
    last = alice.say("bob", "7")
    bob.ack(bob.messages()[2].msgid)
    laptop.ack(laptop.messages()[0].msgid)
    bob.read("alice", 2)
    alice.read("bob", 6)
    (conversation,) = bob.conversations().items
    assert (conversation.chat, conversation.peer, conversation.last_seq) == (pb.SINGLE, "alice", 7)
    assert (conversation.read_seq, conversation.peer_read_seq) == (2, 6)
    assert conversation.unread == 4  # 3, 4, 5 and 7; the 6th was his own
    assert (text_of(conversation.last), conversation.last.msgid, conversation.last.seq) == ("7", last.msgid, 7)
    assert getattr(conversation.last, "from") == "alice"
    (of_alice,) = alice.conversations().items
    assert (of_alice.read_seq, of_alice.peer_read_seq, of_alice.unread) == (6, 2, 0)


def test_acked_seq_is_this_devices_cursor(virtual: VirtualWorld) -> None:
    alice, bob, laptop = live(virtual, "alice"), live(virtual, "bob"), live(virtual, "bob", "laptop")
    alice.say_all("bob", ["1", "2", "3"])
    bob.ack(bob.messages()[2].msgid)
    laptop.ack(laptop.messages()[0].msgid)
    virtual.clock.advance(1_000)
    assert bob.conversations().items[0].acked_seq == 3
    assert laptop.conversations().items[0].acked_seq == 1


def test_ones_own_messages_are_not_unread(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2"])
    alice.say("alice", "note")
    assert [conversation.unread for conversation in alice.conversations().items] == [0, 0]
    assert [conversation.unread for conversation in bob.conversations().items] == [2]


def test_pages_follow_each_other_without_a_gap(world: World, alice: Client) -> None:
    names = [f"user{n}" for n in range(23)]
    add_users(world, names)
    for name in names:
        alice.say(name, "x")
    found = []
    page = alice.conversations(limit=5)
    while True:
        found.append(peers(page))
        if not page.next:
            break
        page = alice.conversations(limit=5, after=page.next)
    assert [len(of_page) for of_page in found] == [5, 5, 5, 5, 3]
    assert [name for of_page in found for name in of_page] == names[::-1]


def test_a_last_page_that_is_full_says_that_it_is_the_last(alice: Client) -> None:
    for name in ("bob", "carol"):
        alice.say(name, "x")
    assert alice.conversations(limit=1).next
    assert not alice.conversations(limit=2).next


def test_activity_between_two_pages_loses_no_conversation(world: World, alice: Client) -> None:
    for name in ("bob", "carol", "dave"):
        alice.say(name, "x")
    first = alice.conversations(limit=1)
    alice.say("bob", "y")
    rest = alice.conversations(after=first.next)
    # bob has moved in front of what was seen, where the push of that message shows him; nobody else is left out.
    assert set(peers(first) + peers(rest)) >= {"dave", "carol"}


@pytest.mark.parametrize(("limit", "expected"), [(0, 50), (1, 1), (200, 200), (201, 200), ((1 << 32) - 1, 200)])
def test_a_page_of_conversations_holds_50_and_at_most_200(virtual: VirtualWorld, limit: int, expected: int) -> None:
    alice = live(virtual, "alice")
    names = [f"user{n}" for n in range(210)]
    add_users(virtual, names)
    alice.write(*(sending(n, text_message(name, "x")) for n, name in enumerate(names, 1)))
    alice.answer(210)
    assert len(alice.conversations(limit=limit).items) == expected


@pytest.mark.parametrize("token", ["x", "1", "1.2.3", "-1.2", "1.-2", "f" * 100 + ".1", "1.", "."])
def test_what_is_no_page_token_is_an_invalid_argument(alice: Client, token: str) -> None:
    sync = pb.Sync(conversations=pb.ListConversations(after=token))
    answer = alice.ask(pb.SYNC, sync.SerializeToString())
    assert answer.code == pb.INVALID_ARGUMENT
    assert "next" in answer.reason


def test_nobody_sees_the_conversations_of_another_tenant(world: World, bob: Client) -> None:
    bob.say("alice", "x")
    org, appkey = OTHER_TENANT
    other = live(world, "alice", org=org, appkey=appkey)
    assert not other.conversations().items
    other.say("erin", "y")
    assert peers(other.conversations()) == ["erin"]
    assert other.ask(pb.SYNC, pb.Sync(pull=pb.Pull(peer="bob")).SerializeToString()).code == pb.NOT_FOUND


def test_the_talk_with_somebody_removed_can_still_be_read(world: World, alice: Client, bob: Client) -> None:
    bob.say("alice", "bye")
    change_user(world, "bob", state=UserState.REMOVED)
    assert peers(alice.conversations()) == ["bob"]
    assert [text_of(message) for message in alice.pull("bob").messages] == ["bye"]


# ---------------------------------------------------------------- Pull


@pytest.fixture
def log(alice: Client) -> Client:
    """Alice, who has written 250 messages to bob."""
    alice.say_all("bob", [f"{n}" for n in range(1, 251)])
    return alice


def test_a_pull_finds_any_range_upwards(log: Client) -> None:
    assert seqs(log.pull("bob", after=100, limit=3)) == [101, 102, 103]
    assert seqs(log.pull("bob", after=100, before=104)) == [101, 102, 103]
    assert seqs(log.pull("bob", after=100, before=101)) == []
    assert seqs(log.pull("bob", after=100, before=50)) == []
    assert seqs(log.pull("bob", after=250)) == []
    assert seqs(log.pull("bob", after=(1 << 64) - 1)) == []


def test_a_pull_before_a_place_finds_the_newest_ones_below_it(log: Client) -> None:
    assert seqs(log.pull("bob", before=251, limit=3)) == [248, 249, 250]
    assert seqs(log.pull("bob", before=100, limit=3)) == [97, 98, 99]
    assert seqs(log.pull("bob", before=3, limit=10)) == [1, 2]
    assert seqs(log.pull("bob", before=1)) == []
    assert seqs(log.pull("bob", before=(1 << 64) - 1, limit=2)) == [249, 250]


def test_a_pull_of_nothing_in_particular_begins_at_the_start(log: Client) -> None:
    assert seqs(log.pull("bob")) == list(range(1, 51))


@pytest.mark.parametrize(("limit", "expected"), [(0, 50), (1, 1), (200, 200), (201, 200), ((1 << 32) - 1, 200)])
def test_a_pull_holds_50_and_at_most_200(log: Client, limit: int, expected: int) -> None:
    assert len(log.pull("bob", limit=limit).messages) == expected
    assert len(log.pull("bob", before=251, limit=limit).messages) == expected


def test_more_says_whether_the_range_goes_on(log: Client) -> None:
    assert log.pull("bob", after=100, limit=149).more
    assert not log.pull("bob", after=100, limit=150).more
    assert log.pull("bob", after=100, before=104, limit=2).more
    assert not log.pull("bob", after=100, before=104, limit=3).more
    assert log.pull("bob", before=4, limit=2).more
    assert not log.pull("bob", before=4, limit=3).more
    assert not log.pull("carol").more


def test_both_sides_pull_the_same_log(world: World, log: Client, bob: Client) -> None:
    assert bob.pull("alice", after=10, limit=20) == log.pull("bob", after=10, limit=20)
    assert not live(world, "carol").pull("bob").messages


def test_what_was_pushed_and_what_is_pulled_are_the_same(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2"])
    bob.say("alice", "3")
    alice.say("bob", "4")
    pulled = list(bob.pull("alice").messages)
    assert [message for message in pulled if getattr(message, "from") == "alice"] == bob.messages()


@pytest.mark.parametrize("before", [0, 41])
def test_an_answer_is_never_longer_than_a_frame_may_be(make_world: Callable[..., World], before: int) -> None:
    """Whoever wants the rest asks again; pages meet without a gap."""
    world = make_world(max_frame_bytes=20_000)
    alice = live(world, "alice")
    alice.say_all("bob", ["x" * (n * 400) for n in range(1, 41)])
    found: list[int] = []
    after, more = 0, True
    while more:
        payload = pb.Sync(pull=pb.Pull(peer="bob", after=after, before=before, limit=200)).SerializeToString()
        answer = alice.ask(pb.SYNC, payload)
        assert answer.ByteSize() + 8 <= 20_000
        pulled = pb.Pulled.FromString(answer.payload)
        more = pulled.more
        if before:
            found = seqs(pulled) + found
            before = found[0]
        else:
            found += seqs(pulled)
            after = found[-1]
    assert found == list(range(1, 41))


def test_the_list_of_conversations_is_never_longer_than_a_frame_may_be(make_world: Callable[..., World]) -> None:
    world = make_world(max_frame_bytes=20_000)
    names = [f"user{n}" for n in range(40)]
    add_users(world, names)
    alice = live(world, "alice")
    for n, name in enumerate(names):
        alice.say(name, "x" * (n * 300))
    found: list[str] = []
    after = ""
    while True:
        payload = pb.Sync(conversations=pb.ListConversations(after=after, limit=200)).SerializeToString()
        answer = alice.ask(pb.SYNC, payload)
        assert answer.ByteSize() + 8 <= 20_000
        page = pb.Conversations.FromString(answer.payload)
        found += peers(page)
        after = page.next
        if not after:
            break
    assert found == names[::-1]


@pytest.mark.parametrize(
    ("pull", "code"),
    [
        (pb.Pull(peer="nobody"), pb.NOT_FOUND),
        (pb.Pull(peer=""), pb.INVALID_ARGUMENT),
        (pb.Pull(peer="no name"), pb.INVALID_ARGUMENT),
        (pb.Pull(peer="x" * 65), pb.INVALID_ARGUMENT),
        (pb.Pull(peer="bob", chat=pb.GROUP_CHAT), pb.NOT_FOUND),
        (pb.Pull(peer="erin"), pb.NOT_FOUND),
    ],
)
def test_a_pull_of_what_does_not_exist_is_an_error(alice: Client, pull: pb.Pull, code: pb.Code) -> None:
    answer = alice.ask(pb.SYNC, pb.Sync(pull=pull).SerializeToString())
    assert answer.code == code
    assert answer.reason
    assert not answer.payload


def test_a_retry_of_a_read_is_harmless(alice: Client) -> None:
    alice.say("bob", "x")
    sync = pb.Sync(pull=pb.Pull(peer="bob")).SerializeToString()
    answers = [alice.ask(pb.SYNC, sync, seqid=7) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert alice.say("bob", "seqid 7 was none of a message's", 7).seq == 2


# ---------------------------------------------------------------- READ


def test_reading_tells_the_users_other_devices_and_the_peer(world: World, alice: Client, bob: Client) -> None:
    laptop, tablet, carol = live(world, "bob", "laptop"), live(world, "alice", "tablet"), live(world, "carol")
    alice.say_all("bob", ["1", "2", "3"])
    for client in (alice, bob, laptop, tablet):
        client.everything()
    assert bob.read("alice", 2).code == pb.OK
    (push,) = laptop.pushes(pb.RECEIPT)
    assert push.seqid == 0  # it wants no ack
    assert pb.Receipt.FromString(push.payload) == receipt(READ, "alice", "bob", 2)
    for client in (alice, tablet):
        assert client.receipts() == [receipt(READ, "bob", "bob", 2)]
    assert bob.receipts() == carol.receipts() == []


def test_a_read_mark_never_moves_back_and_is_told_once(alice: Client, bob: Client) -> None:
    alice.say_all("bob", ["1", "2", "3"])
    for seq in (2, 1, 2, 0):
        assert bob.read("alice", seq).code == pb.OK
    assert [r.seq for r in alice.receipts() if r.kind == READ] == [2]
    assert bob.conversations().items[0].read_seq == 2
    assert alice.conversations().items[0].peer_read_seq == 2


def test_a_read_mark_is_the_users_and_outlives_the_server(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob", "phone")
    alice.say_all("bob", ["1", "2", "3"])
    bob.read("alice", 2)
    virtual.crash()
    assert live(virtual, "bob", "laptop").conversations().items[0].read_seq == 2
    assert live(virtual, "alice").conversations().items[0].peer_read_seq == 2


def test_reading_one_conversation_leaves_the_others_alone(world: World, bob: Client) -> None:
    for name in ("alice", "carol"):
        live(world, name).say_all("bob", ["1", "2"])
    bob.read("alice", 2)
    assert {c.peer: (c.read_seq, c.unread) for c in bob.conversations().items} == {"alice": (2, 0), "carol": (0, 2)}


def test_reading_does_not_acknowledge(world: World, alice: Client, bob: Client) -> None:
    alice.say("bob", "x")
    bob.read("alice", 1)
    assert len(live(world, "bob", "phone").messages()) == 1


def test_notes_to_oneself_can_be_read(world: World, alice: Client) -> None:
    tablet = live(world, "alice", "tablet")
    alice.say("alice", "note")
    assert alice.read("alice", 1).code == pb.OK
    assert tablet.receipts() == [receipt(READ, "alice", "alice", 1)]
    assert alice.receipts() == []


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        (receipt(READ, "nobody", "", 1), pb.NOT_FOUND),
        (receipt(READ, "no name", "", 1), pb.INVALID_ARGUMENT),
        (receipt(READ, "bob", "", 2), pb.INVALID_ARGUMENT),  # beyond the last
        (receipt(READ, "bob", "", (1 << 64) - 1), pb.INVALID_ARGUMENT),
        (receipt(READ, "carol", "", 1), pb.INVALID_ARGUMENT),  # nothing was ever said
        (receipt(DELIVERED, "bob", "", 1), pb.INVALID_ARGUMENT),  # only the server sends it
        (pb.Receipt(chat=pb.GROUP_CHAT, peer="bob", seq=1), pb.NOT_FOUND),
    ],
)
def test_a_receipt_that_makes_no_sense_is_an_error_and_told_to_nobody(
    alice: Client, bob: Client, mark: pb.Receipt, code: pb.Code
) -> None:
    alice.say("bob", "x")
    bob.everything()
    assert alice.ask(pb.RECEIPT, mark.SerializeToString()).code == code
    assert bob.everything() == []
    assert alice.conversations().items[0].read_seq == 0


def test_whose_receipt_it_is_is_not_the_clients_to_say(alice: Client, bob: Client) -> None:
    alice.say("bob", "x")
    bob.ask(pb.RECEIPT, receipt(READ, "alice", "carol", 1).SerializeToString())
    assert [r.user for r in alice.receipts() if r.kind == READ] == ["bob"]


def test_nobody_hears_of_a_read_mark_that_is_not_stored(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "x")
    bob.everything()
    virtual.store.fails_with = StoreUnavailable("the disk is full")
    assert bob.read("alice", 1).code == pb.UNAVAILABLE
    assert alice.everything() == []
    virtual.store.fails_with = None
    assert bob.read("alice", 1).code == pb.OK
    assert alice.receipts() == [receipt(READ, "bob", "bob", 1)]


def test_receipts_are_not_kept_for_those_away(world: World, bob: Client) -> None:
    alice = live(world, "alice")
    alice.say("bob", "x")
    alice.pipe.hang_up()
    bob.ack(bob.messages()[0].msgid)
    bob.read("alice", 1)
    again = live(world, "alice")
    assert again.receipts() == []
    assert again.conversations().items[0].peer_read_seq == 1


# ---------------------------------------------------------------- DELIVERED


def test_the_first_ack_of_the_receiver_tells_the_senders_online_devices(virtual: VirtualWorld) -> None:
    alice, tablet = live(virtual, "alice", "phone"), live(virtual, "alice", "tablet")
    bob, laptop = live(virtual, "bob", "phone"), live(virtual, "bob", "laptop")
    alice.say_all("bob", ["1", "2", "3"])
    messages = bob.messages()
    laptop.messages()
    bob.ack(messages[1].msgid)
    virtual.clock.advance(1_000)
    for client in (alice, tablet):
        assert client.receipts() == [receipt(DELIVERED, "bob", "bob", 2)]
    laptop.ack(messages[0].msgid, messages[1].msgid)
    bob.ack(messages[0].msgid)
    virtual.clock.advance(1_000)
    assert alice.receipts() == []
    laptop.ack(messages[2].msgid)
    virtual.clock.advance(1_000)
    assert alice.receipts() == [receipt(DELIVERED, "bob", "bob", 3)]
    bob.ack(messages[2].msgid)
    virtual.clock.advance(1_000)
    assert alice.receipts() == []
    assert bob.receipts() == laptop.receipts() == []


def test_ones_own_other_device_delivers_nothing(virtual: VirtualWorld) -> None:
    alice, tablet, bob = live(virtual, "alice", "phone"), live(virtual, "alice", "tablet"), live(virtual, "bob")
    alice.say("bob", "x")
    tablet.ack(tablet.messages()[0].msgid)
    virtual.clock.advance(1_000)
    assert bob.receipts() == alice.receipts() == tablet.receipts() == []


def test_notes_to_oneself_are_delivered_to_nobody(virtual: VirtualWorld) -> None:
    alice, tablet = live(virtual, "alice", "phone"), live(virtual, "alice", "tablet")
    alice.say("alice", "note")
    tablet.ack(tablet.messages()[0].msgid)
    virtual.clock.advance(1_000)
    assert alice.receipts() == tablet.receipts() == []


def test_a_delivery_that_was_told_is_not_told_again_after_everybody_was_away(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob", "phone")
    live(virtual, "bob", "laptop").pipe.hang_up()
    alice.say("bob", "x")
    bob.ack(bob.messages()[0].msgid)
    virtual.clock.advance(1_000)
    bob.pipe.hang_up()
    assert len(alice.receipts()) == 1
    laptop = live(virtual, "bob", "laptop")
    laptop.ack(laptop.messages()[0].msgid)
    virtual.clock.advance(1_000)
    assert alice.receipts() == []


def test_the_answer_of_the_receiver_does_not_count_as_its_ack(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "x")
    bob.settle()
    bob.say("alice", "y")
    virtual.clock.advance(1_000)
    assert alice.receipts() == []


def test_acks_come_to_the_store_in_bulk_and_not_one_by_one(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", ["x"] * 100)
    messages = bob.messages()
    before = virtual.store.commits
    for message in messages:
        bob.ack(message.msgid)
        virtual.clock.settle()
    virtual.clock.advance(1_000)
    assert 1 <= virtual.store.commits - before <= 3
    assert [r.seq for r in alice.receipts()] == [100]
