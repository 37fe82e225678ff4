"""Bytes in any pieces are the same frames, or the same error."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.wire import im_pb2 as pb
from rockdove.wire.codec import varint
from rockdove.wire.errors import ProtocolError
from rockdove.wire.framing import FrameDecoder

LIMIT = 300

frames = st.lists(st.binary(min_size=1, max_size=LIMIT).map(lambda data: varint(len(data)) + data)).map(b"".join)
broken_prefixes = st.sampled_from([b"\0", b"\x80\x00", varint(LIMIT + 1), b"\xff" * 5, b"\x80" * 5 + b"\x01", varint(1 << 34)])
streams = st.one_of(
    frames,
    st.binary(max_size=400),
    st.tuples(frames, broken_prefixes, st.binary(max_size=20)).map(b"".join),
    st.tuples(frames, st.binary(max_size=20)).map(b"".join),
)


def decoded(pieces: list[bytes]) -> tuple[list[bytes], tuple[int, str] | None, bool]:
    """The frames, the error at their end, and whether one is unfinished."""
    decoder = FrameDecoder(LIMIT)
    found: list[bytes] = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            found += decoder.frames()
    except ProtocolError as error:
        return found, (error.code, error.reason), False
    return found, None, decoder.unfinished


@given(streams, st.lists(st.integers(0, 2_000)))
def test_pieces_make_no_difference(stream: bytes, cuts: list[int]) -> None:
    at_once = decoded([stream])
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert decoded([stream[start:stop] for start, stop in pairwise(places)] or [b""]) == at_once
    assert decoded([stream[at : at + 1] for at in range(len(stream))]) == at_once


@given(st.lists(st.binary(min_size=1, max_size=LIMIT)))
def test_whole_frames_come_out_as_they_went_in(contents: list[bytes]) -> None:
    assert decoded([varint(len(data)) + data for data in contents]) == (contents, None, False)


@given(st.lists(st.binary(min_size=1, max_size=LIMIT), min_size=1), st.data())
def test_reading_may_be_abandoned_after_any_frame(contents: list[bytes], data: st.DataObject) -> None:
    """As a session does that waits for the answer to one request before it reads the next."""
    stream = b"".join(varint(len(content)) + content for content in contents)
    cut = data.draw(st.integers(0, len(stream)))
    decoder = FrameDecoder(LIMIT)
    decoder.feed(stream[:cut])
    found = []
    rest = stream[cut:]
    while True:
        frame = next(iter(decoder.frames()), None)
        if frame is not None:
            found.append(frame)
            if rest and data.draw(st.booleans()):
                decoder.feed(rest)
                rest = b""
        elif rest:
            decoder.feed(rest)
            rest = b""
        else:
            break
    assert found == contents
    assert not decoder.waiting
    assert not decoder.unfinished


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        (b"\0", pb.PROTOCOL_ERROR),
        (b"\x80\x80\x80\x80\x00", pb.PROTOCOL_ERROR),
        (b"\x80\x80\x80\x80\x80", pb.PROTOCOL_ERROR),
        (varint(LIMIT + 1), pb.FRAME_TOO_LARGE),
        (b"\xff\xff\xff\xff\x7f", pb.FRAME_TOO_LARGE),
    ],
)
def test_a_wrong_length_is_noticed_before_anything_that_long_is_buffered(prefix: bytes, code: int) -> None:
    decoder = FrameDecoder(LIMIT)
    decoder.feed(prefix)
    with pytest.raises(ProtocolError) as caught:
        list(decoder.frames())
    assert caught.value.code == code
    assert caught.value.reason


@given(st.integers(1, LIMIT))
def test_a_length_of_up_to_five_bytes_need_not_be_the_shortest(length: int) -> None:
    data = b"x" * length
    padded = bytes((length & 127 | 128, length >> 7 & 127 | 128, 128, 128, 0))
    assert decoded([padded + data]) == ([data], None, False)


def test_a_new_limit_holds_for_the_next_frame() -> None:
    decoder = FrameDecoder(4)
    long = b"\x05hello"
    decoder.feed(b"\x04four" + long)
    reading = decoder.frames()
    assert next(reading) == b"four"
    decoder.limit = 5
    assert list(decoder.frames()) == [b"hello"]


def test_nothing_is_unfinished_before_a_frame_begins_and_after_it_ends() -> None:
    decoder = FrameDecoder()
    states = []
    for byte in b"\x82\x00ab\x01c":
        decoder.feed(bytes((byte,)))
        list(decoder.frames())
        states.append(decoder.unfinished)
    assert states == [True, True, True, False, True, False]


class CountingBuffer(bytearray):
    """Counts the bytes that are moved."""

    def __init__(self, data: bytes, counted: list[int]) -> None:
        super().__init__(data)
        self._counted = counted
        counted.append(len(data))

    def __iadd__(self, data: bytes) -> "CountingBuffer":  # type: ignore[override,misc]
        self._counted.append(len(data))
        super().__iadd__(data)
        return self

    def __bytes__(self) -> bytes:
        self._counted.append(len(self))
        return bytes(memoryview(self))


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_tiny_pieces_move_each_byte_a_few_times_only(piece: int) -> None:
    decoder = FrameDecoder()
    moved = list[int]()
    stream = (varint(100_000) + b"x" * 100_000) * 3 + b"\x01y" * 1000
    count = 0
    for at in range(0, len(stream), piece):
        decoder.feed(stream[at : at + piece])
        count += len(list(decoder.frames()))
        if decoder.unfinished and not isinstance(decoder._partial, CountingBuffer):
            decoder._partial = CountingBuffer(decoder._partial, moved)
    assert count == 1003
    assert len(stream) < sum(moved) <= 3 * len(stream)
