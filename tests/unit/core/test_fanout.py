"""What is told is told to those who may hear it, as far as this node knows who they are."""

import pytest

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.window import Stream
from rockdove.core.records import EVERYTHING, single_conversation
from rockdove.core.registry import Registry
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.unit.core.sessions import Sessions

GROUP, ALICE, BOB, DEVICE = 7, 1, 2, 5
FRAME = codec.event(pb.PRESENCE, b"news")


class Place:
    """Alice's session on a node that knows version 4 of the group."""

    def __init__(self) -> None:
        registry = Registry()
        self.sessions = Sessions(registry)
        self.alice = self.sessions.come(ALICE, "alice", DEVICE)
        registry.seat(self.alice.outbound.inbox, [(GROUP, 4)])
        self.stream = Stream(self.alice.outbound.inbox, DEVICE, GROUP, 0, EVERYTHING, hides=False)
        self.alice.outbound.window.open(self.stream)
        self.fanout = Fanout(registry)

    def frames(self) -> list[bytes]:
        """What alice was sent."""
        return [command.request.payload for command in self.sessions.sent(self.alice)]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("version", [0, 3, 4])
def test_what_is_not_kept_reaches_those_who_are_known_to_be_in_the_group(place: Place, version: int) -> None:
    place.fanout.to_conversation(GROUP, FRAME, group_version=version)
    assert (place.frames(), place.stream.stale) == ([b"news"], False)


def test_after_a_change_that_was_missed_nobody_is_told_and_the_members_are_read(place: Place) -> None:
    missed: list[int] = []
    place.fanout.on_unknown = missed.append
    place.fanout.to_conversation(GROUP, FRAME, group_version=5)
    assert (place.frames(), place.stream.stale, missed) == ([], True, [GROUP])


def test_single_chats_have_no_version(place: Place) -> None:
    place.fanout.to_conversation(single_conversation(ALICE, 2), FRAME)
    assert place.frames() == [b"news"]


def test_who_is_in_a_group_is_known_before_the_first_is_told(place: Place) -> None:
    bob = place.sessions.come(BOB, "bob", DEVICE + 1)
    assert next(place.fanout.group_change(GROUP, 5, [BOB], [ALICE], [], 0), "told") is None
    place.fanout.to_conversation(GROUP, FRAME)
    assert (place.frames(), [command.request.payload for command in place.sessions.sent(bob)]) == ([], [b"news"])


def test_each_of_those_who_come_or_go_reads_what_he_may_see(place: Place) -> None:
    bob = place.sessions.come(BOB, "bob", DEVICE + 1)
    steps = list(place.fanout.group_change(GROUP, 5, [BOB], [ALICE], [], 0))
    assert len(steps) == 2, "a pause after each"
    assert place.stream.stale
    assert [list(session.outbound.backlog.owed) for session in (place.alice, bob)] == [[GROUP], [GROUP]]


def test_late_news_put_nobody_out_who_has_come_back(place: Place) -> None:
    missed: list[int] = []
    place.fanout.on_unknown = missed.append
    registry = place.sessions.registry
    for version in (5, 6):
        registry.advance(GROUP, version)
    list(place.fanout.group_change(GROUP, 5, [], [ALICE], [], 0))
    assert (list(registry.group(GROUP)), missed) == ([place.alice.outbound.inbox], [GROUP])
    assert place.stream.stale, "he reads what he may see"
