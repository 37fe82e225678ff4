"""Friends are told who comes and goes: once a second at most, nobody else, and nothing twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from rockdove.core.delivery import presence as news_module
from rockdove.core.delivery import typing as typing_module
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.delivery.typing import TypingNews
from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Contact, ContactState, single_conversation
from rockdove.core.registry import Registry
from rockdove.core.session import Session
from rockdove.wire import im_pb2 as pb
from tests.protocol.virtual import Clock, Gate
from tests.unit.core.sessions import Sessions

OFFLINE, ONLINE, AWAY, TYPING = pb.Presence.OFFLINE, pb.Presence.ONLINE, pb.Presence.AWAY, pb.Presence.TYPING
ALICE, BOB, CAROL = 1, 2, 3
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol"}


class Roster:
    """Contacts of a `Store`, all friends from the start but those named."""

    def __init__(self) -> None:
        self.strangers: set[frozenset[int]] = set()
        self.blocks: set[tuple[int, int]] = set()
        self.reads = 0
        self.away = False
        self.gate: Gate | None = None  # where a read of a contact waits after it was made

    def side(self, user: int, peer: int) -> Contact:
        state = ContactState.NONE if {user, peer} in self.strangers else ContactState.FRIEND
        return Contact(user, peer, state, blocked=(user, peer) in self.blocks)

    async def contact(self, user: int, peer: int) -> Contact:
        self._read()
        found = self.side(user, peer)
        if self.gate is not None:
            await self.gate
        return found

    async def contacts_between(self, pairs: Any) -> dict[tuple[int, int], Contact]:
        return {pair: await self.contact(*pair) for pair in pairs}

    async def friends(self, user: int) -> list[int]:
        self._read()
        sides = [self.side(user, peer) for peer in NAMES if peer != user]
        return [side.peer for side in sides if side.state is ContactState.FRIEND and not side.blocked]

    def _read(self) -> None:
        self.reads += 1
        if self.away:
            raise StoreUnavailable


class Place:
    """A node's presence, and its users."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.clock = Clock(self.faults.append)
        self.roster = Roster()
        self.registry = Registry()
        self.sessions = Sessions(self.registry)
        fanout = Fanout(self.registry)
        self.news = PresenceNews(self.roster, self.registry, fanout, self.clock)  # type: ignore[arg-type]
        self.typing = TypingNews(self.registry, fanout, self.clock)
        self.registry.on_change = self.news.note

    def come(self, user: int, device: int = 0) -> Session:
        return self.sessions.come(user, NAMES.get(user, f"user{user}"), device or user * 10)

    def go(self, session: Session) -> None:
        self.registry.remove(session, session.user)

    def events(self, session: Session) -> list[list[tuple[str, int, str]]]:
        """What has come since the last look: of each frame (user, state, text)."""
        lists = [pb.Presence.FromString(command.request.payload).event for command in self.sessions.sent(session)]
        return [[(item.user, item.state, item.text) for item in each.items] for each in lists]

    def second(self) -> None:
        self.clock.advance(1_000)

    def relate(self, one: int, other: int, change: Any) -> None:
        """`change` alters the roster; as when a contact request has just become durable."""
        before = self.roster.side(one, other), self.roster.side(other, one)
        change()
        sides = self.roster.side(one, other), self.roster.side(other, one)
        self.news.related(before, sides, (NAMES[one], NAMES[other]))


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    assert not place.faults


def test_a_friend_is_told_of_coming_and_going_within_a_second(place: Place) -> None:
    bob = place.come(BOB)
    place.second()
    alice = place.come(ALICE)
    assert place.events(bob) == []
    place.second()
    assert place.events(bob) == [[("alice", ONLINE, "")]]
    place.go(alice)
    place.second()
    assert place.events(bob) == [[("alice", OFFLINE, "")]]


def test_the_state_is_the_highest_of_the_devices_which_are_online_unless_they_say_otherwise(place: Place) -> None:
    bob, phone, laptop = place.come(BOB), place.come(ALICE, 11), place.come(ALICE, 12)
    place.second()
    place.events(bob)
    told = []
    for session, state in [(phone, AWAY), (laptop, AWAY), (phone, OFFLINE), (laptop, OFFLINE), (phone, AWAY), (laptop, ONLINE)]:
        place.news.publish(session, state, "")
        place.second()
        told.append([event[0][1] for event in place.events(bob)])
    assert told == [[], [AWAY], [], [OFFLINE], [AWAY], [ONLINE]]
    place.go(laptop)
    place.second()
    assert place.events(bob) == [[("alice", AWAY, "")]]


def test_the_text_is_shown_with_the_state_and_not_of_somebody_invisible(place: Place) -> None:
    bob, alice = place.come(BOB), place.come(ALICE)
    place.second()
    place.events(bob)
    place.news.publish(alice, AWAY, "lunch")
    place.second()
    assert place.events(bob) == [[("alice", AWAY, "lunch")]]
    place.news.publish(alice, OFFLINE, "secret")
    place.second()
    assert place.events(bob) == [[("alice", OFFLINE, "")]]


def test_the_text_goes_with_the_last_session(place: Place) -> None:
    bob, alice = place.come(BOB), place.come(ALICE)
    place.news.publish(alice, ONLINE, "here")
    place.second()
    place.go(alice)
    place.second()
    place.events(bob)
    place.come(ALICE)
    place.second()
    assert place.events(bob) == [[("alice", ONLINE, "")]]


def test_a_reconnect_within_the_second_is_silent(place: Place) -> None:
    bob, alice = place.come(BOB), place.come(ALICE)
    place.second()
    place.events(bob)
    for _ in range(5):
        place.go(alice)
        place.clock.advance(150)
        alice = place.come(ALICE)
    place.second()
    assert place.events(bob) == []


def test_the_changes_of_a_second_are_one_frame_with_the_last_state_of_each(place: Place) -> None:
    bob, alice, carol = place.come(BOB), place.come(ALICE), place.come(CAROL)
    place.second()
    place.events(bob)
    for n in range(1_000):
        place.news.publish(alice, AWAY if n % 2 else ONLINE, "")
        place.news.publish(carol, AWAY, f"{n}")
        place.clock.advance(1)
    place.second()
    (frame,) = place.events(bob)
    assert sorted(frame) == [("alice", AWAY, ""), ("carol", AWAY, "999")]


def test_who_floods_costs_a_look_a_second(place: Place) -> None:
    place.come(BOB)
    alice = place.come(ALICE)
    place.second()
    before = place.roster.reads
    for n in range(10_000):
        place.news.publish(alice, AWAY, f"{n}")
    place.second()
    assert place.roster.reads - before <= 5


def test_strangers_and_those_who_block_or_are_blocked_are_not_told(place: Place) -> None:
    place.roster.strangers.add(frozenset((ALICE, CAROL)))
    bob, carol = place.come(BOB), place.come(CAROL)
    place.second()
    place.events(bob)
    alice = place.come(ALICE)
    place.second()
    assert (place.events(bob), place.events(carol)) == ([[("alice", ONLINE, "")]], [[("bob", ONLINE, "")]])
    for block in [(ALICE, BOB), (BOB, ALICE)]:
        place.roster.blocks = {block}
        place.news.publish(alice, AWAY, str(block))
        place.second()
        assert place.events(bob) == []


@pytest.mark.parametrize("block", [(ALICE, BOB), (BOB, ALICE)])
def test_a_block_shows_each_to_the_other_as_gone_and_its_end_as_here(place: Place, block: tuple[int, int]) -> None:
    alice, bob = place.come(ALICE), place.come(BOB)
    place.news.publish(alice, AWAY, "lunch")
    place.second()
    place.events(alice), place.events(bob)
    place.relate(ALICE, BOB, lambda: place.roster.blocks.add(block))
    assert place.events(bob) == [[("alice", OFFLINE, "")]]  # at once
    assert place.events(alice) == [[("bob", OFFLINE, "")]]
    place.second()
    assert place.events(bob) == place.events(alice) == []
    place.relate(ALICE, BOB, place.roster.blocks.clear)
    place.second()
    assert place.events(bob) == [[("alice", AWAY, "lunch")]]
    assert place.events(alice) == [[("bob", ONLINE, "")]]


def test_new_friends_are_shown_to_each_other_and_former_ones_as_gone(place: Place) -> None:
    place.roster.strangers.add(frozenset((ALICE, BOB)))
    alice, bob = place.come(ALICE), place.come(BOB)
    place.second()
    assert place.events(bob) == []
    place.relate(ALICE, BOB, place.roster.strangers.clear)
    place.second()
    assert (place.events(alice), place.events(bob)) == ([[("bob", ONLINE, "")]], [[("alice", ONLINE, "")]])
    place.relate(ALICE, BOB, lambda: place.roster.strangers.add(frozenset((ALICE, BOB))))
    assert (place.events(alice), place.events(bob)) == ([[("bob", OFFLINE, "")]], [[("alice", OFFLINE, "")]])


def test_a_block_by_somebody_invisible_or_strange_is_not_to_be_seen(place: Place) -> None:
    place.roster.strangers.add(frozenset((CAROL, BOB)))
    alice, bob = place.come(ALICE), place.come(BOB)
    place.come(CAROL)
    place.news.publish(alice, OFFLINE, "")
    place.second()
    place.events(bob)
    place.relate(ALICE, BOB, lambda: place.roster.blocks.add((ALICE, BOB)))
    place.relate(CAROL, BOB, lambda: place.roster.blocks.add((CAROL, BOB)))
    place.second()
    assert place.events(bob) == []


def test_who_goes_and_is_blocked_in_the_same_second_leaves_no_ghost(place: Place) -> None:
    bob, alice = place.come(BOB), place.come(ALICE)
    place.second()
    place.events(bob)
    place.go(alice)
    place.relate(ALICE, BOB, lambda: place.roster.blocks.add((ALICE, BOB)))
    place.second()
    assert place.events(bob) == [[("alice", OFFLINE, "")]]


@pytest.mark.parametrize("block", [(ALICE, BOB), (BOB, ALICE)])
def test_a_block_while_the_store_is_being_read_is_not_overtaken_by_what_was_read(place: Place, block: tuple[int, int]) -> None:
    bob = place.come(BOB)
    place.second()
    place.roster.gate = gate = Gate()
    place.come(ALICE)
    place.second()
    place.relate(ALICE, BOB, lambda: place.roster.blocks.add(block))
    place.roster.gate = None
    gate.open()
    place.second()
    assert all(state == OFFLINE for frame in place.events(bob) for _, state, _ in frame)


def test_a_block_while_a_going_is_about_to_be_told_leaves_no_ghost(place: Place) -> None:
    bob, alice = place.come(BOB), place.come(ALICE)
    place.second()
    place.events(bob)
    place.roster.gate = gate = Gate()
    place.go(alice)
    place.second()
    place.relate(ALICE, BOB, lambda: place.roster.blocks.add((ALICE, BOB)))
    gate.open()
    place.second()
    assert place.events(bob) == [[("alice", OFFLINE, "")]]


def test_nobody_is_told_of_himself(place: Place) -> None:
    phone = place.come(ALICE, 11)
    place.come(ALICE, 12)
    place.second()
    place.news.publish(phone, AWAY, "lunch")
    place.second()
    assert place.events(phone) == []


def test_news_that_are_many_come_in_parts_and_all_arrive(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = range(100, 600)
    for user in crowd:
        monkeypatch.setitem(NAMES, user, f"user{user}")
    monkeypatch.setattr(news_module, "LOOKS", 40)
    bob = place.come(BOB)
    for user in crowd:
        place.roster.strangers |= {frozenset((user, other)) for other in NAMES if other not in (user, BOB)}
    place.second()
    for user in crowd:
        place.come(user)
    place.second()
    assert len(place.roster.strangers) > 0
    first = [item for frame in place.events(bob) for item in frame]
    assert 0 < len(first) <= 40
    place.clock.advance(60_000)
    rest = place.events(bob)
    assert all(len(frame) <= 40 for frame in rest)
    assert {item[0] for item in first + [item for frame in rest for item in frame]} == {f"user{user}" for user in crowd}


def test_what_could_not_be_told_while_the_store_was_away_is_told_afterwards(place: Place) -> None:
    bob = place.come(BOB)
    place.second()
    place.roster.away = True
    place.come(ALICE)
    place.clock.advance(5_000)
    assert place.events(bob) == []
    place.roster.away = False
    place.clock.advance(2_000)
    assert place.events(bob) == [[("alice", ONLINE, "")]]


def test_nothing_is_remembered_of_those_who_have_gone(place: Place) -> None:
    for _ in range(3):
        sessions = [place.come(user, device) for user in NAMES for device in (user * 10, user * 10 + 1)]
        for session in sessions:
            place.news.publish(session, AWAY, "x")
        place.second()
        for session in sessions:
            place.go(session)
        place.second()
    place.clock.advance(10_000)
    news = place.news
    assert not any((news._people, news._changed, news._round, news._pairs, news._news))


# ---------------------------------------------------------------- typing


def test_typing_is_told_to_the_other_and_not_again_within_3_seconds(place: Place) -> None:
    alice, bob, carol = place.come(ALICE), place.come(BOB), place.come(CAROL)
    conversation = single_conversation(ALICE, BOB)
    for _ in range(29):  # every 100 ms for 2.9 s
        place.typing.note(alice, conversation)
        place.clock.advance(100)
    assert [frame for frame in place.events(bob) if frame[0][1] == TYPING] == [[("alice", TYPING, "")]]
    place.clock.advance(100)
    place.typing.note(alice, conversation)
    place.clock.advance(200)
    assert [frame for frame in place.events(bob) if frame[0][1] == TYPING] == [[("alice", TYPING, "")]]
    for other in (alice, carol):
        assert not [frame for frame in place.events(other) if frame[0][1] == TYPING]


def test_those_who_type_at_the_same_time_share_a_frame(place: Place) -> None:
    alice, bob, carol = place.come(ALICE), place.come(BOB), place.come(CAROL)
    place.second()
    for session in (alice, bob, carol):
        place.events(session)
    place.registry.seat(alice_inbox := place.registry.inboxes[ALICE], [(7, 1)])
    assert alice_inbox.user == ALICE
    for user in (BOB, CAROL):
        place.registry.seat(place.registry.inboxes[user], [(7, 1)])
    place.typing.note(alice, 7, "team")
    place.typing.note(carol, 7, "team")
    place.typing.note(carol, single_conversation(BOB, CAROL))
    place.clock.advance(200)
    (frame,) = place.events(bob)
    assert frame == [("alice", TYPING, ""), ("carol", TYPING, ""), ("carol", TYPING, "")]
    assert place.events(alice) == [[("carol", TYPING, "")]]
    assert place.events(carol) == [[("alice", TYPING, "")]]


def test_of_many_who_type_some_are_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing_module, "TYPISTS", 3)
    bob = place.come(BOB)
    crowd = [place.come(user) for user in range(100, 120)]
    place.clock.advance(2_000)
    place.events(bob)
    for session in [bob, *crowd]:
        place.registry.seat(place.registry.inboxes[session.user], [(7, 1)])
    for session in crowd:
        place.typing.note(session, 7, "team")
    place.clock.advance(2_000)
    (frame,) = place.events(bob)
    assert len(frame) == 3


def test_typing_is_forgotten_also_when_the_clock_was_set_back(place: Place) -> None:
    alice, bob = place.come(ALICE), place.come(BOB)
    conversation = single_conversation(ALICE, BOB)
    place.typing.note(alice, conversation)
    place.second()
    place.events(bob)
    place.clock._now_ms -= 3_600_000
    place.typing.note(alice, conversation)
    place.clock._now_ms += 3_600_000
    place.second()
    assert place.events(bob) == [[("alice", TYPING, "")]]


def test_what_a_query_answers_with_is_known_before_anybody_is_told(place: Place) -> None:
    assert place.news.shown(ALICE) == news_module.GONE
    alice = place.come(ALICE)
    assert place.news.shown(ALICE).state == ONLINE
    place.go(alice)
    assert place.news.shown(ALICE) == news_module.GONE
