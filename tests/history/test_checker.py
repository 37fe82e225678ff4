"""The checker lets every good history pass and catches every planted fault."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rockdove.wire import im_pb2 as pb
from tests.history.checker import REPUSH_MS, check
from tests.history.content import edit_of, recall_of
from tests.history.events import Acked, Event, Invoked, Killed, LoggedIn, LogsIn, Received, Refused, Sent
from tests.history.faults import FAULTS, NEW_CONNECTION, deliveries, devices, without_delivery
from tests.history.group_faults import GROUP_FAULTS, GROUP_HISTORY
from tests.history.model import DEVICES, MEMBERS, OPERATIONS, World
from tests.history.promises import Promise


@st.composite
def good_histories(draw: st.DrawFn) -> list[Event]:
    """What a perfect server may do with unreliable connections and a power switch."""
    world = World()
    step = st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(DEVICES), st.integers(0, 1000))
    for operation, device, choice in draw(st.lists(step, max_size=40)):
        operation(world, device, choice)
    world.drain()
    return world.history


@pytest.fixture
def busy_history() -> list[Event]:
    """A good history with a place for every fault."""
    alice, laptop, bob, carol = DEVICES
    world = World()
    world.send(alice, 8)
    world.send(bob, 1)
    world.receive(bob, 3)
    world.ack(bob, 4)
    world.send(bob, 2)
    world.send(alice, 8)
    world.kill(alice, 0)
    world.retry(alice, 0)
    world.send(laptop, 4)
    world.send(carol, 1)
    world.drain()
    return world.history


def promises_broken(history: list[Event]) -> set[Promise]:
    return {violation.promise for violation in check(history, MEMBERS)}


@given(good_histories())
def test_good_history_passes(history: list[Event]) -> None:
    assert check(history, MEMBERS) == []


def test_every_promise_has_a_planted_fault() -> None:
    assert {*FAULTS.values(), *(promise for _, promise in GROUP_FAULTS.values())} == set(Promise)


@pytest.mark.parametrize(("plant", "promise"), FAULTS.items(), ids=[plant.__name__ for plant in FAULTS])
def test_planted_fault_is_caught(
    plant: Callable[[list[Event]], list[Event]], promise: Promise, busy_history: list[Event]
) -> None:
    assert check(busy_history, MEMBERS) == []
    assert promise in promises_broken(plant(busy_history))


def test_good_history_of_a_group_passes() -> None:
    assert check(GROUP_HISTORY, MEMBERS) == []


@pytest.mark.parametrize(("plant", "promise"), GROUP_FAULTS.values(), ids=GROUP_FAULTS)
def test_planted_fault_in_a_group_is_caught(plant: Callable[[list[Event]], list[Event]], promise: Promise) -> None:
    assert promises_broken(plant(GROUP_HISTORY)) >= {promise}


@given(good_histories(), st.integers(0))
def test_any_lost_delivery_is_caught(history: list[Event], choice: int) -> None:
    pushes = deliveries(history)
    assume(pushes)
    assert Promise.LOST in promises_broken(without_delivery(history, pushes[choice % len(pushes)]))


@given(good_histories(), st.integers(0))
def test_any_altered_delivery_is_caught(history: list[Event], choice: int) -> None:
    pushes = deliveries(history)
    assume(pushes)
    altered = pushes[choice % len(pushes)]
    bad = [replace(altered, content=altered.content + b"\0") if event is altered else event for event in history]
    assert Promise.ALTERED in promises_broken(bad)


# ---------------------------------------------------------------- what is allowed


def test_repush_after_thirty_seconds_is_allowed(busy_history: list[Event]) -> None:
    last = deliveries(busy_history)[-1]
    assert check([*busy_history, replace(last, at_ms=last.at_ms + REPUSH_MS)], MEMBERS) == []


def test_unprocessed_ack_may_be_followed_by_the_same_push(busy_history: list[Event]) -> None:
    last = deliveries(busy_history)[-1]
    login = LoggedIn(NEW_CONNECTION, *devices(busy_history)[last.connection])
    again = [Acked(last.connection, last.msgid), login, replace(last, connection=NEW_CONNECTION)]
    assert check([*busy_history, *again], MEMBERS) == []


def test_ack_known_only_to_a_killed_server_may_be_followed_by_the_same_push() -> None:
    acked_and_answered = [Acked(2, 100), Invoked(2, 8, "alice+bob", b"ho"), Killed(), Sent(2, 8, 101, 2)]
    rest = [Received(1, 101, 2, "alice+bob", "bob", b"ho"), LoggedIn(3, "bob", "phone"), replace(TALK[-1], connection=3)]
    assert check([*TALK, *acked_and_answered, *rest], MEMBERS) == []


TALK = [
    LoggedIn(1, "alice", "phone"),
    LoggedIn(2, "bob", "phone"),
    Invoked(1, 7, "alice+bob", b"hi"),
    Sent(1, 7, 100, 1),
    Received(2, 100, 1, "alice+bob", "alice", b"hi"),
]


def test_what_was_unavailable_may_be_stored_by_a_retry() -> None:
    refused = [Invoked(1, 7, "alice+bob", b"hi"), Refused(1, 7, pb.UNAVAILABLE)]
    assert check([*TALK[:2], *refused, *TALK[2:]], MEMBERS) == []


def test_login_that_is_never_answered_promises_nothing() -> None:
    assert check([*TALK, LogsIn(3)], MEMBERS) == []


def test_what_was_stored_before_a_second_device_existed_is_not_owed_to_it() -> None:
    assert check([*TALK, LoggedIn(3, "bob", "tablet")], MEMBERS) == []


def test_first_device_is_owed_what_was_stored_before_it_existed() -> None:
    late = [TALK[0], *TALK[2:4], TALK[1]]
    assert promises_broken(late) == {Promise.LOST}


EDIT = [Invoked(1, 8, "alice+bob", edit_of(100, b"hi!")), Sent(1, 8, 101, 2)]


def test_edit_that_was_answered_while_a_login_was_on_its_way_may_come_too_late_for_it() -> None:
    edited = Received(2, 101, 2, "alice+bob", "alice", EDIT[0].content)
    again = [LoggedIn(3, "bob", "phone"), replace(TALK[-1], connection=3), replace(edited, connection=3)]
    assert check([*TALK, LogsIn(3), *EDIT, *again], MEMBERS) == []
    assert promises_broken([*TALK, *EDIT, LogsIn(3), *again]) == {Promise.EDIT_LOST}


def test_sender_may_see_his_message_recalled_before_he_knows_that_it_was_stored() -> None:
    """On another device; whoever had got it before saw its content."""
    sent, recall = TALK[2:4], [Invoked(4, 1, "alice+bob", recall_of(100)), Sent(4, 1, 101, 2)]
    unknown = [*TALK[:2], LoggedIn(4, "alice", "laptop"), sent[0], TALK[-1], *recall]
    seen = Received(2, 101, 2, "alice+bob", "alice", recall_of(100))
    removed = replace(TALK[-1], connection=5, content=b"", removed=True)
    late = [LoggedIn(5, "alice", "laptop"), removed, seen, LoggedIn(6, "alice", "phone"), replace(seen, connection=6)]
    retry = [replace(event, connection=6) for event in sent]
    assert check([*unknown, *late, *retry], MEMBERS) == []
