"""A batch in portions, and with its runs unfolded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, Change, Draft, DraftRun


def batch_of(sizes: list[int], changes: list[int]) -> Batch:
    batch = Batch(3)
    batch.messages = [Draft(1, 1, 1, b"", 1, 0, bytes(size), None) for size in sizes]
    batch.changes = [(at, Change(None, lambda *_: None)) for at in changes]  # type: ignore[arg-type]
    batch.cursors, batch.seen, batch.now_ms = {(1, 2): 3}, {4}, 5
    return batch


@given(st.lists(st.integers(1, 12), max_size=20), st.data())
def test_portions_hold_everything_once_in_order_and_are_short(sizes: list[int], data: st.DataObject) -> None:
    changes = sorted(data.draw(st.lists(st.integers(0, len(sizes)), max_size=4)))
    batch = batch_of(sizes, changes)
    portions = list(batch.portions(10))
    steps = [step for part in (batch, *portions) for step in flat(part)]
    half = len(steps) // 2
    assert steps[:half] == steps[half:]
    for portion in portions:
        assert len(portion.messages) == 1 or sum(len(draft.body) for draft in portion.messages) <= 10
        assert (portion.lane, portion.now_ms) == (3, 5)
    assert [(portion.cursors, portion.seen) for portion in portions] == [(batch.cursors, batch.seen)] + [({}, set())] * (
        len(portions) - 1
    )


def flat(batch: Batch) -> list[object]:
    """Messages and changes, in order."""
    return [each for messages, change in batch.steps() for each in (*messages, *([change] if change else []))]


@pytest.mark.parametrize(("sizes", "portions"), [([], 1), ([4, 4], 1), ([4, 7], 2), ([30, 1, 9, 1], 3)])
def test_no_more_portions_than_are_needed(sizes: list[int], portions: int) -> None:
    assert len(list(batch_of(sizes, []).portions(10))) == portions


def run_of(device: int, seqids: list[int]) -> DraftRun:
    return DraftRun(Draft(1, 1, 1, b"", device, seqids[0], b"", None), seqids, [b"%d" % seqid for seqid in seqids])


def test_a_run_that_is_turned_down_comes_before_all_other_messages_and_is_numbered_after_the_other_runs() -> None:
    batch = batch_of([1, 1], [1])
    batch.runs = [run_of(1, [11, 12]), run_of(2, [21, 22]), run_of(3, [31, 32])]
    assert len(batch) == 8
    batch.number(MsgidSource(0, 0))
    batch.store_runs(lambda run: run.device != 2)
    assert [run.device for run in batch.runs] == [1, 3]
    assert [draft.seqid for draft in batch.messages] == [21, 22, 0, 0]
    assert [draft.body for draft in batch.messages[:2]] == [b"21", b"22"]
    assert [at for at, _ in batch.changes] == [3]
    assert len(batch) == 8
    msgids = [msgid for run in batch.runs for msgid in run.msgids] + [draft.msgid for draft in batch.messages]
    assert msgids == sorted(set(msgids))


def test_without_a_run_that_is_turned_down_nothing_is_numbered_anew() -> None:
    batch = batch_of([1], [])
    batch.runs = [run_of(1, [11, 12])]
    batch.number(MsgidSource(0, 0))
    numbers = list(batch.runs[0].msgids), batch.messages[0].msgid
    batch.store_runs(lambda _: True)
    assert (list(batch.runs[0].msgids), batch.messages[0].msgid) == numbers
    assert batch.devices == {1}
