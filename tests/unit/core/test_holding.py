"""A device on one of several nodes: the older session ends first, and a login that comes late takes it from nobody."""

from asyncio import run
from collections.abc import Callable
from typing import Any

import pytest

from rockdove.core.holding import Holding
from rockdove.core.records import Device, Hold
from rockdove.core.registry import Registry
from rockdove.wire import im_pb2 as pb
from tests.protocol.virtual import START_MS, Clock, Journal
from tests.unit.core.sessions import stands_in

pytestmark = stands_in

HERE, ELSEWHERE = 1, 2


class Store:
    """One device, and who holds it."""

    def __init__(self) -> None:
        self.hold: Hold = (4, ELSEWHERE)
        self.then: Callable[[], None] = lambda: None  # happens while the answer is on its way

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int) -> Device:
        login, before = self.hold
        self.hold = login + 1, node
        self.then()
        return Device(1, 0, 0, login + 1, before)

    async def device(self, user: int, name: str) -> Device:
        return Device(1, 0, 0, *self.hold)

    async def give_back(self, user: int, name: str, taken: Hold, before: Hold) -> None:
        if self.hold == taken:
            self.hold = before


class Neighbours:
    """The other node. While it is asked to end its session, the device may log in once more."""

    number = HERE

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stays = False  # its session is of a newer Connect
        self.has_it = False
        self.asked: list[int] = []
        self.waited: list[int] = []
        self.leaves_for = 0
        self.then: Callable[[], None] = lambda: None  # happens while it ends its session

    async def replace(self, holder: int, user: int, name: str, login: int, waited_ms: int) -> bool:
        self.asked.append(holder)
        self.then()
        if self.leaves_for:
            self._store.hold = self._store.hold[0] + 1, self.leaves_for
        return self.stays

    async def holds(self, node: int, user: int, device: str, waited_ms: int) -> bool:
        self.waited.append(waited_ms)
        return self.has_it


class Session:
    """Whoever logs in."""

    def __init__(self) -> None:
        self.user, self.device_name, self.connected_ms = 7, "phone", START_MS
        self.arriving, self.live, self.ended = True, False, 0

    def end(self, code: int, _: str) -> None:
        self.arriving, self.ended = False, code


class Case:
    """A login at this node."""

    def __init__(self) -> None:
        self.store, self.registry, self.session = Store(), Registry(), Session()
        self.neighbours = Neighbours(self.store)
        self.clock = Clock(Journal().fault)
        self.holding = Holding(self.store, self.registry, self.neighbours, self.clock)  # type: ignore[arg-type]

    def open(self) -> Device | None:
        session: Any = self.session
        self.registry.opens(session)
        return run(self.holding.open_device(session, "", 0))

    def is_lost(self, login: int) -> bool:
        session: Any = self.session
        return run(self.holding.is_lost(session, Device(1, 0, 0, *self.store.hold), login))


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_older_session_elsewhere_is_ended_first(case: Case) -> None:
    device = case.open()
    assert case.neighbours.asked == [ELSEWHERE]
    assert device is not None
    assert (device.holder, device.login) == (HERE, 5)


@pytest.mark.parametrize("leaves_for", [HERE, ELSEWHERE])
def test_of_two_that_come_at_once_the_last_one_stays_and_nobody_asks_for_ever(case: Case, leaves_for: int) -> None:
    case.neighbours.leaves_for = leaves_for
    case.neighbours.has_it = True
    newer: Any = Session()
    if leaves_for == HERE:
        case.neighbours.has_it = False
        newer.arriving, newer.live = False, True
        case.registry.add(newer, 7, "alice")
    assert case.open() is None
    assert case.session.ended == pb.REPLACED
    assert case.neighbours.asked == [ELSEWHERE]
    assert case.store.hold == (6, leaves_for)


@pytest.mark.parametrize("holder", [ELSEWHERE, HERE, 0])
def test_a_login_whose_connection_is_gone_when_its_number_comes_gives_it_back(case: Case, holder: int) -> None:
    case.store.hold = 4, holder
    case.store.then = lambda: setattr(case.session, "arriving", False)
    assert case.open() is None
    assert case.neighbours.asked == []
    assert case.store.hold == (4, holder)


def test_it_takes_nothing_from_who_came_in_between_and_took_the_older_session_for_ended(case: Case) -> None:
    def more() -> None:
        case.session.arriving = False
        case.store.hold = 6, 3

    case.store.then = more
    assert case.open() is None
    assert case.store.hold == (6, 3)
    assert case.neighbours.asked == [ELSEWHERE]


@pytest.mark.parametrize("given_up", [True, False])
def test_who_asks_waits_for_what_a_login_that_was_given_up_was_about_to_end(case: Case, given_up: bool) -> None:
    told: list[str] = []

    def ask() -> None:
        case.session.arriving = not given_up
        case.holding.when_settled(7, "phone", lambda: told.append("phone"))
        case.holding.when_settled(7, "laptop", lambda: told.append("laptop"))
        told.append("ended")

    case.neighbours.then = ask
    case.open()
    case.clock.advance(1)
    assert told == (["laptop", "ended", "phone"] if given_up else ["phone", "laptop", "ended"])


def test_a_login_older_than_the_session_elsewhere_gives_its_number_back_and_ends(case: Case) -> None:
    case.neighbours.stays = True
    assert case.open() is None
    assert case.session.ended == pb.REPLACED
    assert case.store.hold == (4, ELSEWHERE)


def test_a_login_overtaken_by_one_that_nobody_waits_for_has_the_device(case: Case) -> None:
    case.neighbours.leaves_for = 3
    device = case.open()
    assert device is not None
    assert device.login == 5
    assert case.store.hold == (5, HERE)


@pytest.mark.parametrize("holder", [HERE, ELSEWHERE])
def test_a_number_that_nobody_holds_ends_no_session(case: Case, holder: int) -> None:
    case.store.hold = 6, holder
    assert not case.is_lost(4)
    assert case.store.hold == (4, HERE)


def test_a_number_that_somebody_holds_is_a_newer_login(case: Case) -> None:
    case.store.hold = 6, ELSEWHERE
    case.neighbours.has_it = True
    case.clock.advance(500)
    assert case.is_lost(4)
    assert case.neighbours.waited == [500]
    assert case.store.hold == (6, ELSEWHERE)


def test_of_who_took_the_device_back_it_does_not_matter_when_he_came(case: Case) -> None:
    case.neighbours.has_it = True
    assert case.is_lost(5)
    assert case.neighbours.waited == [case.clock.now_ms()]
