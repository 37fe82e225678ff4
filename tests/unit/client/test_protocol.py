"""Logins, answers, retries: the life of a client over several connections."""

from pathlib import Path

import pytest

from rockdove.client.contacts import Contact, ContactState
from rockdove.client.content import Recall, Text
from rockdove.client.errors import Disconnected, LoginRefused, Refused
from rockdove.client.events import (
    Connected,
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    JoinRefused,
    JoinRequested,
    MessageReceived,
    MessagesMissing,
    PresenceChanged,
    Read,
    Reconnecting,
    Settled,
    Typing,
)
from rockdove.client.groups import JoinRequest
from rockdove.client.message import Sent
from rockdove.client.peer import Group
from rockdove.client.presence import Here, Status
from rockdove.client.protocol import Phase
from rockdove.client.storage import Storage
from rockdove.wire import im_pb2 as pb
from tests.unit.client.peer import LOGIN, OWNER, Peer, message_of, msgid_of, push, refused, sent


@pytest.fixture
def peer() -> Peer:
    return Peer()


def texts(requests: list[pb.Request]) -> list[str]:
    return [pb.MessageTxt.FromString(pb.Message.FromString(request.payload).payload).txt for request in requests]


# ---------------------------------------------------------------- login


def test_introduces_itself_as_the_device_it_is(peer: Peer) -> None:
    connect = peer.login()
    assert (connect.org, connect.appkey, connect.user, connect.token) == ("default", "default", "alice", "secret")
    assert (connect.device, connect.client) == ("phone", "test")
    assert peer.protocol.events == [Connected("s1")]


def test_nothing_but_the_login_is_sent_before_its_answer(peer: Peer) -> None:
    peer.post("early")
    peer.protocol.open(peer.now)
    assert [command.HasField("connect") for command in peer.heard()] == [True]


def test_a_server_that_does_not_answer_the_login_is_given_up(peer: Peer) -> None:
    peer.protocol.open(peer.now)
    peer.heard()
    assert peer.protocol.deadline() == peer.now + 10
    peer.now += 10
    peer.heard()
    assert isinstance(peer.protocol.end, Disconnected)


@pytest.mark.parametrize("code", [pb.UNAUTHENTICATED, pb.PERMISSION_DENIED, pb.INVALID_ARGUMENT])
def test_a_refused_login_is_final(peer: Peer, code: pb.Code) -> None:
    peer.protocol.open(peer.now)
    peer.say(pb.Command(conack=pb.ConAck(status=pb.STATUS_FAIL, code=code, reason="no")))
    with pytest.raises(LoginRefused) as refusal:
        peer.protocol.lost(peer.now, "closed")
    assert (refusal.value.code, refusal.value.reason, refusal.value.retry) == (code, "no", False)


@pytest.mark.parametrize("code", [pb.RESOURCE_EXHAUSTED, pb.UNAVAILABLE])
def test_a_login_refused_for_now_is_tried_again(peer: Peer, code: pb.Code) -> None:
    peer.protocol.open(peer.now)
    peer.say(pb.Command(conack=pb.ConAck(status=pb.STATUS_FAIL, code=code, reason="busy")))
    assert peer.protocol.lost(peer.now, "closed") > 0


def test_who_is_one_of_too_many_waits_longer() -> None:
    delays = {}
    for code in (pb.INTERNAL, pb.UNAVAILABLE):
        other = Peer()
        other.protocol.open(other.now)
        other.say(pb.Command(conack=pb.ConAck(status=pb.STATUS_FAIL, code=code, reason="try again in 3 s")))
        delays[code] = other.protocol.lost(other.now, "closed")
    assert delays[pb.UNAVAILABLE] == 8 * delays[pb.INTERNAL] > 0


def test_comes_back_with_the_resume_token(peer: Peer) -> None:
    peer.login(resume_token="cheap", server_time=1_000, resume_expires_at=61_000)
    peer.protocol.lost(peer.now, "gone")
    assert peer.login().token == "cheap"


def test_an_expired_resume_token_is_not_tried(peer: Peer) -> None:
    peer.login(resume_token="cheap", server_time=1_000, resume_expires_at=61_000)
    peer.protocol.lost(peer.now, "gone")
    peer.now += 60
    assert peer.login().token == "secret"


def test_a_refused_resume_token_gives_way_to_the_password_once_and_at_once(peer: Peer) -> None:
    peer.login(resume_token="cheap", server_time=0, resume_expires_at=10**9)
    peer.protocol.lost(peer.now, "gone")
    no = pb.Command(conack=pb.ConAck(status=pb.STATUS_FAIL, code=pb.UNAUTHENTICATED, reason="no"))
    peer.protocol.open(peer.now)
    peer.say(no)
    assert peer.protocol.lost(peer.now, "closed") == 0.0
    peer.protocol.open(peer.now)
    assert peer.heard()[-1].connect.token == "secret"
    peer.say(no)
    with pytest.raises(LoginRefused):
        peer.protocol.lost(peer.now, "closed")


def test_an_expired_session_logs_in_with_the_password_at_once(peer: Peer) -> None:
    peer.login(resume_token="cheap", server_time=0, resume_expires_at=10**9)
    peer.say(pb.Command(disconnect=pb.Disconnect(code=pb.TOKEN_EXPIRED, reason="log in again")))
    assert peer.protocol.lost(peer.now, "closed") == 0.0
    assert peer.login().token == "secret"


# ---------------------------------------------------------------- disconnects


@pytest.mark.parametrize("code", [pb.REPLACED, pb.KICKED])
def test_who_was_replaced_or_kicked_stays_away(peer: Peer, code: pb.DisconnectCode) -> None:
    peer.login()
    peer.say(pb.Command(disconnect=pb.Disconnect(code=code, reason="out")))
    with pytest.raises(Disconnected) as end:
        peer.protocol.lost(peer.now, "closed")
    assert (end.value.code, end.value.reason, end.value.retry) == (code, "out", False)


@pytest.mark.parametrize(
    "code",
    [pb.NORMAL, pb.PROTOCOL_ERROR, pb.LOGIN_REQUIRED, pb.HEARTBEAT_TIMEOUT, pb.SERVER_SHUTDOWN, pb.TOO_SLOW, pb.FLOODING],
)
def test_after_any_other_disconnect_it_comes_back(peer: Peer, code: pb.DisconnectCode) -> None:
    peer.login()
    peer.protocol.events.clear()
    peer.say(pb.Command(disconnect=pb.Disconnect(code=code, reason="bye")))
    delay = peer.protocol.lost(peer.now, "closed")
    (event,) = peer.protocol.events
    assert isinstance(event, Reconnecting)
    assert (event.delay_seconds, event.code) == (delay, code)
    assert "bye" in event.reason


def test_after_a_shutdown_clients_spread_over_seconds(peer: Peer) -> None:
    peer.random = 0.999
    peer.login()
    peer.say(pb.Command(disconnect=pb.Disconnect(code=pb.SERVER_SHUTDOWN)))
    assert 3 < peer.protocol.lost(peer.now, "closed") <= 4


def test_delays_double_with_each_failure_up_to_thirty_seconds(peer: Peer) -> None:
    peer.random = 1.0
    assert [peer.protocol.lost(peer.now, "refused") for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_connection_that_lasted_begins_with_short_delays_again(peer: Peer) -> None:
    peer.random = 1.0
    for _ in range(5):
        peer.protocol.lost(peer.now, "refused")
    peer.login()
    peer.now += 30
    assert peer.protocol.lost(peer.now, "gone") == 0.5


def test_a_server_that_hangs_up_after_each_login_is_not_hammered(peer: Peer) -> None:
    peer.random = 1.0
    delays = []
    for _ in range(4):
        peer.login()
        delays.append(peer.protocol.lost(peer.now, "gone"))
    assert delays == [0.5, 1, 2, 4]


@pytest.mark.parametrize(
    "rubbish", [b"\x00", b"\xff\xff\xff\xff\xff\xff", b"\x05\xff\xff\xff\xff\xff", b"\x80\x80\x80\x80\x7f"]
)
def test_rubbish_ends_the_connection_and_is_survived(peer: Peer, rubbish: bytes) -> None:
    peer.login()
    peer.protocol.receive(rubbish, peer.now)
    assert isinstance(peer.protocol.end, Disconnected)
    assert peer.protocol.lost(peer.now, "closed") > 0
    peer.login()
    assert peer.protocol.phase is Phase.LIVE


def test_what_a_newer_server_says_is_ignored(peer: Peer) -> None:
    peer.login()
    peer.protocol.receive(b"\x05\x08\x01\xa2\x06\x00", peer.now)  # Command{version: 1, 100: {}}
    peer.say(pb.Command(request=pb.Request(type=pb.GROUP, payload=b"\xff")))
    peer.say(push(1))
    assert peer.received() == ["bob 1"]


def test_says_goodbye(peer: Peer) -> None:
    peer.login()
    peer.protocol.leave()
    assert peer.heard()[-1].disconnect == pb.Disconnect(code=pb.NORMAL)


# ---------------------------------------------------------------- heartbeat


def test_pings_every_heartbeat_even_while_it_acknowledges(peer: Peer) -> None:
    peer.login(heartbeat_seconds=30)
    for seq in range(1, 31):
        peer.now += 1
        peer.say(push(seq))
        peer.take()
        pings = [command for command in peer.heard() if command.HasField("ping")]
        assert len(pings) == (seq == 30)


def test_a_ping_without_any_sign_of_life_ends_the_connection(peer: Peer) -> None:
    peer.login(heartbeat_seconds=30)
    peer.now = peer.protocol.deadline()
    assert peer.heard()[-1].HasField("ping")
    peer.now = peer.protocol.deadline()
    peer.heard()
    assert isinstance(peer.protocol.end, Disconnected)
    assert peer.protocol.end.retry


def test_a_pong_keeps_the_connection(peer: Peer) -> None:
    peer.login(heartbeat_seconds=30)
    for _ in range(5):
        peer.now = peer.protocol.deadline()
        assert peer.heard()[-1].HasField("ping")
        peer.now += 9
        peer.say(pb.Command(pong=pb.Pong()))
    assert peer.protocol.end is None


def test_a_pong_behind_a_long_backlog_may_take_its_time(peer: Peer) -> None:
    peer.login(heartbeat_seconds=30)
    peer.now = peer.protocol.deadline()
    assert peer.heard()[-1].HasField("ping")
    for seq in range(1, 10):
        peer.now += 9
        peer.say(push(seq))
        peer.heard()
    assert peer.protocol.end is None


def test_an_answer_that_does_not_come_is_noticed_before_the_next_heartbeat(peer: Peer) -> None:
    peer.login(heartbeat_seconds=300)
    peer.now += 20
    peer.post("hello")
    peer.heard()
    began = peer.now
    while peer.protocol.end is None:
        peer.now = peer.protocol.deadline()
        peer.heard()
    assert peer.now - began == 15


# ---------------------------------------------------------------- sending


def test_a_message_is_sent_once_and_answered(peer: Peer) -> None:
    peer.login(last_seqid=41)
    ticket = peer.post("hello")
    (request,) = peer.requests()
    assert request.seqid == 42
    assert texts([request]) == ["hello"]
    assert peer.requests() == []
    peer.say(sent(42, 1))
    assert peer.protocol.results == [(ticket, Sent("bob", msgid_of("bob", 1), 1, 1_700_000_000_001))]
    assert peer.protocol.unsent() == []


def test_after_a_lost_answer_it_sends_the_same_again(peer: Peer) -> None:
    peer.login()
    ticket = peer.post("hello")
    (first,) = peer.requests()
    peer.protocol.lost(peer.now, "gone")
    peer.login(last_seqid=first.seqid)  # the server has it
    (again,) = peer.requests()
    assert again == first
    peer.say(sent(again.seqid, 1))
    assert [result[0] for result in peer.protocol.results] == [ticket]


def test_what_was_posted_offline_goes_above_the_seqids_that_the_server_knows(peer: Peer) -> None:
    peer.post("one")
    peer.post("two", to="carol")
    peer.login(last_seqid=100)
    assert [request.seqid for request in peer.requests()] == [101, 102]


def test_what_waited_its_turn_takes_no_seqid_that_another_run_of_the_device_has_used(peer: Peer) -> None:
    peer.login()
    peer.post("one")
    peer.post("two")
    (first,) = peer.requests()
    peer.protocol.lost(peer.now, "gone")
    peer.login(last_seqid=50)
    (again,) = peer.requests()
    assert again == first
    peer.say(sent(again.seqid, 1))
    (second,) = peer.requests()
    assert second.seqid > 50
    assert texts([second]) == ["two"]


def test_messages_to_one_peer_wait_for_each_other_and_others_do_not(peer: Peer) -> None:
    peer.login()
    for text in ("one", "two", "three"):
        peer.post(text)
    peer.post("hello", to="carol")
    one, hello = peer.requests()
    assert texts([one, hello]) == ["one", "hello"]
    peer.say(sent(hello.seqid, 1, "carol"))
    assert peer.requests() == []
    peer.say(sent(one.seqid, 1))
    assert texts(peer.requests()) == ["two"]


@pytest.mark.parametrize("code", [pb.UNAVAILABLE, pb.RESOURCE_EXHAUSTED])
def test_a_message_refused_for_now_is_sent_again_before_the_next(peer: Peer, code: pb.Code) -> None:
    peer.login()
    ticket = peer.post("one")
    peer.post("two")
    (first,) = peer.requests()
    for attempt in range(5):
        peer.say(refused(first.seqid, code))
        assert peer.requests() == [], "waits before it tries again"
        peer.now += min(30, 0.5 * 2**attempt) * peer.random
        assert peer.requests() == [first]
    peer.say(sent(first.seqid, 1))
    assert [result[0] for result in peer.protocol.results] == [ticket]
    assert texts(peer.requests()) == ["two"]


def test_after_a_success_retries_begin_with_short_delays_again(peer: Peer) -> None:
    peer.login()
    peer.random = 1.0
    for text in ("one", "two"):
        peer.post(text)
        for delay in (0.5, 1.0):
            (request,) = peer.requests()
            peer.say(refused(request.seqid, pb.UNAVAILABLE))
            assert peer.protocol.deadline() == peer.now + delay
            peer.now += delay
        (request,) = peer.requests()
        peer.say(sent(request.seqid, 1))


def test_a_new_connection_is_no_reason_to_try_sooner(peer: Peer) -> None:
    peer.login()
    peer.post("one")
    (request,) = peer.requests()
    peer.say(refused(request.seqid, pb.RESOURCE_EXHAUSTED))
    peer.protocol.lost(peer.now, "gone")
    peer.login()
    assert peer.requests() == []
    peer.now = peer.protocol.deadline()
    assert peer.requests() == [request]


@pytest.mark.parametrize("code", [pb.NOT_FOUND, pb.PERMISSION_DENIED, pb.INVALID_ARGUMENT, pb.ALREADY_EXISTS, pb.INTERNAL])
def test_a_message_refused_for_good_is_told_and_the_next_goes_on(peer: Peer, code: pb.Code) -> None:
    peer.login()
    ticket = peer.post("one")
    peer.post("two")
    (first,) = peer.requests()
    peer.say(refused(first.seqid, code, "there is no such user"))
    ((answered, result),) = peer.protocol.results
    assert answered == ticket
    assert isinstance(result, Refused)
    assert (result.code, result.reason) == (code, "there is no such user")
    assert texts(peer.requests()) == ["two"]


def test_a_message_that_this_server_would_hang_up_on_is_refused_instead(peer: Peer) -> None:
    peer.login(max_frame_bytes=4096)
    ticket = peer.post("x" * 5000)
    peer.post("short")
    assert texts(peer.requests()) == ["short"]
    ((answered, result),) = peer.protocol.results
    assert answered == ticket
    assert isinstance(result, Refused)
    assert result.code == pb.INVALID_ARGUMENT


@pytest.mark.parametrize(("to", "text"), [("bob", "é" * 8193), ("", "hi"), ("b b", "hi"), ("b" * 65, "hi")])
def test_what_the_protocol_forbids_is_refused_at_once(peer: Peer, to: str, text: str) -> None:
    with pytest.raises(Refused) as refusal:
        peer.post(text, to)
    assert refusal.value.code == pb.INVALID_ARGUMENT
    assert peer.protocol.unsent() == []


def test_the_answer_to_a_message_of_an_earlier_run_is_an_event(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    storage = Storage(path, OWNER)
    Peer(storage).post("from yesterday")
    storage.close()
    peer = Peer(Storage(path, OWNER))
    assert [(message.peer, message.sender, message.text) for message in peer.protocol.unsent()] == [
        ("bob", "alice", "from yesterday")
    ]
    peer.login()
    (request,) = peer.requests()
    peer.say(sent(request.seqid, 1))
    event = peer.protocol.events[-1]
    assert isinstance(event, Settled)
    assert (event.message.text, event.message.peer) == ("from yesterday", "bob")
    assert isinstance(event.result, Sent)
    assert peer.protocol.results == []


def test_a_transient_message_is_marked_so_and_not_kept(peer: Peer) -> None:
    peer.login()
    ticket = peer.protocol.transient("bob", Text("typing away"))
    (request,) = peer.requests()
    assert [option.offline for option in request.opts] == [False]
    peer.protocol.lost(peer.now, "gone")
    ((answered, result),) = peer.protocol.results
    assert answered == ticket
    assert isinstance(result, Disconnected)
    peer.login()
    assert peer.requests() == []


def test_a_transient_message_needs_a_connection(peer: Peer) -> None:
    with pytest.raises(Disconnected):
        peer.protocol.transient("bob", Text("hello"))


# ---------------------------------------------------------------- other requests


def test_answers_are_paired_with_their_requests_in_any_order(peer: Peer) -> None:
    peer.login()
    tickets = [peer.protocol.ask(pb.SYNC, b"1", again=True), peer.protocol.ask(pb.SYNC, b"2", again=True)]
    message = peer.post("hello")
    one, two = peer.requests(pb.SYNC)
    peer.say(
        pb.Command(response=pb.Response(seqid=two.seqid, payload=b"second")),
        pb.Command(response=pb.Response(seqid=999)),
        sent(1, 1),
        pb.Command(response=pb.Response(seqid=one.seqid, payload=b"first")),
    )
    assert [ticket for ticket, _ in peer.protocol.results] == [tickets[1], message, tickets[0]]
    assert [result for _, result in peer.protocol.results if isinstance(result, bytes)] == [b"second", b"first"]


def test_an_unanswered_request_is_repeated_on_the_next_connection(peer: Peer) -> None:
    peer.login()
    peer.protocol.ask(pb.SYNC, b"1", again=True)
    (first,) = peer.requests(pb.SYNC)
    peer.protocol.lost(peer.now, "gone")
    peer.login()
    assert peer.requests(pb.SYNC) == [first]


def test_a_request_that_nobody_waits_for_is_not_repeated(peer: Peer) -> None:
    peer.login()
    ticket = peer.protocol.ask(pb.SYNC, b"1", again=True)
    peer.heard()
    peer.protocol.forget(ticket)
    peer.protocol.lost(peer.now, "gone")
    peer.login()
    assert peer.requests(pb.SYNC) == []


# ---------------------------------------------------------------- receiving


def test_each_message_is_acknowledged_when_the_application_is_done_with_it(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(2))
    assert peer.acks() == []
    first, second = (event.message for event in peer.protocol.events[1:])
    peer.protocol.acknowledge(first)
    assert peer.acks() == [first.msgid]
    peer.protocol.acknowledge(second)
    assert peer.acks() == [second.msgid]


def test_one_ack_covers_what_was_taken_of_a_conversation_in_one_turn(peer: Peer) -> None:
    peer.login()
    peer.say(*(push(seq) for seq in range(1, 6)), push(1, "carol"))
    peer.take()
    assert sorted(peer.acks()) == sorted([msgid_of("bob", 5), msgid_of("carol", 1)])


def test_a_transient_message_is_handed_over_and_not_acknowledged(peer: Peer) -> None:
    peer.login()
    peer.say(push(0, msgid=5))
    assert peer.take() == ["bob 0"]
    assert peer.acks() == []


def test_a_repush_of_what_was_acknowledged_is_acknowledged_again_and_not_shown(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(2))
    assert len(peer.take()) == 2
    peer.protocol.lost(peer.now, "the acks were lost")
    peer.login()
    peer.say(push(1), push(2))
    assert peer.take() == []
    assert peer.acks() == [msgid_of("bob", 2)]


def test_a_repush_of_what_the_application_still_has_waits_for_its_ack(peer: Peer) -> None:
    peer.login()
    peer.say(push(1))
    (message,) = (event.message for event in peer.protocol.events[1:])
    peer.protocol.lost(peer.now, "gone")
    peer.login()
    peer.protocol.events.clear()
    peer.say(push(1))
    assert peer.received() == []
    assert peer.acks() == []
    peer.protocol.acknowledge(message)
    assert peer.acks() == [message.msgid]


def test_after_a_restart_nothing_comes_twice(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    storage = Storage(path, OWNER)
    peer = Peer(storage)
    peer.login()
    peer.say(push(1), push(2))
    peer.take()
    peer.protocol.advance(peer.now)
    storage.close()  # the acks are on disk, and never reached the server
    peer = Peer(Storage(path, OWNER))
    peer.login()
    peer.say(push(1), push(2), push(3))
    assert peer.take() == ["bob 3"]


def test_receipts_and_presence_are_events(peer: Peer) -> None:
    peer.login()
    peer.protocol.events.clear()
    delivered = pb.Receipt(kind=pb.Receipt.DELIVERED, peer="bob", seq=3, user="bob")
    read = pb.Receipt(kind=pb.Receipt.READ, peer="bob", seq=2, user="bob")
    state = pb.PresenceState(user="bob", state=pb.Presence.TYPING, peer="alice")
    presence = pb.Presence(event=pb.PresenceList(items=[state]))
    peer.say(
        pb.Command(request=pb.Request(type=pb.RECEIPT, payload=delivered.SerializeToString())),
        pb.Command(request=pb.Request(type=pb.RECEIPT, payload=read.SerializeToString())),
        pb.Command(request=pb.Request(type=pb.PRESENCE, payload=presence.SerializeToString())),
    )
    assert peer.protocol.events == [
        Delivered("bob", 3),
        Read("bob", 2, "bob"),
        Typing("bob", "bob"),
    ]


# ---------------------------------------------------------------- gaps


def pull_of(request: pb.Request) -> pb.Pull:
    return pb.Sync.FromString(request.payload).pull


def pulled(seqid: int, *pushes: pb.Command, more: bool = False) -> pb.Command:
    payload = pb.Pulled(messages=map(message_of, pushes), more=more).SerializeToString()
    return pb.Command(response=pb.Response(seqid=seqid, payload=payload))


def test_a_gap_is_pulled_and_the_order_kept(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(4), push(5))
    assert peer.take() == ["bob 1"]
    (request,) = peer.requests(pb.SYNC)
    assert pull_of(request) == pb.Pull(peer="bob", after=1, limit=2)
    peer.say(pulled(request.seqid, push(2), push(3)))
    assert peer.take() == ["bob 2", "bob 3", "bob 4", "bob 5"]
    assert peer.acks() == [msgid_of("bob", 5)]


def test_what_the_server_no_longer_has_is_announced(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(9))
    peer.protocol.events.clear()
    (request,) = peer.requests(pb.SYNC)
    peer.say(pulled(request.seqid, push(6), push(7), push(8)))
    assert peer.protocol.events[0] == MessagesMissing("bob", 1, 6)
    assert peer.take() == ["bob 6", "bob 7", "bob 8", "bob 9"]


def test_a_gap_that_may_not_be_pulled_is_announced(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(3))
    peer.protocol.events.clear()
    (request,) = peer.requests(pb.SYNC)
    peer.say(refused(request.seqid, pb.PERMISSION_DENIED))
    assert peer.protocol.events[0] == MessagesMissing("bob", 1, 3)
    assert peer.take() == ["bob 3"]


def test_a_pull_refused_for_now_is_repeated(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(3))
    (request,) = peer.requests(pb.SYNC)
    peer.say(refused(request.seqid, pb.UNAVAILABLE))
    assert peer.requests(pb.SYNC) == []
    peer.now = peer.protocol.deadline()
    (again,) = peer.requests(pb.SYNC)
    peer.say(pulled(again.seqid, push(2)))
    assert peer.take() == ["bob 1", "bob 2", "bob 3"]


def test_a_gap_is_repaired_after_a_connection_that_was_lost_while_repairing(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(3))
    assert len(peer.requests(pb.SYNC)) == 1
    peer.protocol.lost(peer.now, "gone")
    peer.login()
    assert peer.requests(pb.SYNC) == [], "the server pushes again what was not acknowledged"
    peer.say(push(3))
    (request,) = peer.requests(pb.SYNC)
    peer.say(pulled(request.seqid, push(2)))
    assert peer.take() == ["bob 1", "bob 2", "bob 3"]


def test_a_gap_after_an_answered_message_of_our_own_is_pulled(peer: Peer) -> None:
    peer.login()
    peer.say(push(1))
    peer.post("mine")
    (request,) = peer.requests()
    peer.say(sent(request.seqid, 2), push(4))
    (request,) = peer.requests(pb.SYNC)
    assert pull_of(request) == pb.Pull(peer="bob", after=2, limit=1)


def test_a_message_of_our_own_fills_a_gap(peer: Peer) -> None:
    peer.login()
    peer.say(push(1))
    peer.post("mine")
    (request,) = peer.requests()
    peer.say(push(3))  # overtakes the answer
    assert peer.requests(pb.SYNC) == [], "the unanswered message may be what is missing"
    assert peer.take() == ["bob 1"]
    peer.say(sent(request.seqid, 2))
    assert peer.take() == ["bob 3"]
    assert peer.requests(pb.SYNC) == []


def test_own_messages_count_after_a_restart_too(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    storage = Storage(path, OWNER)
    peer = Peer(storage)
    peer.login()
    peer.say(push(1), push(2))
    peer.post("mine")
    (request,) = peer.requests()
    peer.say(sent(request.seqid, 3))
    storage.close()  # with 1 and 2 not acknowledged
    peer = Peer(Storage(path, OWNER))
    peer.login()
    peer.say(push(1), push(2), push(4))
    assert peer.take() == ["bob 1", "bob 2", "bob 4"]
    assert peer.requests(pb.SYNC) == []


def test_a_message_from_my_other_device_fills_a_gap_and_is_shown(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(3))
    (request,) = peer.requests(pb.SYNC)
    peer.say(pulled(request.seqid, push(2, sender="alice", text="from my phone")))
    assert peer.take() == ["bob 1", "from my phone", "bob 3"]


def test_a_new_device_begins_where_the_server_begins(peer: Peer) -> None:
    peer.login()
    peer.say(push(1000))
    assert peer.take() == ["bob 1000"]
    assert peer.requests(pb.SYNC) == []


def test_single_chats_and_groups_of_one_name_are_different(peer: Peer) -> None:
    peer.login()
    peer.say(push(1), push(1, chat=pb.GROUP_CHAT, text="group", msgid=77))
    assert peer.take() == ["bob 1", "group"]


# ---------------------------------------------------------------- a restored store


def test_another_epoch_voids_the_places(peer: Peer) -> None:
    peer.login(epoch=7)
    peer.say(*(push(seq) for seq in range(1, 6)))
    peer.take()
    peer.heard()
    peer.protocol.lost(peer.now, "gone")
    peer.login(epoch=8)
    assert peer.protocol.events[-1] == Connected("s1", epoch_changed=True)
    peer.say(push(3, msgid=900))  # the restored log is shorter, and goes on otherwise
    assert peer.take() == ["bob 3"]


def test_what_the_application_has_from_before_a_restore_is_not_shown_again(peer: Peer) -> None:
    peer.login(epoch=7)
    peer.say(push(1), push(2))
    messages = [event.message for event in peer.protocol.events[1:]]
    peer.protocol.lost(peer.now, "gone")
    peer.protocol.events.clear()
    peer.login(epoch=8)
    peer.say(push(1))
    assert peer.received() == []
    for message in messages:  # the second one is not in the restored store: acknowledging it must not skip another
        peer.protocol.acknowledge(message)
    assert peer.acks() == [messages[0].msgid]
    peer.say(push(2, msgid=900, text="another second"))
    assert peer.take() == ["another second"]


def test_the_epoch_is_remembered_across_restarts(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    storage = Storage(path, OWNER)
    peer = Peer(storage)
    peer.login(epoch=7)
    peer.say(push(1))
    peer.take()
    peer.heard()
    storage.close()
    peer = Peer(Storage(path, OWNER), LOGIN)
    peer.login(epoch=8)
    assert peer.protocol.events == [Connected("s1", epoch_changed=True)]
    peer.say(push(1, msgid=900, text="new"))
    assert peer.take() == ["new"]


# ---------------------------------------------------------------- bounds


def test_an_application_that_takes_nothing_is_handed_a_bounded_number(peer: Peer) -> None:
    peer.login(window=256)
    for seq in range(1, 3000):
        peer.say(push(seq))
    held = peer.take()
    assert len(held) == 1024
    peer.say(push(1025))  # comes again
    assert peer.take() == ["bob 1025"]


# ---------------------------------------------------------------- news of people and groups


def event_of(peer: Peer, kind: pb.RequestType, payload: bytes) -> Event:
    """What the application hears of a push."""
    peer.login()
    peer.protocol.events.clear()
    peer.say(pb.Command(request=pb.Request(type=kind, payload=payload)))
    (event,) = peer.protocol.events
    return event


@pytest.mark.parametrize(
    ("item", "event"),
    [
        (pb.PresenceState(user="bob", state=pb.Presence.TYPING, peer="alice"), Typing("bob", "bob")),
        (pb.PresenceState(user="alice", state=pb.Presence.TYPING, peer="bob"), Typing("bob", "alice")),
        (
            pb.PresenceState(user="bob", state=pb.Presence.TYPING, chat=pb.GROUP_CHAT, peer="team"),
            Typing(Group("team"), "bob"),
        ),
        (
            pb.PresenceState(user="bob", state=pb.Presence.AWAY, last_seen=5, text="lunch"),
            PresenceChanged(Status("bob", Here.AWAY, 5, "lunch")),
        ),
    ],
)
def test_presence_and_typing_are_told_apart(peer: Peer, item: pb.PresenceState, event: Event) -> None:
    payload = pb.Presence(event=pb.PresenceList(items=[item])).SerializeToString()
    assert event_of(peer, pb.PRESENCE, payload) == event


def test_news_of_a_contact_is_an_event(peer: Peer) -> None:
    item = pb.ContactItem(user="bob", state=pb.ContactItem.INVITED, greeting="hi", updated_at=5)
    event = event_of(peer, pb.CONTACT, pb.Contact(event=item).SerializeToString())
    assert event == ContactChanged(Contact("bob", ContactState.INVITED, "", "hi", 5))


@pytest.mark.parametrize(
    ("request_of_bob", "event"),
    [
        (pb.GroupRequest(id="team", user="bob", asked_at=5), JoinRequested(JoinRequest(Group("team"), "bob", 5))),
        (pb.GroupRequest(id="team", user="alice", refused=True, reason="full"), JoinRefused(Group("team"), "full")),
    ],
)
def test_requests_to_join_and_their_refusals_are_events(peer: Peer, request_of_bob: pb.GroupRequest, event: Event) -> None:
    assert event_of(peer, pb.GROUP, pb.Group(event=request_of_bob).SerializeToString()) == event


def test_what_another_device_deletes_is_an_event(peer: Peer) -> None:
    hide = pb.Hide(chat=pb.GROUP_CHAT, peer="team", seqs=[3, 4], through=1)
    event = event_of(peer, pb.SYNC, pb.Sync(hide=hide).SerializeToString())
    assert event == Deleted(Group("team"), (3, 4), 1)


def test_a_read_mark_in_a_group_names_the_group_and_the_reader(peer: Peer) -> None:
    receipt = pb.Receipt(kind=pb.Receipt.READ, chat=pb.GROUP_CHAT, peer="team", seq=7, user="bob")
    assert event_of(peer, pb.RECEIPT, receipt.SerializeToString()) == Read(Group("team"), 7, "bob")


# ---------------------------------------------------------------- messages that change


def test_a_recalled_message_comes_as_removed_and_is_acknowledged_like_any_other(peer: Peer) -> None:
    peer.login()
    message = message_of(push(1))
    message.payload, message.removed = b"", True
    peer.say(pb.Command(request=pb.Request(payload=message.SerializeToString(), seqid=message.msgid)), push(2))
    first, second = [event.message for event in peer.protocol.events if isinstance(event, MessageReceived)]
    assert (first.removed, first.text, second.removed) == (True, "", False)
    peer.take()
    assert peer.acks() == [msgid_of("bob", 2)]


def test_an_edited_message_comes_with_its_new_content(peer: Peer) -> None:
    peer.login()
    message = message_of(push(1))
    new = pb.MessageTxt(txt="better").SerializeToString()
    message.edited.CopyFrom(pb.Change(msgid=message.msgid, type=pb.TXT, payload=new))
    peer.protocol.events.clear()
    peer.say(pb.Command(request=pb.Request(payload=message.SerializeToString(), seqid=message.msgid)))
    (event,) = peer.protocol.events
    assert isinstance(event, MessageReceived)
    assert (event.message.text, event.message.edited) == ("better", True)


def test_a_recall_waits_its_turn_behind_the_messages_of_its_conversation(peer: Peer) -> None:
    peer.login()
    peer.post("first")
    peer.protocol.post("bob", Recall(77), 0, ())
    (request,) = peer.requests()
    assert message_of(pb.Command(request=request)).type == pb.TXT
    peer.say(sent(request.seqid, 1))
    (request,) = peer.requests()
    message = message_of(pb.Command(request=request))
    assert (message.type, pb.Change.FromString(message.payload)) == (pb.RECALL, pb.Change(msgid=77))
    peer.protocol.lost(peer.now, "gone")
    peer.login(last_seqid=request.seqid)
    assert peer.requests() == [request]  # the same seqid: the server carries it out once


def test_messages_to_a_group_and_to_a_user_of_the_same_name_do_not_wait_for_each_other(peer: Peer) -> None:
    peer.login()
    peer.post("to the user", "team")
    peer.protocol.post(Group("team"), Text("to the group"), 0, ())
    sent_to = [(message.to, message.chat) for message in map(message_of, peer.heard())]
    assert sent_to == [("team", pb.SINGLE), ("team", pb.GROUP_CHAT)]


# ---------------------------------------------------------------- presence


def test_what_was_published_is_published_again_after_each_login(peer: Peer) -> None:
    peer.login()
    assert peer.requests(pb.PRESENCE) == []
    away = pb.Presence(publish=pb.Presence.Publish(state=pb.Presence.AWAY, text="lunch"))
    peer.protocol.presence = away.SerializeToString()
    for _ in range(2):
        peer.protocol.lost(peer.now, "gone")
        peer.login()
        (request,) = peer.requests(pb.PRESENCE)
        assert pb.Presence.FromString(request.payload) == away
        peer.say(pb.Command(response=pb.Response(seqid=request.seqid)))


def test_a_request_that_is_not_to_be_repeated_ends_with_the_connection(peer: Peer) -> None:
    with pytest.raises(Disconnected):
        peer.protocol.ask(pb.PRESENCE, b"", again=False)
    peer.login()
    ticket = peer.protocol.ask(pb.PRESENCE, b"", again=False)
    assert len(peer.requests(pb.PRESENCE)) == 1
    peer.protocol.lost(peer.now, "gone")
    ((given_up, result),) = peer.protocol.results
    assert given_up == ticket
    assert isinstance(result, Disconnected)
    peer.login()
    assert peer.requests(pb.PRESENCE) == []
