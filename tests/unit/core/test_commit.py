"""When acks become durable."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.window import Stream
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch
from rockdove.core.registry import Inbox


class Loop:
    """Turns and delays, carried out by hand."""

    def __init__(self) -> None:
        self.turn: list[Callable[[], None]] = []
        self.delayed: list[Callable[[], None]] = []

    def soon(self, call: Callable[[], None]) -> None:
        self.turn.append(call)

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        self.delayed.append(call)

    def now_ms(self) -> int:
        return 0

    def end_turn(self) -> None:
        calls, self.turn = self.turn, []
        for call in calls:
            call()

    def delay_ends(self) -> None:
        calls, self.delayed = self.delayed, []
        for call in calls:
            call()
        self.end_turn()


class Disk:
    """A store that remembers the cursors."""

    def __init__(self) -> None:
        self.cursors: dict[tuple[int, int], int] = {}

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        self.cursors |= batch.cursors
        done(None)


Parts = tuple[GroupCommit, Loop, Disk]


@pytest.fixture
def parts() -> Parts:
    loop, disk = Loop(), Disk()
    store: Any = disk
    scheduler: Any = loop
    commit = GroupCommit(store, scheduler, MsgidSource(0, 0), structlog.get_logger())
    commit.on_acked = lambda stream: None
    return commit, loop, disk


def stream(device: int) -> Stream:
    return Stream(Inbox(device, "somebody"), device, conversation=1, cursor=7)


def test_ack_waits_for_company(parts: Parts) -> None:
    commit, loop, disk = parts
    commit.move_cursor(stream(1))
    loop.end_turn()
    assert disk.cursors == {}
    loop.delay_ends()
    assert disk.cursors == {(1, 1): 7}


def test_heartbeat_stores_the_acks_before_it_also_when_another_ack_follows_in_its_turn(parts: Parts) -> None:
    commit, loop, disk = parts
    commit.move_cursor(stream(1))
    commit.write_cursors()
    commit.move_cursor(stream(2))
    loop.end_turn()
    assert disk.cursors == {(1, 1): 7, (2, 1): 7}


def test_login_stores_the_acks_before_it_also_when_another_ack_follows_in_its_turn(parts: Parts) -> None:
    """Else the device that comes back would be pushed what it has acknowledged."""
    commit, loop, disk = parts
    seen: list[dict[tuple[int, int], int]] = []
    commit.move_cursor(stream(1))
    commit.then(lambda _: seen.append(dict(disk.cursors)))
    commit.move_cursor(stream(2))
    loop.end_turn()
    assert seen
    assert seen[0][1, 1] == 7
