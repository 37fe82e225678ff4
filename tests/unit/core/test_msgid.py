"""Ids that grow and never repeat (protocol §1)."""

from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.msgid import EPOCH_MS, GIVEN_BY_STORE, MsgidSource, first_msgid, timestamp_field, timestamp_ms
from rockdove.wire.codec import varint

times = st.integers(EPOCH_MS, EPOCH_MS + 69 * 365 * 86_400_000)


@given(st.lists(st.tuples(st.integers(1, 5_000), times), min_size=1), st.integers(0, 2**60), st.integers(0, 1023))
def test_ids_grow_whatever_the_clock_does(runs: list[tuple[int, int]], last: int, node: int) -> None:
    source = MsgidSource(node, last)
    previous = last
    for count, now_ms in runs:
        run = source.run(count, now_ms)
        assert len(run) == count
        assert run[0] > previous
        assert list(run[:3]) == sorted(set(run[:3]))
        assert all(msgid % 1024 == node for msgid in (run[0], run[-1]))
        previous = run[-1]
        assert previous < 2**64


@given(times)
def test_an_id_carries_the_time_at_which_it_was_given(now_ms: int) -> None:
    (msgid,) = MsgidSource(0, 0).run(1, now_ms)
    assert timestamp_ms(msgid) == now_ms
    assert timestamp_field(msgid) == varint(now_ms)


def test_many_ids_in_one_millisecond_run_ahead_of_the_clock_by_little() -> None:
    now_ms = EPOCH_MS + 10**9
    for node, ahead_ms in ((0, 3), (5, 5)):
        run = MsgidSource(node, 0).run(10_000, now_ms)
        assert now_ms <= timestamp_ms(run[-1]) <= now_ms + ahead_ms


@given(times.filter(lambda at_ms: at_ms > EPOCH_MS))
def test_the_first_id_of_a_time_parts_older_from_newer(at_ms: int) -> None:
    source = MsgidSource(1023, 0)
    (older,) = source.run(1, at_ms - 1)
    (newer,) = source.run(1, at_ms)
    assert older < first_msgid(at_ms) <= newer


def test_before_the_first_day_there_is_no_id() -> None:
    assert first_msgid(0) == 0


def test_two_nodes_never_give_the_same_id() -> None:
    one, other = MsgidSource(0, 0), MsgidSource(1, 0)
    now_ms = EPOCH_MS + 1
    assert not set(one.run(1_000, now_ms)) & set(other.run(1_000, now_ms))


@given(st.lists(st.tuples(st.integers(1, 6_000), st.integers(0, 3)), min_size=1, max_size=5), st.integers(1, 1023))
def test_nodes_of_a_shared_store_leave_out_the_ids_that_the_store_gives(runs: list[tuple[int, int]], node: int) -> None:
    source, now_ms, previous = MsgidSource(node, 0), EPOCH_MS + 10**9, 0
    for count, later_ms in runs:
        now_ms += later_ms
        run = list(source.run(count, now_ms))
        assert len(run) == count
        assert run == sorted(set(run))
        assert run[0] > previous
        assert not any(msgid & GIVEN_BY_STORE for msgid in run)
        previous = run[-1]
