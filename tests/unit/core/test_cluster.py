"""This node among others: a device that was on another one, and what is told after a long absence."""

from asyncio import run
from types import SimpleNamespace

import pytest

from rockdove.core.cluster import LONG_MS, Cluster
from rockdove.core.neighbours import BEAT_MS
from rockdove.core.records import Device
from tests.protocol.virtual import Journal

HERE, ELSEWHERE = 1, 2


class Store:
    """One device, and who holds it."""

    def __init__(self) -> None:
        self.holder = ELSEWHERE
        self.login = 0

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int) -> Device:
        before, self.holder = self.holder, node
        self.login += 1
        return Device(1, 0, 0, self.login, before)

    async def device(self, user: int, name: str) -> Device:
        return Device(1, 0, 0, self.login, self.holder)


class Neighbours:
    """Other nodes. While the holder is asked, the device may log in once more, at `leaves_for`."""

    number = HERE

    def __init__(self, store: Store, leaves_for: int) -> None:
        self._store = store
        self._leaves_for = leaves_for
        self.asked: list[int] = []

    async def replace(self, holder: int, user: int, name: str, login: int) -> None:
        self.asked.append(holder)
        if self._leaves_for:
            await self._store.open_device(user, name, "", 0, self._leaves_for)


def open_device(store: Store, neighbours: Neighbours) -> Device | None:
    unused = SimpleNamespace()
    cluster = Cluster(store, unused, unused, neighbours, unused, unused, None)  # type: ignore[arg-type]
    return run(cluster.open_device(7, "phone", "", 0))


def test_the_older_session_elsewhere_is_ended_first() -> None:
    store = Store()
    neighbours = Neighbours(store, leaves_for=0)
    device = open_device(store, neighbours)
    assert neighbours.asked == [ELSEWHERE]
    assert device is not None
    assert (device.holder, device.login) == (HERE, 1)


@pytest.mark.parametrize("leaves_for", [HERE, ELSEWHERE])
def test_of_two_that_come_at_once_the_last_one_stays_and_nobody_asks_for_ever(leaves_for: int) -> None:
    store = Store()
    neighbours = Neighbours(store, leaves_for)
    assert open_device(store, neighbours) is None
    assert neighbours.asked == [ELSEWHERE]
    assert (store.holder, store.login) == (leaves_for, 2)


def test_a_node_that_could_not_say_that_it_lives_for_long_tells_anew_who_is_there() -> None:
    clock, presence, journal = SimpleNamespace(at_ms=1_000_000), SimpleNamespace(announced=0), Journal()
    heard = SimpleNamespace(beat=True)

    async def beat() -> bool:
        return heard.beat

    def announce() -> None:
        presence.announced += 1

    scheduler = SimpleNamespace(now_ms=lambda: clock.at_ms)
    neighbours = SimpleNamespace(number=HERE, beat=beat)
    unused, told = SimpleNamespace(), SimpleNamespace(announce=announce)
    cluster = Cluster(unused, unused, told, neighbours, scheduler, journal, None)  # type: ignore[arg-type]
    run(cluster.live_on())
    for later_ms, reaches_the_store, announced in (
        (BEAT_MS, True, 0),
        (LONG_MS, False, 0),
        (BEAT_MS, False, 0),
        (BEAT_MS, True, 1),
        (BEAT_MS, True, 1),
    ):
        clock.at_ms += later_ms
        heard.beat = reaches_the_store
        run(cluster.live_on())
        assert presence.announced == announced
