"""What a user notes about messages for himself: the rules, asked over a view that is given."""

from asyncio import run
from typing import Any

import pytest

from rockdove.core.errors import Refusal
from rockdove.core.records import EVERYTHING, OPEN, HideMessages, MoveRead, Spans
from rockdove.core.rules.reading import DeleteForMe, MarkRead, last_visible
from rockdove.wire import im_pb2 as pb

USER, CONVERSATION = 1, 7


class Log:
    """As much of a view as these rules ask."""

    def __init__(self, last_seq: int, spans: Spans, read_seq: int = 0) -> None:
        self._last_seq = last_seq
        self._spans = spans
        self._read_seq = read_seq

    async def last_seq(self, _: int) -> int:
        return self._last_seq

    async def visible(self, *_: int) -> Spans:
        return self._spans

    async def read_seq(self, *_: int) -> int:
        return self._read_seq


@pytest.mark.parametrize(
    ("spans", "last"),
    [
        (EVERYTHING, 9),
        ((), 0),  # never was in it
        (((0, 5),), 5),  # has left
        (((0, 3), (6, OPEN)), 9),  # came back
        (((0, 3), (6, 8)), 8),  # and left again
        (((12, OPEN),), 12),  # has cleared what the log no longer ends with
    ],
)
def test_the_last_message_that_a_user_sees(spans: Spans, last: int) -> None:
    assert run(last_visible(Log(9, spans), USER, CONVERSATION)) == last  # type: ignore[arg-type]


def decided(rule: Any, log: Log) -> Any:
    """The effects, or the code of the refusal."""
    try:
        return run(rule.decide(log, 0, []))
    except Refusal as refusal:
        return refusal.code


@pytest.mark.parametrize(
    ("seq", "read_seq", "effects"),
    [
        (9, 0, [MoveRead(USER, CONVERSATION, 9)]),
        (9, 8, [MoveRead(USER, CONVERSATION, 9)]),
        (8, 8, []),
        (0, 0, []),
        (10, 0, pb.INVALID_ARGUMENT),
        (10, 10, pb.INVALID_ARGUMENT),
    ],
)
def test_a_read_mark_moves_forward_up_to_the_last_message(seq: int, read_seq: int, effects: Any) -> None:
    rule = MarkRead(USER, CONVERSATION, seq)
    assert decided(rule, Log(9, EVERYTHING, read_seq)) == effects
    assert rule.moved == bool(isinstance(effects, list) and effects), "and is told only then"


@pytest.mark.parametrize(
    ("seqs", "through", "is_done"),
    [((9,), 0, True), ((1, 5), 3, True), ((), 9, True), ((10,), 0, False), ((1,), 10, False), ((1, 10), 9, False)],
)
def test_up_to_the_last_message_all_can_be_deleted(seqs: tuple[int, ...], through: int, is_done: bool) -> None:
    expected = [HideMessages(USER, CONVERSATION, seqs, through)] if is_done else pb.INVALID_ARGUMENT
    assert decided(DeleteForMe(USER, CONVERSATION, seqs, through), Log(9, EVERYTHING)) == expected
