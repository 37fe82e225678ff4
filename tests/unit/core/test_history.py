"""Reading a log within spans, against a filter over the whole log."""

from asyncio import run
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.records import OPEN, Spans, Stored, next_span, within
from rockdove.core.services.history import downwards, shown, upwards
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

CONVERSATION, READER = 7, 1


class Log:
    """A log with a few messages cut out."""

    def __init__(self, seqs: Sequence[int], hidden: frozenset[int] = frozenset()) -> None:
        records = {seq: pb.Message(seq=seq, payload=b"\x0a\x01x").SerializeToString() for seq in seqs}
        self.stored = [Stored(seq, seq * 100, 2, 3, records[seq]) for seq in sorted(seqs)]
        self._hidden = hidden

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        assert (conversation, limit > 0) == (CONVERSATION, True)
        return [message for message in self.stored if after < message.seq < (before or OPEN)][:limit]

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        assert (conversation, limit > 0) == (CONVERSATION, True)
        return [message for message in self.stored if message.seq < (before or OPEN)][-limit:]

    async def hidden(self, user: int, conversation: int, after: int, through: int) -> frozenset[int]:
        assert (user, conversation) == (READER, CONVERSATION)
        return frozenset(seq for seq in self._hidden if after < seq <= through)


@st.composite
def any_spans(draw: st.DrawFn) -> Spans:
    """Upwards and not touching; the last one may go on."""
    edges = sorted(draw(st.sets(st.integers(0, 30), max_size=6)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    if len(edges) % 2:
        spans.append((edges[-1], OPEN))
    return tuple(spans)


logs = st.sets(st.integers(1, 30)).map(sorted)
places = st.integers(0, 35)
limits = st.integers(1, 10)


def seqs_of(messages: Sequence[Any]) -> list[int]:
    return [message.seq for message in messages]


@given(logs, any_spans(), places, places, limits)
def test_upwards_come_the_first_visible_ones_of_the_range(
    seqs: list[int], spans: Spans, after: int, before: int, limit: int
) -> None:
    found = run(upwards(Log(seqs), CONVERSATION, spans, after, before, limit))  # type: ignore[arg-type]
    expected = [seq for seq in seqs if after < seq < (before or OPEN) and within(spans, seq)]
    assert seqs_of(found) == expected[:limit]


@given(logs, any_spans(), places.filter(bool), limits)
def test_downwards_come_the_last_visible_ones_below_a_place(seqs: list[int], spans: Spans, before: int, limit: int) -> None:
    found = run(downwards(Log(seqs), CONVERSATION, spans, before, limit))  # type: ignore[arg-type]
    expected = [seq for seq in reversed(seqs) if seq < before and within(spans, seq)]
    assert seqs_of(found) == expected[:limit]


@given(logs, st.sets(st.integers(1, 30)), st.booleans())
def test_what_is_hidden_is_shown_as_a_tombstone_and_the_rest_as_it_is(seqs: list[int], hidden: set[int], down: bool) -> None:
    log = Log(seqs, frozenset(hidden))
    page = log.stored[::-1] if down else log.stored
    records = run(shown(log, READER, CONVERSATION, page))  # type: ignore[arg-type]
    assert records == [codec.tombstone(message.record) if message.seq in hidden else message.record for message in page]


@given(any_spans(), places)
def test_the_next_span_is_what_is_visible_of_the_first_beyond_a_place(spans: Spans, position: int) -> None:
    rest = [seq for seq in range(position + 1, 60) if within(spans, seq)]
    span = next_span(spans, position)
    if span is None:
        assert not rest
    else:
        after, through = span
        assert after >= position
        assert after + 1 == rest[0]
        run_of_first = [seq for seq in rest if seq <= through]
        assert run_of_first == list(range(rest[0], min(through, 59) + 1))
