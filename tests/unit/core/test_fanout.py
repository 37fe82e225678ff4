"""What is told is told to those who may hear it, as far as this node knows who they are."""

from typing import Any

import pytest

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.records import single_conversation
from rockdove.core.registry import Registry

GROUP, ALICE = 7, 1


class Session:
    """Keeps what its device is sent."""

    def __init__(self) -> None:
        self.outbound = self
        self.device = 5
        self.frames: list[bytes] = []
        self.looked_again: list[int] = []

    def notify(self, frame: bytes) -> None:
        self.frames.append(frame)

    def look_again(self, conversation: int) -> None:
        self.looked_again.append(conversation)


@pytest.fixture
def session() -> Any:
    return Session()


@pytest.fixture
def fanout(session: Any) -> Fanout:
    """Of a node that knows version 4 of the group."""
    registry = Registry()
    registry.seat(registry.add(session, ALICE, "alice"), [(GROUP, 4)])
    return Fanout(registry)


@pytest.mark.parametrize("version", [0, 3, 4])
def test_what_is_not_kept_reaches_those_who_are_known_to_be_in_the_group(fanout: Fanout, session: Any, version: int) -> None:
    fanout.to_conversation(GROUP, b"frame", group_version=version)
    assert (session.frames, session.looked_again) == ([b"frame"], [])


def test_after_a_change_that_was_missed_nobody_is_told_and_the_members_are_read(fanout: Fanout, session: Any) -> None:
    missed: list[int] = []
    fanout.on_unknown = missed.append
    fanout.to_conversation(GROUP, b"secret", group_version=5)
    assert (session.frames, session.looked_again, missed) == ([], [GROUP], [GROUP])


def test_single_chats_have_no_version(fanout: Fanout, session: Any) -> None:
    fanout.to_conversation(single_conversation(ALICE, 2), b"frame")
    assert session.frames == [b"frame"]
