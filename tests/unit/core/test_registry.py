"""Who is here, in which groups, and as of which version of them that is known."""

import pytest

from rockdove.core.registry import Inbox, Registry
from rockdove.core.session import Session
from tests.unit.core.sessions import Sessions

GROUP, OTHER = 7, 8
ALICE, BOB = 1, 2


class Place:
    """A registry, and the topics that somebody here is interested in."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.sessions = Sessions(self.registry)
        self.topics: set[str] = set()
        self.registry.on_interest = lambda topic, wanted: (self.topics.add if wanted else self.topics.remove)(topic)

    def come(self, user: int) -> tuple[Session, Inbox]:
        session = self.sessions.come(user, str(user), device=user)
        return session, session.outbound.inbox

    def here(self, group: int = GROUP) -> set[int]:
        return {inbox.user for inbox in self.registry.group(group)}


@pytest.fixture
def place() -> Place:
    return Place()


def test_interest_begins_with_the_first_and_ends_with_the_last(place: Place) -> None:
    first, inbox = place.come(ALICE)
    second, _ = place.come(ALICE)
    place.registry.seat(inbox, [(GROUP, 1), (OTHER, 1)])
    assert place.topics == {"user.1", "group.7", "group.8"}
    place.registry.parted([ALICE], OTHER)
    assert place.topics == {"user.1", "group.7"}
    place.registry.remove(first, ALICE)
    assert place.topics == {"user.1", "group.7"}
    place.registry.remove(second, ALICE)
    assert place.topics == set()


def test_news_that_later_ones_overtook_are_known_as_such(place: Place) -> None:
    _, inbox = place.come(ALICE)
    assert not place.registry.overtaken(GROUP, 5), "nobody is here whom it could concern"
    place.registry.seat(inbox, [(GROUP, 5)])
    place.registry.advance(GROUP, 7)
    assert place.registry.overtaken(GROUP, 6)
    assert not place.registry.overtaken(GROUP, 7)
    assert not place.registry.overtaken(GROUP, 0), "a change that makes no version"
    place.registry.reread(GROUP, 9)
    assert place.registry.overtaken(GROUP, 8)


def test_the_next_version_is_known_by_its_change_and_a_later_one_is_not(place: Place) -> None:
    _, inbox = place.come(ALICE)
    place.registry.seat(inbox, [(GROUP, 5)])
    assert place.registry.advance(GROUP, 6)
    assert place.registry.version(GROUP) == 6
    assert place.registry.advance(GROUP, 4), "what is known already is no gap"
    assert not place.registry.advance(GROUP, 8)
    assert place.registry.version(GROUP) == 6, "the list is as old as before"
    place.registry.reread(GROUP, 8)
    assert place.registry.version(GROUP) == 8
    place.registry.reread(GROUP, 7)
    assert place.registry.version(GROUP) == 8


def test_of_what_was_read_at_different_times_the_oldest_counts(place: Place) -> None:
    for user, version in ((ALICE, 5), (BOB, 3)):
        _, inbox = place.come(user)
        place.registry.seat(inbox, [(GROUP, version)])
    assert place.registry.version(GROUP) == 3


def test_a_group_in_which_nobody_is_here_has_no_version(place: Place) -> None:
    assert place.registry.advance(GROUP, 9)
    assert place.registry.version(GROUP) == 0
    place.come(ALICE)
    assert place.registry.joined([ALICE, BOB], GROUP, 9) == [ALICE], "the other is not here"
    assert place.registry.version(GROUP) == 9
    assert place.registry.joined([ALICE], GROUP, 9) == [], "that is known"


def test_seating_anew_finds_what_was_missed(place: Place) -> None:
    _, inbox = place.come(ALICE)
    place.registry.seat(inbox, [(GROUP, 1)])
    assert place.registry.seat(inbox, [(OTHER, 1)]) == {GROUP}
    assert (place.here(GROUP), place.here(OTHER)) == (set(), {ALICE})


def test_who_has_gone_while_his_groups_were_read_is_not_seated(place: Place) -> None:
    session, inbox = place.come(ALICE)
    place.registry.remove(session, ALICE)
    place.registry.seat(inbox, [(GROUP, 1)])
    assert place.here() == set()
    assert place.topics == set()
