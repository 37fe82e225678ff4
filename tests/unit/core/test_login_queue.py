"""Logins take turns, whoever comes and goes in whatever order."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rockdove.core.errors import Refusal
from rockdove.core.login_queue import LoginQueue
from rockdove.wire import im_pb2 as pb


class Soon:
    """A `core.ports.Scheduler` of which the queue needs two things."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        return self.now

    def soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Caller:
    """What of a session the queue looks at."""

    def __init__(self, name: int, address: str) -> None:
        self.name = name
        self.address = address


class Room:
    """A queue, and who has had his turn."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.scheduler = Soon()
        self.queue = LoginQueue(at_once, waiting, self.scheduler)  # type: ignore[arg-type]
        self.begun: list[int] = []
        self.waiting: list[Caller] = []
        self.came = 0

    def come(self, address: str) -> bool:
        caller: Any = Caller(self.came, address)
        self.came += 1
        before = len(self.begun)
        self.queue.enter(caller, lambda: self.begun.append(caller.name))
        if len(self.begun) == before:
            self.waiting.append(caller)
        return len(self.begun) > before


@settings(max_examples=200)
@given(data=st.data(), at_once=st.integers(1, 4), waiting=st.integers(0, 6))
def test_as_many_as_may_are_served_and_nobody_is_forgotten(data: st.DataObject, at_once: int, waiting: int) -> None:
    room = Room(at_once, waiting)
    under_way, withdrawn = 0, set()
    for _ in range(data.draw(st.integers(0, 40))):
        left = [caller for caller in room.waiting if caller.name not in {*room.begun, *withdrawn}]
        action = data.draw(st.sampled_from(["come", "leave", "withdraw"]))
        if action == "come":
            address = data.draw(st.sampled_from("abc"))
            if under_way == at_once and len(left) == waiting:
                with pytest.raises(Refusal) as refusal:
                    room.come(address)
                assert refusal.value.code == pb.UNAVAILABLE
            else:
                assert room.come(address) == (under_way < at_once)
        elif action == "leave" and under_way:
            room.queue.leave()
            room.scheduler.turn()
            under_way -= 1
        elif action == "withdraw" and left:
            caller: Any = data.draw(st.sampled_from(left))
            withdrawn.add(caller.name)
            room.queue.withdraw(caller)
            room.queue.withdraw(caller)  # harmless
        here = len([caller for caller in room.waiting if caller.name not in {*room.begun, *withdrawn}])
        under_way = room.queue.under_way
        assert room.queue.waiting == here
        assert under_way <= at_once
        assert not here or under_way == at_once  # nobody waits while there is room
    while room.queue.under_way:
        room.queue.leave()
        room.scheduler.turn()
    assert sorted({*room.begun, *withdrawn}) == sorted({*room.begun, *(caller.name for caller in room.waiting)})
    assert len(room.begun) == len(set(room.begun))
    assert not withdrawn & set(room.begun)


def served(addresses: str) -> str:
    """In which order those who come in that order are served, one at a time, after a first one."""
    room = Room(1, 100)
    room.come("first")
    for address in addresses:
        room.come(address)
    while room.queue.under_way:
        room.queue.leave()
        room.scheduler.turn()
    return "".join(addresses[name - 1] for name in room.begun[1:])


@given(st.integers(1, 50))
def test_those_of_one_address_are_served_in_order(count: int) -> None:
    room = Room(1, 100)
    for _ in range(count):
        room.come("a")
    for _ in range(count):
        room.queue.leave()
        room.scheduler.turn()
    assert room.begun == list(range(count))


@given(st.text("abc", max_size=50))
def test_addresses_take_turns(addresses: str) -> None:
    order = served(addresses)
    assert sorted(order) == sorted(addresses)
    for address in set(addresses):
        turns = [at for at, each in enumerate(order) if each == address]
        for before, turn in pairwise([-1, *turns]):
            between = order[before + 1 : turn]
            assert len(set(between)) == len(between), order  # nobody twice while this one waits


def test_one_with_many_logins_does_not_keep_the_others_waiting() -> None:
    assert served("aaaaaaaab") == "abaaaaaaa"


def test_who_is_refused_hears_how_long_the_others_have_waited() -> None:
    room = Room(1, 2)
    room.come("a")
    room.come("a")
    room.come("b")
    with pytest.raises(Refusal, match="try again in 1 s"):
        room.come("a")
    room.scheduler.now = 7_200
    with pytest.raises(Refusal, match="try again in 7 s"):
        room.come("c")
