"""Protocol §5: receiving."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby
from random import Random
from typing import Any
from unittest import mock

import pytest

from rockdove.core.records import FOREVER, NO_RETENTION
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld, socket_of
from tests.protocol.world import World, add_users, change_tenant, live
from tests.raw import sending, text_message, text_of

DAY_MS = 86_400_000


def texts(messages: list[pb.Message]) -> list[str]:
    """What they say."""
    return [text_of(message) for message in messages]


def numbers(first: int, last: int) -> list[str]:
    """Texts to recognise, `first` to `last`."""
    return [f"{n}" for n in range(first, last + 1)]


def restored(client: Client) -> list[str]:
    """Acknowledge what has come until nothing more comes; what it said."""
    came: list[str] = []
    while messages := client.messages():
        came += texts(messages)
        client.ack(*(message.msgid for message in messages))
    return came


# ---------------------------------------------------------------- the push


def test_every_receiver_gets_the_same_bytes_with_the_servers_fields(world: World, alice: Client, bob: Client) -> None:
    laptop, tablet = live(world, "bob", "laptop"), live(world, "alice", "tablet")
    sent = alice.say("bob", "hello")
    late = live(world, "bob", "late")
    pushes = [client.pushes() for client in (bob, laptop, tablet, late)]
    assert [len(of_client) for of_client in pushes] == [1, 1, 1, 1]
    push = pushes[0][0]
    assert all(other.SerializeToString() == push.SerializeToString() for (other,) in pushes)
    message = pb.Message.FromString(push.payload)
    assert (push.type, push.seqid, list(push.opts)) == (pb.MESSAGE, sent.msgid, [])
    assert (getattr(message, "from"), message.to, message.chat) == ("alice", "bob", pb.SINGLE)
    assert (message.msgid, message.seq, message.timestamp) == (sent.msgid, sent.seq, sent.timestamp)
    pulled = bob.ask(pb.SYNC, pb.Sync(pull=pb.Pull(peer="alice")).SerializeToString())
    assert push.payload in pulled.payload


def test_a_device_gets_what_the_users_other_devices_send_and_not_what_it_sent_itself(world: World, bob: Client) -> None:
    phone, tablet = live(world, "alice", "phone"), live(world, "alice", "tablet")
    phone.say("bob", "from the phone")
    tablet.say("bob", "from the tablet")
    assert texts(phone.messages()) == ["from the tablet"]
    assert texts(tablet.messages()) == ["from the phone"]
    assert texts(bob.messages()) == ["from the phone", "from the tablet"]


def test_what_a_device_sent_itself_does_not_come_back_on_a_later_connection(world: World) -> None:
    phone = live(world, "alice", "phone")
    phone.say("bob", "mine")
    phone.say("alice", "mine, too")
    assert live(world, "alice", "phone").messages() == []
    assert texts(live(world, "alice", "tablet").messages()) == []  # it starts where the phone is


def test_nobody_else_gets_it(world: World, alice: Client) -> None:
    carol, eve = live(world, "carol"), live(world, "alice", org="acme", appkey="chat")
    alice.say("bob", "between us")
    assert carol.messages() == eve.messages() == []


# ---------------------------------------------------------------- order


def test_seqs_come_upwards_without_a_gap_together_with_ones_own(alice: Client, bob: Client) -> None:
    sent: dict[str, list[int]] = {"alice": [], "bob": []}
    for n in range(30):
        speaker, name, peer = (alice, "alice", "bob") if n % 3 else (bob, "bob", "alice")
        sent[name] += [s.seq for s in speaker.say_all(peer, numbers(1, n % 7 + 1))]
    for client, name in ((alice, "alice"), (bob, "bob")):
        received = [message.seq for message in client.messages()]
        assert received == sorted(received)
        assert sorted(received + sent[name]) == list(range(1, len(received) + len(sent[name]) + 1))


def test_what_is_sent_while_a_backlog_comes_waits_behind_it(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say_all("bob", numbers(1, 300))
    bob = live(virtual, "bob")
    first = bob.messages()
    assert texts(first) == numbers(1, 256)
    alice.say("bob", "301")
    assert bob.messages() == []
    bob.ack(first[0].msgid)
    assert texts(bob.messages()) == ["257"]
    bob.ack(first[-1].msgid)
    assert texts(bob.messages()) == numbers(258, 301)


@pytest.mark.parametrize("seed", range(10))
def test_however_acks_sends_and_logins_mix_nothing_is_lost_doubled_or_out_of_order(
    make_virtual: Callable[..., VirtualWorld], seed: int
) -> None:
    random = Random(seed)
    virtual = make_virtual(window=random.choice([1, 2, 7, 256]))
    alice, carol = live(virtual, "alice"), live(virtual, "carol")
    bob: Client | None = None
    count = {"alice": 0, "carol": 0}
    seen: dict[str, list[int]] = {"alice": [], "carol": []}  # on this connection
    acked = {"alice": 0, "carol": 0}
    unacked: list[pb.Message] = []

    def look() -> None:
        assert bob is not None
        for message in bob.messages():
            sender = getattr(message, "from")
            expected = seen[sender][-1] + 1 if seen[sender] else acked[sender] + 1
            assert message.seq == expected
            seen[sender].append(message.seq)
            unacked.append(message)

    for _ in range(300):
        action = random.random()
        if action < 0.5:
            name, client = random.choice([("alice", alice), ("carol", carol)])
            few = random.choice([1, 1, 1, 5, 60])
            client.say_all("bob", numbers(count[name] + 1, count[name] + few))
            count[name] += few
        elif bob is None or action < 0.55:
            if bob is not None and random.random() < 0.5:
                bob.pipe.hang_up()
            bob = live(virtual, "bob", "phone")
            seen, unacked = {"alice": [], "carol": []}, []
            look()
        elif unacked:
            message = random.choice(unacked)
            sender = getattr(message, "from")
            bob.ack(message.msgid)
            acked[sender] = max(acked[sender], message.seq)
            unacked = [m for m in unacked if getattr(m, "from") != sender or m.seq > message.seq]
            look()
    assert bob is not None
    while True:
        look()
        if not unacked:
            break
        for message in unacked:
            bob.ack(message.msgid)
            acked[getattr(message, "from")] = message.seq
        unacked = []
    assert acked == count


# ---------------------------------------------------------------- ack


def test_an_ack_holds_for_everything_earlier_in_the_conversation_and_for_no_other(world: World, bob: Client) -> None:
    alice, carol = live(world, "alice"), live(world, "carol")
    alice.say_all("bob", numbers(1, 5))
    carol.say_all("bob", numbers(11, 15))
    came = {getattr(m, "from") + text_of(m): m.msgid for m in bob.messages()}
    bob.ack(came["alice4"])
    again = live(world, "bob", "phone")
    assert sorted(texts(again.messages())) == ["11", "12", "13", "14", "15", "5"]


def test_what_is_acknowledged_never_comes_again(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 10))
    bob.ack(bob.messages()[-1].msgid)
    for _ in range(3):
        virtual.clock.advance(40_000)
        bob.ping()
        assert bob.messages() == []
    virtual.crash()
    assert live(virtual, "bob").messages() == []


def test_an_ack_counts_as_soon_as_the_device_logs_in_again(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 3))
    last = bob.messages()[-1]
    bob.ack(last.msgid)
    assert live(virtual, "bob").messages() == []


def test_acks_in_any_order_or_twice_do_no_harm(world: World, alice: Client, bob: Client) -> None:
    alice.say_all("bob", numbers(1, 6))
    messages = bob.messages()
    bob.ack(messages[3].msgid, messages[1].msgid, messages[3].msgid, messages[0].msgid)
    assert texts(live(world, "bob", "phone").messages()) == ["5", "6"]


def test_an_ack_of_something_not_pushed_on_this_connection_has_no_effect(world: World, alice: Client, bob: Client) -> None:
    carol = live(world, "carol")
    sent = alice.say_all("bob", numbers(1, 3))
    other = carol.say("dave", "not for bob")
    unseen = live(world, "bob", "unseen")
    bob.messages()
    bob.ack(other.msgid, 1, (1 << 64) - 1, sent[0].msgid + 1)
    alice.ack(sent[2].msgid)  # her own
    carol.ack(sent[2].msgid)
    assert unseen.ping()
    assert texts(live(world, "bob", "phone").messages()) == numbers(1, 3)


def test_an_ack_on_the_older_connection_does_not_carry_over_to_msgids_not_pushed_yet(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say_all("bob", numbers(1, 300))
    bob = live(virtual, "bob")
    bob.settle()
    last = alice.pull("bob", before=301, limit=1).messages[0]
    bob.ack(last.msgid)  # beyond the window: it was not pushed
    assert texts(live(virtual, "bob").messages()) == numbers(1, 256)


def test_a_response_with_an_error_code_acknowledges_nothing(world: World, alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "x")
    bob.settle()
    bob.write(pb.Command(version=1, response=pb.Response(code=pb.INTERNAL, seqid=sent.msgid)))
    assert texts(live(world, "bob", "phone").messages()) == ["x"]


def test_seqid_0_acknowledges_the_oldest(world: World, alice: Client, bob: Client) -> None:
    alice.say_all("bob", numbers(1, 3))
    bob.settle()
    bob.ack(0)
    assert texts(live(world, "bob", "phone").messages()) == ["2", "3"]


def test_seqid_0_with_nothing_to_acknowledge_does_no_harm(alice: Client, bob: Client) -> None:
    bob.ack(0, 0, 0)
    alice.say("bob", "x")
    assert texts(bob.messages()) == ["x"]


def test_acks_of_one_device_are_not_those_of_another(world: World, alice: Client, bob: Client) -> None:
    laptop = live(world, "bob", "laptop")
    alice.say("bob", "x")
    laptop.ack(laptop.messages()[0].msgid)
    assert texts(live(world, "bob", "phone").messages()) == ["x"]
    assert live(world, "bob", "laptop").messages() == []


def test_what_is_not_acknowledged_comes_again_after_30_s(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 3))
    messages = bob.messages()
    bob.ack(messages[0].msgid)
    virtual.clock.advance(29_000)
    assert bob.messages() == []
    virtual.clock.advance(2_000)
    assert bob.messages() == messages[1:]
    virtual.clock.advance(31_000)
    assert bob.messages() == messages[1:]
    bob.ack(messages[2].msgid)
    bob.ping()
    virtual.clock.advance(31_000)
    assert bob.messages() == []


def test_the_repush_begins_at_the_oldest_and_ends_with_what_came_meanwhile(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "1")
    assert texts(bob.messages()) == ["1"]
    virtual.clock.advance(20_000)
    bob.say("alice", "2, by bob")
    alice.say("bob", "3")
    assert texts(bob.messages()) == ["3"]
    virtual.clock.advance(11_000)
    assert texts(bob.messages()) == ["1", "3"]
    alice.say("bob", "4")
    assert texts(bob.messages()) == ["4"]


def test_the_repush_does_not_disturb_other_conversations(virtual: VirtualWorld) -> None:
    alice, carol, bob = live(virtual, "alice"), live(virtual, "carol"), live(virtual, "bob")
    alice.say("bob", "unanswered")
    carol.say("bob", "answered")
    bob.ack(bob.settle().inbox[1].request.seqid)
    bob.inbox.clear()
    virtual.clock.advance(31_000)
    assert texts(bob.messages()) == ["unanswered"]


def test_an_ack_that_crosses_the_repush_counts(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 3))
    messages = bob.messages()
    virtual.clock.advance(31_000)
    bob.ack(messages[2].msgid)
    bob.messages()
    bob.ping()
    virtual.clock.advance(31_000)
    assert bob.messages() == []
    assert live(virtual, "bob").messages() == []


# ---------------------------------------------------------------- window


@pytest.mark.parametrize("window", [1, 10, 256])
def test_no_more_than_window_unacknowledged_messages_are_pushed(make_world: Callable[..., World], window: int) -> None:
    world = make_world(window=window)
    alice, carol, bob = live(world, "alice"), live(world, "carol"), live(world, "bob")
    total = window + 100
    for n in range(total):
        alice.say("bob", f"{n}")
        if n % 10 == 0:
            carol.say("bob", f"{n}")
    messages = bob.messages()
    assert len(messages) == window
    bob.ack(messages[0].msgid)
    assert len(bob.messages()) == 1


def test_the_default_window_is_256(world: World, alice: Client, bob: Client) -> None:
    alice.say_all("bob", numbers(1, 300))
    assert texts(bob.messages()) == numbers(1, 256)


def test_who_does_not_acknowledge_costs_nobody_else_anything(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(window=4)
    alice, bob, laptop = live(virtual, "alice"), live(virtual, "bob", "phone"), live(virtual, "bob", "laptop")
    carol = live(virtual, "carol")
    came = []
    for n in range(100):
        alice.say("bob", f"{n}")
        carol.say("alice", f"{n}")
        came += restored(laptop)
        assert restored(alice) == [f"{n}"]
    assert came == numbers(0, 99)
    assert texts(bob.messages()) == numbers(0, 3)
    window = virtual.session_of(2, "phone").outbound.window
    assert len(window.awaited) == 4


def test_ones_own_messages_take_no_room_in_the_window(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(window=2)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    for n in range(10):
        bob.say("alice", f"{n}")
    alice.say("bob", "x")
    for n in range(10):
        bob.say("alice", f"{n}")
    alice.say("bob", "y")
    assert texts(bob.messages()) == ["x", "y"]


# ---------------------------------------------------------------- slow readers


def test_who_stops_reading_for_30_s_is_disconnected(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    socket_of(bob).stop_reading()
    alice.say_all("bob", ["x" * 10_000] * 30)
    virtual.clock.advance(29_000)
    assert not socket_of(bob)._closing
    virtual.clock.advance(2_000)
    assert socket_of(bob)._closing
    virtual.clock.advance(5_000)
    assert socket_of(bob).ended
    socket_of(bob).read_again()
    assert bob.farewell().code == pb.TOO_SLOW  # type: ignore[union-attr]
    assert len(restored(live(virtual, "bob"))) == 30


def test_who_reads_now_and_then_is_not_disconnected_and_misses_nothing(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    came: list[int] = []
    for _ in range(20):
        socket_of(bob).stop_reading()
        alice.say_all("bob", ["x" * 10_000] * 10)
        virtual.clock.advance(20_000)
        socket_of(bob).read_again()
        bob.ping()
        messages = bob.messages()
        bob.ack(*(message.msgid for message in messages))
        came += [message.seq for message in messages]
    assert came == list(range(1, 201))


def test_who_does_not_read_gets_no_more_than_the_connection_holds(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    socket_of(bob).stop_reading()
    for _ in range(50):
        alice.say_all("bob", ["x" * 10_000] * 5)
        alice.say_all("bob", ["y"] * 5)
    assert socket_of(bob).unread_bytes < 64 * 1024 + 6 * 10_000
    socket_of(bob).read_again()
    assert [message.seq for message in bob.messages()] == list(range(1, 257))


def test_a_backlog_stops_where_the_connection_is_full(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say_all("bob", ["x" * 16_000] * 250)
    bob = live(virtual, "bob")
    bob.inbox.clear()
    bob = virtual.connect()
    socket_of(bob).stop_reading()
    connect = pb.Connect(org="default", appkey="default", user="bob", token="correct horse battery staple")
    bob.write(pb.Command(connect=connect))
    virtual.clock.settle()
    assert socket_of(bob).unread_bytes < 64 * 1024 + 52 * 16_100
    socket_of(bob).read_again()
    assert [message.seq for message in bob.messages()] == list(range(1, 251))


def test_who_does_not_read_his_answers_is_not_listened_to(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say_all("bob", ["x" * 16_000] * 50)
    socket_of(alice).stop_reading()
    pull = pb.Sync(pull=pb.Pull(peer="bob")).SerializeToString()
    for n in range(1, 101):
        alice.write(pb.Command(version=1, request=pb.Request(type=pb.SYNC, payload=pull, seqid=n)))
        virtual.clock.settle()
    assert socket_of(alice).unread_bytes < 64 * 1024 + 2 * 128 * 1024
    assert socket_of(alice).untaken_bytes
    socket_of(alice).read_again()
    assert alice.answer(100).code == pb.OK


def test_a_slow_reader_delays_nobody(virtual: VirtualWorld) -> None:
    alice, bob, carol = live(virtual, "alice"), live(virtual, "bob"), live(virtual, "carol")
    socket_of(bob).stop_reading()
    alice.say_all("bob", ["x" * 10_000] * 100)
    alice.say("carol", "hello")
    assert texts(carol.messages()) == ["hello"]
    laptop = live(virtual, "bob", "laptop")
    assert len(laptop.messages()) == 100


# ---------------------------------------------------------------- backlog


def test_what_was_missed_is_pushed_after_login(world: World, alice: Client) -> None:
    alice.say_all("bob", numbers(1, 20))
    bob = live(world, "bob")
    assert texts(bob.messages()) == numbers(1, 20)


def test_the_answer_to_the_login_comes_before_the_backlog(world: World, alice: Client) -> None:
    alice.say("bob", "x")
    bob = world.connect()
    bob.login("bob")
    assert texts(bob.messages()) == ["x"]


def test_the_backlog_comes_conversation_by_conversation_in_turns_of_50(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(window=10_000)
    for name, count in (("alice", 170), ("carol", 20), ("dave", 60)):
        live(virtual, name).say_all("bob", numbers(1, count))
    bob = live(virtual, "bob")
    messages = bob.messages()
    turns = [(name, len(list(group))) for name, group in groupby(getattr(message, "from") for message in messages)]
    assert turns == [("alice", 50), ("carol", 20), ("dave", 50), ("alice", 50), ("dave", 10), ("alice", 70)]
    for name in ("alice", "carol", "dave"):
        of_one = [message.seq for message in messages if getattr(message, "from") == name]
        assert of_one == list(range(1, len(of_one) + 1))


def test_a_busy_conversation_does_not_hold_up_the_others(world: World) -> None:
    live(world, "alice").say_all("bob", numbers(1, 1_000))
    live(world, "carol").say("bob", "urgent")
    assert "urgent" in texts(live(world, "bob").messages()[:60])


def test_every_conversation_has_its_turn_even_when_there_are_many(make_world: Callable[..., World]) -> None:
    world = make_world(window=16)
    add_users(world, [f"user{n}" for n in range(60)])
    for n in range(60):
        live(world, f"user{n}").say("bob", f"{n}")
    assert sorted(restored(live(world, "bob")), key=int) == numbers(0, 59)


def test_there_is_no_cap_on_the_backlog(world: World, alice: Client) -> None:
    for first in range(1, 3_000, 500):
        alice.say_all("bob", numbers(first, first + 499))
    assert restored(live(world, "bob")) == numbers(1, 3_000)


def test_acks_carry_the_backlog_on(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(window=10)
    live(virtual, "alice").say_all("bob", numbers(1, 25))
    bob = live(virtual, "bob")
    first = bob.messages()
    bob.ack(first[-1].msgid)
    second = bob.messages()
    bob.ack(second[4].msgid)
    assert texts(first + second + bob.messages()) == numbers(1, 25)


@pytest.mark.parametrize("by", ["new message", "ping"])
def test_new_messages_and_pings_carry_the_backlog_on(virtual: VirtualWorld, by: str) -> None:
    """A backlog that got stuck, for whatever reason, goes on."""
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "1")
    assert texts(bob.messages()) == ["1"]
    with_lost_pushes(virtual, lambda: alice.say_all("bob", ["2", "3"]))
    assert bob.messages() == []
    if by == "ping":
        bob.ping()
        assert texts(bob.messages()) == ["2", "3"]
    else:
        alice.say("bob", "4")
        virtual.clock.advance(1_000)  # among several nodes it waits a moment for those before it
        assert texts(bob.messages()) == ["2", "3", "4"]


def with_lost_pushes(virtual: VirtualWorld, do: Callable[[], Any]) -> None:
    """Let the fan-out of messages sent by `do` get lost, as between two nodes."""
    with ExitStack() as patches:
        for node in virtual.nodes:
            patches.enter_context(mock.patch.object(node, "fanout"))
        do()


# ---------------------------------------------------------------- heartbeat


def test_a_ping_is_answered_with_the_servers_time(world: World, alice: Client) -> None:
    assert abs(alice.ping().server_time - world.node.scheduler.now_ms()) < 60_000


def test_a_ping_brings_what_a_lost_notification_has_left_behind(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    with_lost_pushes(virtual, lambda: alice.say("bob", "the last one shows no gap"))
    assert bob.messages() == []
    assert bob.ping()
    assert texts(bob.messages()) == ["the last one shows no gap"]


def test_a_ping_pushes_nothing_twice(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 3))
    assert len(bob.messages()) == 3
    bob.ping()
    bob.ack(0)
    bob.ping()
    assert bob.messages() == []


def test_silence_of_two_and_a_half_heartbeats_ends_the_connection(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(heartbeat_seconds=20)
    bob = live(virtual, "bob")
    virtual.clock.advance(49_000)
    assert not bob.settle().pipe.ended
    virtual.clock.advance(2_000)
    assert bob.farewell().code == pb.HEARTBEAT_TIMEOUT  # type: ignore[union-attr]


@pytest.mark.parametrize("sign", ["ping", "message", "ack", "one byte"])
def test_anything_the_client_sends_counts_as_life(virtual: VirtualWorld, sign: str) -> None:
    bob = live(virtual, "bob")
    ping = b"\x02\x42\x00"
    for n in range(1, 13):
        virtual.clock.advance(25_000)
        if sign == "ping":
            bob.ping()
        elif sign == "message":
            bob.say("alice", "x")
        elif sign == "ack":
            bob.ack(1)
        else:
            bob.write_bytes(ping[:1] if n % 2 else ping[1:])
    assert not bob.settle().pipe.ended


def test_a_client_that_the_server_does_not_listen_to_is_not_called_silent(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "x")
    virtual.store.holds = True
    mark = pb.Receipt(peer="alice", seq=1).SerializeToString()
    bob.write(pb.Command(version=1, request=pb.Request(type=pb.RECEIPT, payload=mark, seqid=1)))
    for _ in range(10):  # one request is served after the other, and this one takes minutes
        bob.write(pb.Command(version=1, ping=pb.Ping()))
        virtual.clock.advance(25_000)
    virtual.store.release()
    assert bob.answer(1).code == pb.OK
    virtual.clock.advance(5_000)
    assert bob.ping()


def test_what_the_server_sends_does_not_count(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    for _ in range(8):
        virtual.clock.advance(10_000)
        alice.say("bob", "are you there?")
    bob.settle()
    assert bob.farewell().code == pb.HEARTBEAT_TIMEOUT  # type: ignore[union-attr]


def test_the_end_of_a_silent_connection_loses_nothing(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "1")
    for _ in range(10):
        virtual.clock.advance(10_000)
        alice.say("bob", "2")
    assert bob.farewell()
    assert len(live(virtual, "bob").messages()) == 11


# ---------------------------------------------------------------- new devices


def test_a_users_first_device_starts_at_0(world: World, alice: Client) -> None:
    alice.say_all("bob", numbers(1, 3))
    assert texts(live(world, "bob", "first").messages()) == numbers(1, 3)


def test_a_new_device_starts_at_the_highest_cursor_of_the_others(world: World, alice: Client, bob: Client) -> None:
    carol = live(world, "carol")
    laptop = live(world, "bob", "laptop")
    alice.say_all("bob", numbers(1, 5))
    carol.say_all("bob", numbers(11, 15))
    of_bob = {text_of(message): message.msgid for message in bob.messages()}
    of_laptop = {text_of(message): message.msgid for message in laptop.messages()}
    bob.ack(of_bob["2"], of_bob["14"])
    laptop.ack(of_laptop["4"], of_laptop["11"])
    bob.ping()
    laptop.ping()
    tablet = live(world, "bob", "tablet")
    assert sorted(texts(tablet.messages())) == ["15", "5"]
    # Older messages come by Pull, and a second login of the device changes nothing.
    assert texts(list(tablet.pull("alice").messages)) == numbers(1, 5)
    assert sorted(texts(live(world, "bob", "tablet").messages())) == ["15", "5"]


def test_a_new_device_counts_acks_made_a_moment_ago(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob", "phone")
    alice.say_all("bob", numbers(1, 3))
    bob.ack(bob.messages()[1].msgid)
    if len(virtual.nodes) > 1:
        bob.ping()  # else another node may not know of it for 50 ms
    assert texts(live(virtual, "bob", "tablet").messages()) == ["3"]


# ---------------------------------------------------------------- retention


def maintain(virtual: VirtualWorld) -> None:
    """Let the server cut what may be cut."""
    virtual.clock.advance(5_000)


def kept(client: Client, peer: str) -> list[int]:
    """The seqs that Pull still finds."""
    return [message.seq for message in client.pull(peer, limit=200).messages]


def test_by_default_messages_are_kept_for_ever(virtual: VirtualWorld) -> None:
    assert virtual.do(virtual.accounts.tenant("default", "default")).retention_days == FOREVER
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", numbers(1, 3))
    restored(bob)
    virtual.clock.leap(3_650 * DAY_MS)
    maintain(virtual)
    assert kept(live(virtual, "alice"), "bob") == [1, 2, 3]


def test_retention_none_keeps_a_message_until_every_device_of_everybody_has_it(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=NO_RETENTION)
    alice, tablet = live(virtual, "alice", "phone"), live(virtual, "alice", "tablet")
    bob, laptop = live(virtual, "bob", "phone"), live(virtual, "bob", "laptop")
    alice.say_all("bob", numbers(1, 4))
    for client, upto in ((bob, 4), (laptop, 3), (tablet, 2)):
        client.ack(client.messages()[upto - 1].msgid)
    maintain(virtual)
    assert kept(alice, "bob") == [3, 4]
    tablet.ack(tablet.pull("bob").messages[-1].msgid)
    maintain(virtual)
    assert kept(alice, "bob") == [4]  # the laptop has only 3
    virtual.clock.advance(40_000)
    assert texts(laptop.messages()) == ["4"]
    laptop.ack(0)
    maintain(virtual)
    assert kept(alice, "bob") == []
    assert alice.say("bob", "5").seq == 5


def test_retention_none_keeps_what_is_for_somebody_who_has_never_logged_in(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=NO_RETENTION)
    alice = live(virtual, "alice")
    alice.say_all("bob", numbers(1, 3))
    virtual.clock.leap(1_000 * DAY_MS)
    maintain(virtual)
    assert restored(live(virtual, "bob")) == numbers(1, 3)


def test_retention_of_some_days_keeps_them_that_long(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=3)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say_all("bob", ["1", "2"])
    restored(bob)
    virtual.clock.leap(2 * DAY_MS)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "3")
    restored(bob)
    maintain(virtual)
    assert kept(alice, "bob") == [1, 2, 3]
    virtual.clock.leap(DAY_MS)
    maintain(virtual)
    assert kept(live(virtual, "alice"), "bob") == [3]


@pytest.mark.parametrize("days", [NO_RETENTION, 1])
def test_retention_never_takes_what_is_owed_to_a_device(virtual: VirtualWorld, days: int) -> None:
    change_tenant(virtual, retention_days=days)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    bob.pipe.hang_up()
    alice.say_all("bob", numbers(1, 100))
    virtual.clock.leap(29 * DAY_MS)
    maintain(virtual)
    assert restored(live(virtual, "bob")) == numbers(1, 100)


@pytest.mark.parametrize("days", [NO_RETENTION, 1])
def test_a_device_unseen_for_30_days_is_owed_nothing_more_and_told_of_the_hole(virtual: VirtualWorld, days: int) -> None:
    change_tenant(virtual, retention_days=days)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    bob.pipe.hang_up()
    alice.say_all("bob", numbers(1, 10))
    virtual.clock.leap(30 * DAY_MS - 1)
    live(virtual, "alice")  # she is seen
    virtual.clock.leap(10_000)
    maintain(virtual)
    alice = live(virtual, "alice")
    assert kept(alice, "bob") == []
    sent = alice.say("bob", "11")
    assert sent.seq == 11
    bob = live(virtual, "bob")
    assert [message.seq for message in bob.messages()] == [11]
    pulled = bob.pull("alice", after=3)
    assert [message.seq for message in pulled.messages] == [11]
    assert not pulled.more
    (conversation,) = bob.conversations().items
    assert conversation.last_seq == 11


def test_a_device_that_stays_connected_for_months_does_not_expire(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=NO_RETENTION)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "owed")
    for _ in range(40):
        virtual.clock.leap(DAY_MS)
        bob.ping()
        alice.ping()
        virtual.clock.advance(1_000)
    bob.pipe.hang_up()
    assert kept(alice, "bob") == [1]
    virtual.clock.leap(20 * DAY_MS)
    maintain(virtual)
    assert texts(live(virtual, "bob").messages()) == ["owed"]


def test_a_retry_of_what_was_cut_is_still_recognised(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=NO_RETENTION)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    first = alice.send(text_message("bob", "x"), 7)
    bob.ack(bob.messages()[0].msgid)
    maintain(virtual)
    assert kept(alice, "bob") == []
    virtual.clock.leap(6 * DAY_MS)
    maintain(virtual)
    alice = live(virtual, "alice")
    assert alice.send(text_message("bob", "x"), 7) == first
    assert alice.send(text_message("bob", "y"), 7).code == pb.ALREADY_EXISTS
    assert alice.say("bob", "z").seq == 2


def test_seqs_and_msgids_are_not_used_again_after_everything_was_cut_and_the_server_restarted(virtual: VirtualWorld) -> None:
    change_tenant(virtual, retention_days=NO_RETENTION)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    last = alice.say_all("bob", numbers(1, 5))[-1]
    restored(bob)
    maintain(virtual)
    assert kept(alice, "bob") == []
    virtual.crash()
    sent = live(virtual, "alice").say("bob", "next")
    assert sent.seq == 6
    assert sent.msgid > last.msgid


def test_a_clock_that_was_set_back_makes_msgids_no_smaller(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    first = alice.say("bob", "x")
    virtual.clock.leap(-3_600_000)
    second = alice.say("bob", "y")
    virtual.crash()
    third = live(virtual, "alice").say("bob", "z")
    assert first.msgid < second.msgid < third.msgid


def test_what_a_session_has_taken_before_it_was_lost_is_delivered(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.write(sending(1, text_message("bob", "last words")))
    socket_of(alice).abort()
    assert texts(bob.messages()) == ["last words"]
