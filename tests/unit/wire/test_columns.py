"""Many messages at a time give the bytes that each gives alone."""

from hypothesis import given
from hypothesis import strategies as st

from rockdove.wire import codec, columns
from tests.unit.wire.frames import u64, user_names

firsts = st.one_of(st.integers(1, 1 << 40), st.sampled_from([120, 127, 16_380, 16_383, (1 << 21) - 2]))
clocks = st.sampled_from([codec.varint(1_750_000_000_000), codec.varint(1_750_000_000_001), codec.varint((1 << 42) + 5)])
messages = st.lists(st.tuples(st.binary(max_size=300), u64.filter(bool), u64, clocks), min_size=1, max_size=9).map(
    lambda made: [(*each[:3], clock) for each, clock in zip(made, sorted((each[3] for each in made), key=len), strict=True)]
)  # time goes on


@given(messages, user_names, firsts)
def test_records_together_are_those_of_each(made: list[tuple[bytes, int, int, bytes]], user: str, first: int) -> None:
    bodies, _, msgids, timestamps = zip(*made, strict=True)
    sender = codec.sender_field(user)
    each = [codec.record(body, sender, msgid, first + n, clock) for n, (body, _, msgid, clock) in enumerate(made)]
    assert columns.records(bodies, sender, msgids, first, timestamps) == each


@given(messages, firsts)
def test_answers_together_are_those_of_each(made: list[tuple[bytes, int, int, bytes]], first: int) -> None:
    _, seqids, msgids, timestamps = zip(*made, strict=True)
    each = [codec.sent(seqid, msgid, first + n, clock) for n, (_, seqid, msgid, clock) in enumerate(made)]
    assert columns.sent(seqids, msgids, first, timestamps) == b"".join(each)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), u64.filter(bool)), max_size=8))
def test_pushes_together_are_those_of_each(pushed: list[tuple[bytes, int]]) -> None:
    records, msgids = [record for record, _ in pushed], [msgid for _, msgid in pushed]
    assert columns.pushes(records, msgids) == b"".join(codec.push(record, msgid) for record, msgid in pushed)
