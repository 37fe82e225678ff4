"""Commits of several lanes overlap; those of one user do not."""

from collections.abc import Callable

from rockdove.core.lanes import Lanes
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, Draft, single_conversation
from tests.protocol.virtual import Clock, Journal

LANES = 3


class Network:
    """A store that answers when it is told to."""

    lanes = LANES

    def __init__(self) -> None:
        self.under_way: dict[int, Callable[[Exception | None], None]] = {}
        self.batches: list[Batch] = []

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        assert batch.lane not in self.under_way, "one commit of a lane after the other"
        self.under_way[batch.lane] = done
        self.batches.append(batch)

    def finish(self, lane: int) -> None:
        self.under_way.pop(lane)(None)


class Bench:
    """Lanes, and what was answered."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.clock = Clock(self.journal.fault)
        self.network = Network()
        self.answered: list[int] = []
        self.lanes = Lanes(self.network, self.clock, MsgidSource(0, 0), self.journal)  # type: ignore[arg-type]
        self.lanes.report_to(
            _ignore, lambda drafts, _: self.answered.extend(draft.seqid for draft in drafts), _ignore, _ignore, _ignore
        )

    def send(self, user: int, seqid: int) -> None:
        self.lanes.of(user).send(Draft(1, single_conversation(user, 9), user, b"", 1, seqid, b"", None))
        self.clock.settle()


def _ignore(*_: object) -> None:
    pass


def test_users_of_different_lanes_do_not_wait_for_each_other() -> None:
    bench = Bench()
    bench.send(1, 11)
    bench.send(2, 21)
    assert len(bench.network.under_way) == 2
    bench.network.finish(2 % LANES)
    assert bench.answered == [21]
    bench.network.finish(1 % LANES)
    assert bench.answered == [21, 11]


def test_what_one_user_sends_is_committed_in_order() -> None:
    bench = Bench()
    bench.send(1, 11)
    bench.send(1, 12)
    bench.send(1 + LANES, 41)
    assert [draft.seqid for batch in bench.network.batches for draft in batch.messages] == [11]
    bench.network.finish(1)
    bench.clock.settle()
    assert [draft.seqid for batch in bench.network.batches for draft in batch.messages] == [11, 12, 41]


def test_the_end_of_all_that_was_collected_comes_when_the_last_lane_is_done() -> None:
    bench = Bench()
    over: list[bool] = []
    bench.send(1, 11)
    bench.send(2, 21)
    bench.lanes.then(lambda: over.append(True))
    bench.clock.settle()
    for lane in (1, 2):
        assert not over
        bench.network.finish(lane)
        bench.clock.settle()
    assert over == [True]


def test_messages_of_all_lanes_are_counted_and_all_lanes_are_stopped() -> None:
    bench = Bench()
    for user in (1, 2, 3):
        bench.send(user, user)
        bench.network.finish(user % LANES)
    assert bench.lanes.stored == 3
    bench.lanes.stop()
    for user in (1, 2, 3):
        bench.send(user, 10 + user)
    assert not bench.network.under_way
