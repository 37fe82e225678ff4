"""The pace at which messages are taken into the search index."""

from asyncio import run

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.indexing import BUSY_MS, BUSY_PER_MS, IDLE_MS, LOOK_MS, SOME_MS, SOON_MS, STEP, STEP_SHARED, Indexing
from tests.protocol.virtual import START_MS, Journal


class Backlog:
    """A store with messages to index."""

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self.stored = self.waiting = 0
        self.full = False

    def store(self, messages: int) -> None:
        self.stored += messages
        self.waiting += messages

    async def index(self, limit: int) -> int:
        if self.full:
            raise StoreUnavailable("full")
        taken = min(limit, self.waiting)
        self.waiting -= taken
        return taken


class Pace:
    """The indexing of a backlog on virtual time."""

    def __init__(self, *, shared: bool = False) -> None:
        self.now_ms = START_MS
        self.backlog, self.journal = Backlog(shared=shared), Journal()
        self.indexing = Indexing(self.backlog, lambda: self.backlog.stored, self.journal)  # type: ignore[arg-type]
        self.step()

    def step(self, later_ms: int = 1) -> int:
        self.now_ms += later_ms
        run(self.indexing.step(self.now_ms))
        return self.indexing.pause_ms


@pytest.fixture
def pace() -> Pace:
    return Pace()


def test_an_idle_node_looks_now_and_then(pace: Pace) -> None:
    assert pace.step() == IDLE_MS


def test_a_backlog_is_worked_off_in_small_steps_soon_after_each_other(pace: Pace) -> None:
    pace.backlog.waiting = 3 * STEP + 1
    assert [pace.step() for _ in range(5)] == [SOON_MS, SOON_MS, SOON_MS, SOME_MS, IDLE_MS]


def test_single_messages_wait_for_company(pace: Pace) -> None:
    pace.backlog.store(1)
    assert pace.step(1_000) == SOME_MS


def test_a_busy_node_is_left_alone_until_it_is_not_busy_any_more(pace: Pace) -> None:
    pace.backlog.store(BUSY_PER_MS * 100 + 1)
    assert pace.step(100) == BUSY_MS
    pace.backlog.store(BUSY_PER_MS * BUSY_MS)
    assert pace.step(BUSY_MS) == SOON_MS


def test_one_large_batch_does_not_make_a_node_busy(pace: Pace) -> None:
    assert pace.step(LOOK_MS) == IDLE_MS
    pace.backlog.store(BUSY_PER_MS * LOOK_MS)
    assert pace.step(1) == SOON_MS
    assert pace.step(LOOK_MS - 1) == SOON_MS


def test_a_shared_store_is_asked_for_more_at_once() -> None:
    pace = Pace(shared=True)
    pace.backlog.waiting = 2 * STEP_SHARED
    pace.step()
    assert pace.backlog.waiting == STEP_SHARED


def test_a_clock_that_steps_back_does_no_harm(pace: Pace) -> None:
    pace.backlog.store(3 * STEP)
    assert pace.step(-100_000) == BUSY_MS
    assert pace.step(LOOK_MS) == SOON_MS


def test_an_index_that_cannot_be_written_is_reported_once_each_time(pace: Pace) -> None:
    for _ in range(2):
        pace.backlog.full = True
        assert [pace.step() for _ in range(3)] == [IDLE_MS] * 3
        pace.backlog.full = False
        pace.step()
    assert pace.journal.events == [("indexing_waits", {"reason": "full"})] * 2
