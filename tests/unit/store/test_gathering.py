"""What goes to the database together, and what does not wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Batch, Change, Draft
from rockdove.store.postgres.gathering import MOST_SECONDS, Gathering

LANES = 4


class Lane:
    """A connection; a test says when its statement ends."""

    def __init__(self, given: list["Lane"]) -> None:
        self._given = given
        self.batch = Batch()
        self.done: Callable[[Exception | None], None]

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        self.batch, self.done = batch, done
        self._given.append(self)


class Case:
    """Batches of the core's lanes, and what became of them."""

    def __init__(self) -> None:
        self.given: list[Lane] = []  # statements, in order
        lanes: Any = [Lane(self.given) for _ in range(LANES)]
        self.gathering = Gathering(lanes)
        self.told: list[tuple[int, Exception | None]] = []

    def commit(self, lane: int, *bodies: bytes, changes: int = 0, cursor: int = 0) -> None:
        batch = Batch(lane)
        batch.messages = [Draft(1, 1, 1, b"", 1, 0, body, None) for body in bodies]
        batch.changes = [(0, Change(None, lambda *_: None)) for _ in range(changes)]  # type: ignore[arg-type]
        if cursor:
            batch.cursors[7, 8] = cursor
            batch.seen.add(lane)
        self.gathering.commit(batch, lambda error: self.told.append((lane, error)))

    def bodies(self) -> list[list[bytes]]:
        return [[draft.body for draft in lane.batch.messages] for lane in self.given]


def run(test: Callable[[Case], Any]) -> None:
    async def go() -> None:
        await test(Case())

    asyncio.run(go())


async def turn() -> None:
    await asyncio.sleep(0)


def test_batches_of_a_turn_are_one_in_their_order() -> None:
    async def test(case: Case) -> None:
        case.commit(2, b"a", b"b", cursor=5)
        case.commit(0, b"c", cursor=3)
        await turn()
        assert case.bodies() == [[b"a", b"b", b"c"]]
        batch = case.given[0].batch
        assert (batch.cursors, batch.seen) == ({(7, 8): 5}, {0, 2})
        case.given[0].done(None)
        assert case.told == [(2, None), (0, None)]

    run(test)


def test_what_comes_meanwhile_shares_the_next_one() -> None:
    async def test(case: Case) -> None:
        case.commit(0, b"a")
        await turn()
        case.commit(1, b"b")
        case.commit(2, b"c")
        await turn()
        assert case.bodies() == [[b"a"]]
        case.given[0].done(None)
        await turn()
        assert case.bodies() == [[b"b", b"c"]] * 2  # by the same connection
        assert case.told == [(0, None)]

    run(test)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), None])
def test_all_are_told_what_became_of_it(error: Exception | None) -> None:
    async def test(case: Case) -> None:
        for lane in range(LANES):
            case.commit(lane, b"x")
        await turn()
        case.given[0].done(error)
        assert case.told == [(lane, error) for lane in range(LANES)]

    run(test)


def test_nobody_waits_for_one_that_is_stuck() -> None:
    async def test(case: Case) -> None:
        case.commit(0, b"stuck")
        await turn()
        case.commit(1, b"b")
        async with asyncio.timeout(20 * MOST_SECONDS):
            while len(case.given) == 1:
                await turn()
        assert case.bodies() == [[b"stuck"], [b"b"]]
        case.given[1].done(None)
        assert case.told == [(1, None)]

    run(test)


def test_changes_go_by_themselves() -> None:
    async def test(case: Case) -> None:
        case.commit(0, b"a")
        case.commit(1, b"b", changes=1)
        case.commit(2, b"c")
        await turn()
        assert sorted(case.bodies()) == [[b"a", b"c"], [b"b"]]

    run(test)


def test_after_the_end_nothing_is_begun() -> None:
    async def test(case: Case) -> None:
        case.commit(0, b"a")
        case.gathering.stop()
        await turn()
        assert case.given == []

    run(test)
