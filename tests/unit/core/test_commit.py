"""Group commit: durable first, one batch for all that a turn has collected, the answers after it."""

from collections.abc import Callable, Sequence

import pytest

from rockdove.core.commit import CHANGES, CURSOR_DELAY_MS, CURSORS, RETRY_DELAY_MS, SEEN_DELAY_MS, GroupCommit
from rockdove.core.delivery.outbound import Outbound
from rockdove.core.delivery.window import Stream
from rockdove.core.errors import Refusal, StoreFailed, StoreUnavailable
from rockdove.core.figures import Figures
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import EVERYTHING, Batch, Change, Draft, single_conversation
from rockdove.core.registry import Inbox
from rockdove.wire import im_pb2 as pb
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Clock, Journal

CONVERSATION = single_conversation(1, 2)


class Disk:
    """A store that does what it is told, when it is told to."""

    shared = False

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.under_way: list[Callable[[Exception | None], None]] = []
        self.at_once: Exception | bool | None = True

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        assert not self.under_way, "the next commit starts only after `done`"
        self.batches.append(batch)
        if self.at_once is True:
            done(None)
        elif self.at_once is False:
            self.under_way.append(done)
        else:
            done(self.at_once)

    def finish(self, error: Exception | None = None) -> None:
        self.under_way.pop()(error)


class Bench:
    """A group commit and all that happened."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.clock = Clock(self.journal.fault)
        self.disk = Disk()
        self.happened: list[str] = []
        self.commit = GroupCommit(self.disk, self.clock, MsgidSource(0, 0), self.journal, Figures())  # type: ignore[arg-type]
        self.commit.on_messages = lambda drafts, _: self.happened.extend(f"stored {draft.seqid}" for draft in drafts)
        self.commit.on_change = lambda change, _: [self.happened.append(f"changed {change.rule}")]  # type: ignore[func-returns-value]
        self.commit.on_refused = lambda draft: self.happened.append(f"refused {draft.seqid}")
        self.commit.on_acked = lambda stream: self.happened.append(f"acked {stream.cursor}")
        self.commit.on_failure = lambda error: self.happened.append(f"failed {error}")

    def send(self, *seqids: int) -> None:
        for seqid in seqids:
            self.commit.send(draft(seqid))

    def change(self, rule: str, notices: int = 0, seqid: int = 0) -> Change:
        """A change whose rule is called so, with a message if there is a seqid; the store of these tests asks no rule."""

        def done(change: Change, error: Exception | None) -> None:
            self.happened.append(f"{change.rule} {type(error).__name__ if error else 'OK'}")

        change = Change(rule, done, notices=notices, draft=draft(seqid) if seqid else None)  # type: ignore[arg-type]
        self.commit.change(change)
        return change

    def then(self, name: str) -> None:
        self.commit.then(lambda error: self.happened.append(f"{name} {type(error).__name__ if error else 'OK'}"))

    def seqids(self) -> list[list[int]]:
        return [[draft.seqid for draft in batch.messages] for batch in self.disk.batches]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def draft(seqid: int) -> Draft:
    return Draft(1, CONVERSATION, 1, b"", 1, seqid, b"", None)


def stream(cursor: int, device: int = 7) -> Stream:
    return Stream(Inbox(1, "bob"), device, CONVERSATION, cursor, EVERYTHING, hides=False)


def test_nothing_happens_before_the_end_of_the_turn(bench: Bench) -> None:
    bench.send(1)
    bench.then("then")
    assert bench.happened == []
    assert bench.disk.batches == []


def test_all_of_a_turn_is_one_batch_and_is_told_in_order_once_it_is_durable(bench: Bench) -> None:
    bench.disk.at_once = False
    bench.send(1, 2, 3)
    bench.then("then")
    bench.clock.settle()
    assert bench.seqids() == [[1, 2, 3]]
    assert bench.happened == []
    bench.disk.finish()
    assert bench.happened == ["stored 1", "stored 2", "stored 3", "then OK"]
    msgids = [draft.msgid for draft in bench.disk.batches[0].messages]
    assert msgids == sorted(set(msgids))
    assert msgids[0] > 0


def test_what_comes_while_a_commit_is_under_way_is_the_next_batch(bench: Bench) -> None:
    bench.disk.at_once = False
    bench.send(1)
    bench.clock.settle()
    bench.send(2)
    bench.then("then")
    bench.send(3)
    bench.clock.settle()
    assert bench.seqids() == [[1]]
    bench.disk.finish()
    bench.clock.settle()
    assert bench.seqids() == [[1], [2, 3]]
    assert bench.happened == ["stored 1"]
    bench.disk.finish()
    assert bench.happened == ["stored 1", "stored 2", "stored 3", "then OK"]


def test_a_callback_without_anything_to_store_needs_no_commit(bench: Bench) -> None:
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == ["then OK"]
    assert bench.disk.batches == []


def test_what_cannot_be_stored_is_refused_and_the_next_batch_may_succeed(bench: Bench) -> None:
    bench.disk.at_once = StoreUnavailable("full")
    bench.send(1, 2)
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == ["refused 1", "refused 2", "then StoreUnavailable"]
    bench.disk.at_once = True
    bench.send(3)
    bench.clock.settle()
    assert bench.happened[3:] == ["stored 3"]


def test_a_store_that_stays_away_is_reported_once_and_its_return_too(bench: Bench) -> None:
    bench.disk.at_once = StoreUnavailable("full")
    for seqid in range(5):
        bench.send(seqid)
        bench.clock.settle()
    bench.disk.at_once = True
    bench.send(9)
    bench.clock.settle()
    assert [event for event, _ in bench.journal.events] == ["store_unavailable", "store_available"]


def test_after_a_failure_nothing_is_committed_or_answered_any_more(bench: Bench) -> None:
    bench.disk.at_once = StoreFailed("fsync")
    bench.send(1)
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == ["failed fsync"]
    bench.disk.at_once = True
    bench.send(2)
    bench.then("then")
    bench.clock.advance(10_000)
    assert bench.happened == ["failed fsync"]
    assert len(bench.disk.batches) == 1


def test_a_fault_with_one_message_is_logged_and_costs_no_other(bench: Bench) -> None:
    def on_messages(drafts: Sequence[Draft], now_ms: int) -> None:
        if drafts[0].seqid == 2:
            raise ZeroDivisionError
        bench.happened += [f"stored {draft.seqid}" for draft in drafts]

    bench.commit.on_messages = on_messages
    bench.send(1, 2, 3)
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == ["stored 1", "stored 3", "then OK"]
    assert [fault.split()[0] for fault in bench.journal.faults] == ["delivery_failed"]


@pytest.mark.parametrize("place", ["then", "acked", "refused", "flush"])
def test_a_fault_at_the_end_of_a_turn_is_logged_and_costs_nobody_else_anything(bench: Bench, place: str) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if place == "then":
        bench.commit.then(fail)
    elif place == "acked":
        bench.commit.on_acked = fail
        bench.commit.move_cursor(stream(1))
        bench.commit.write_cursors()
    elif place == "refused":
        bench.commit.on_refused = fail
        bench.disk.at_once = StoreUnavailable("full")
        bench.send(1)
    else:
        way_out(bench, fail).write(b"answer")
    bench.then("then")
    way_out(bench).write(b"answer")
    bench.clock.settle()
    assert [event.split()[0] for event in bench.happened] == ["then", "wrote"]
    assert [fault.split()[0] for fault in bench.journal.faults] == ["work_failed"]
    bench.disk.at_once = True
    bench.send(2)
    bench.clock.settle()
    assert bench.happened[2:] == ["stored 2"], "the turns go on"


# ---------------------------------------------------------------- cursors


def test_acks_of_a_moment_share_a_write(bench: Bench) -> None:
    moving, other = stream(1), stream(5, device=8)
    bench.commit.move_cursor(moving)
    bench.commit.move_cursor(other)
    bench.clock.advance(CURSOR_DELAY_MS - 1)
    moving.cursor = 3
    bench.commit.move_cursor(moving)
    assert bench.disk.batches == []
    bench.clock.advance(1)
    (batch,) = bench.disk.batches
    assert batch.cursors == {(7, CONVERSATION): 3, (8, CONVERSATION): 5}
    assert bench.happened == ["acked 3", "acked 5"]
    bench.clock.advance(10_000)
    assert len(bench.disk.batches) == 1


@pytest.mark.parametrize("of", [0, 1])
def test_somebody_who_waits_for_them_has_them_written_at_once(bench: Bench, of: int) -> None:
    bench.commit.move_cursor(stream(1))
    if of:
        bench.commit.write_cursors_of(of)
    else:
        bench.commit.write_cursors()
    bench.clock.settle()
    assert bench.disk.batches[0].cursors == {(7, CONVERSATION): 1}


def test_nobody_waits_for_the_cursors_of_others(bench: Bench) -> None:
    bench.commit.move_cursor(stream(1))
    theirs = Stream(Inbox(2, "carol"), 8, CONVERSATION, 5, EVERYTHING, hides=False)
    bench.commit.move_cursor(theirs)
    assert not bench.commit.collects_of(1)
    bench.commit.write_cursors_of(1)
    assert bench.commit.collects_of(1)
    assert not bench.commit.collects_of(2)
    bench.then("then")
    bench.clock.settle()
    assert (bench.disk.batches[0].cursors, bench.happened) == ({(7, CONVERSATION): 1}, ["acked 1", "then OK"])
    assert not bench.commit.collects_of(1)
    bench.clock.advance(CURSOR_DELAY_MS)
    assert [batch.cursors for batch in bench.disk.batches[1:]] == [{(8, CONVERSATION): 5}]


def test_a_message_does_not_make_cursors_hurry(bench: Bench) -> None:
    bench.commit.move_cursor(stream(1))
    bench.send(1)
    bench.clock.settle()
    assert not bench.disk.batches[0].cursors
    bench.clock.advance(CURSOR_DELAY_MS)
    assert bench.disk.batches[1].cursors


def test_cursors_that_could_not_be_written_are_written_later_as_they_are_then(bench: Bench) -> None:
    moving = stream(1)
    bench.disk.at_once = StoreUnavailable("full")
    bench.commit.move_cursor(moving)
    bench.clock.advance(CURSOR_DELAY_MS)
    assert bench.happened == []
    assert bench.commit.collects_of(1)
    moving.cursor = 2
    bench.disk.at_once = True
    bench.clock.advance(RETRY_DELAY_MS)
    assert bench.happened == ["acked 2"]
    assert not bench.commit.collects_of(1)
    assert bench.disk.batches[-1].cursors == {(7, CONVERSATION): 2}


def many_acks(bench: Bench) -> None:
    for device in range(2 * CURSORS + 1):
        bench.commit.move_cursor(stream(1, device))


def cursors_of(bench: Bench) -> list[int]:
    return [len(batch.cursors) for batch in bench.disk.batches]


def test_many_cursors_are_written_in_several_turns_and_messages_go_in_between(bench: Bench) -> None:
    many_acks(bench)
    bench.commit.on_acked = lambda stream: bench.send(stream.device) if stream.device < 3 else None
    bench.clock.advance(CURSOR_DELAY_MS)
    assert cursors_of(bench) == [CURSORS, CURSORS, 1]
    assert bench.seqids() == [[], [0, 1, 2], []]
    devices = [device for batch in bench.disk.batches for device, _ in batch.cursors]
    assert devices == list(range(2 * CURSORS + 1))


def test_cursors_that_move_while_others_are_written_wait_for_their_own_time(bench: Bench) -> None:
    many_acks(bench)
    late = stream(2, 1_000)
    bench.commit.on_acked = lambda moved: bench.commit.move_cursor(late) if moved.device == 0 else None
    bench.clock.advance(CURSOR_DELAY_MS)
    assert cursors_of(bench) == [CURSORS, CURSORS, 1]
    bench.clock.advance(CURSOR_DELAY_MS)
    assert bench.disk.batches[-1].cursors == {(1_000, CONVERSATION): 2}


def test_a_large_batch_takes_as_many_cursors_as_messages_along(bench: Bench) -> None:
    many_acks(bench)
    bench.clock.advance(CURSOR_DELAY_MS - 1)
    bench.disk.at_once = False
    bench.send(0)
    bench.clock.settle()
    bench.send(*range(2 * CURSORS))
    bench.clock.advance(1)
    bench.disk.finish()
    bench.disk.at_once = True
    bench.clock.settle()
    assert cursors_of(bench) == [0, 2 * CURSORS, 1]


@pytest.mark.parametrize("now", ["of a user", "write_cursors", "shared"])
def test_all_cursors_are_written_at_once_where_somebody_waits_and_in_a_shared_store(bench: Bench, now: str) -> None:
    many_acks(bench)
    if now == "of a user":
        bench.commit.write_cursors_of(1)
    elif now == "write_cursors":
        bench.commit.write_cursors()
    else:
        bench.disk.shared = True
    bench.clock.advance(CURSOR_DELAY_MS)
    assert cursors_of(bench) == [2 * CURSORS + 1]


def test_somebody_who_comes_while_many_are_written_waits_for_one_turn(bench: Bench) -> None:
    many_acks(bench)
    bench.commit.on_acked = lambda stream: bench.commit.write_cursors_of(1) if stream.device == 0 else None
    bench.clock.advance(CURSOR_DELAY_MS)
    assert cursors_of(bench) == [CURSORS, CURSORS + 1]


def test_many_cursors_that_could_not_be_written_are_tried_again_later_and_not_at_once(bench: Bench) -> None:
    many_acks(bench)
    bench.disk.at_once = StoreUnavailable("full")
    bench.clock.advance(CURSOR_DELAY_MS)
    assert cursors_of(bench) == [CURSORS]
    bench.disk.at_once = True
    bench.clock.advance(RETRY_DELAY_MS)
    assert sum(cursors_of(bench)[1:]) == 2 * CURSORS + 1


def test_signs_of_life_wait_for_company(bench: Bench) -> None:
    bench.commit.see(7)
    bench.commit.see(8)
    bench.commit.then(lambda _: None)  # of another login
    bench.clock.advance(SEEN_DELAY_MS - 1)
    assert not bench.disk.batches
    bench.clock.advance(1)
    (batch,) = bench.disk.batches
    assert (batch.seen, batch.now_ms) == ({7, 8}, bench.clock.now_ms())
    bench.clock.advance(10_000)
    assert len(bench.disk.batches) == 1


def test_signs_of_life_go_with_what_is_written_anyway(bench: Bench) -> None:
    bench.commit.see(7)
    bench.commit.expect(1, "phone", "test")
    bench.clock.settle()
    assert bench.disk.batches[0].seen == {7}
    bench.commit.see(8)
    bench.commit.write_seen()
    bench.clock.settle()
    assert [batch.seen for batch in bench.disk.batches] == [{7}, {8}]
    bench.clock.advance(10_000)
    assert len(bench.disk.batches) == 2


def test_of_two_sessions_of_a_device_the_cursor_further_on_counts(bench: Bench) -> None:
    earlier, later = stream(9), stream(4)
    bench.commit.move_cursor(earlier)
    bench.commit.move_cursor(later)
    bench.clock.advance(CURSOR_DELAY_MS)
    assert bench.disk.batches[0].cursors == {(7, CONVERSATION): 9}


# ---------------------------------------------------------------- changes


def test_changes_and_messages_are_told_in_the_order_in_which_they_were_asked_for(bench: Bench) -> None:
    bench.disk.at_once = False
    bench.change("first")
    bench.send(1, 2)
    bench.change("second")
    bench.change("third")
    bench.send(3)
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == []
    assert len(bench.disk.batches) == 1
    bench.disk.finish()
    expected = ["changed first", "stored 1", "stored 2", "changed second", "changed third", "stored 3", "then OK"]
    assert bench.happened == expected


def test_msgids_grow_in_the_order_of_the_log_and_a_message_comes_after_the_notices_of_its_change(bench: Bench) -> None:
    bench.send(1)
    noticed = bench.change("noticed", notices=2)
    silent = bench.change("silent")
    recall = bench.change("recall", notices=1, seqid=7)
    bench.send(2)
    bench.clock.settle()
    (batch,) = bench.disk.batches
    first, last = (draft.msgid for draft in batch.messages)
    assert (len(noticed.msgids), silent.msgids, len(recall.msgids)) == (2, [], 2)
    assert recall.draft is not None
    assert recall.draft.msgid == recall.msgids[-1]
    msgids = [first, *noticed.msgids, *recall.msgids, last]
    assert msgids == sorted(set(msgids))
    assert first > 0


def test_a_refused_change_is_told_like_any_other_and_stops_nothing(bench: Bench) -> None:
    commit = bench.disk.commit

    def refuse(batch: Batch, done: Callable[[Exception | None], None]) -> None:
        for _, change in batch.changes:
            change.refusal = Refusal(pb.PERMISSION_DENIED, "ask an admin")
        commit(batch, done)

    bench.disk.commit = refuse  # type: ignore[method-assign]
    bench.commit.on_change = lambda change, _: [
        bench.happened.append(f"refused {change.rule}" if change.refusal else "changed")
    ]
    bench.change("kick")
    bench.send(1)
    bench.clock.settle()
    assert bench.happened == ["refused kick", "stored 1"]


def test_a_change_that_cannot_be_stored_is_told_so_in_its_place_and_is_not_tried_again(bench: Bench) -> None:
    bench.disk.at_once = StoreUnavailable("full")
    bench.send(1)
    bench.change("kick")
    bench.send(2)
    bench.then("then")
    bench.clock.settle()
    assert bench.happened == ["refused 1", "kick StoreUnavailable", "refused 2", "then StoreUnavailable"]
    bench.disk.at_once = True
    bench.clock.advance(10_000)
    assert len(bench.disk.batches) == 1


def test_many_changes_are_stored_in_several_commits_and_in_order(bench: Bench) -> None:
    def ask(first: int) -> None:
        for number in range(first, first + CHANGES):
            bench.change(f"join{number}")
        bench.send(first)
        bench.then(f"then{first}")

    ask(0)
    ask(CHANGES)
    bench.change("last")
    bench.clock.settle()
    assert [(len(batch.changes), len(batch.messages)) for batch in bench.disk.batches] == [(CHANGES, 1), (CHANGES, 1), (1, 0)]
    joins = [[f"changed join{number}" for number in range(first, first + CHANGES)] for first in (0, CHANGES)]
    told = [news for news in bench.happened if not news.endswith("OK") or news.startswith("then")]
    assert told == [*joins[0], "stored 0", "then0 OK", *joins[1], f"stored {CHANGES}", f"then{CHANGES} OK", "changed last"]


def test_many_changes_that_cannot_be_stored_are_all_told_so(bench: Bench) -> None:
    bench.disk.at_once = StoreUnavailable("full")
    bench.commit.see(7)
    for _ in range(2):
        for _ in range(CHANGES):
            bench.change("join")
        bench.send(1)
        bench.then("then")
    bench.clock.settle()
    joins = CHANGES * ["join StoreUnavailable"]
    assert bench.happened == [*joins, "refused 1", *joins, "refused 1", "then StoreUnavailable", "then OK"]
    assert len(bench.disk.batches) == 1


def test_after_a_failure_a_change_is_never_answered(bench: Bench) -> None:
    bench.disk.at_once = StoreFailed("fsync")
    bench.change("kick")
    bench.clock.settle()
    assert bench.happened == ["failed fsync"]


@pytest.mark.parametrize("place", ["stored", "refused"])
def test_a_fault_in_telling_a_change_is_logged_and_costs_nobody_else_anything(bench: Bench, place: str) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if place == "stored":
        bench.commit.on_change = fail
    else:
        bench.disk.at_once = StoreUnavailable("full")
    faulty = bench.change("faulty")
    faulty.done = fail
    bench.send(1)
    bench.clock.settle()
    assert bench.happened == [f"{place} 1"]
    assert [fault.split()[0] for fault in bench.journal.faults] == ["work_failed"]


def test_only_messages_of_their_own_are_counted_as_stored(bench: Bench) -> None:
    bench.send(1, 2)
    bench.change("recall", seqid=7)
    bench.clock.settle()
    assert bench.commit.stored == 2


# ---------------------------------------------------------------- connections


class Written:
    """`core.ports.Link` that calls when it is written to."""

    def __init__(self, call: Callable[[bytes], None]) -> None:
        self._call = call

    def write(self, data: bytes) -> None:
        self._call(data)

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Unchecked:
    """Nobody, who is never looked at."""

    def check_by(self, at_ms: int) -> None: ...


def way_out(bench: Bench, write: Callable[[bytes], None] | None = None) -> Outbound:
    """A session's way out, to a link that tells the bench unless there is a `write`."""
    store, _ = MemoryStorage().open()
    link = Written(write or (lambda data: bench.happened.append(f"wrote {data.decode()}")))
    return Outbound(link, bench.commit, store, bench.clock, 1, Unchecked())


def test_connections_are_written_to_after_the_commit_of_their_turn(bench: Bench) -> None:
    out = way_out(bench)
    bench.commit.on_messages = lambda drafts, _: out.write(b"answer")
    bench.then("then")
    bench.send(1)
    bench.clock.settle()
    assert bench.happened == ["then OK", "wrote answer"]


def test_a_connection_that_does_not_wait_for_the_disk_is_written_to_meanwhile(bench: Bench) -> None:
    bench.disk.at_once = False
    bench.send(1)
    bench.clock.settle()
    way_out(bench).write(b"answer")
    bench.clock.settle()
    assert bench.happened == ["wrote answer"]
