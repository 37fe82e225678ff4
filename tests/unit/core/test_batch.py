"""A batch in portions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.records import Batch, Change, Draft


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
