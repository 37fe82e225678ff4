"""Ids that grow with time and never repeat (protocol §1)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rockdove.wire.codec import varint

NODE_BITS: Final = 10
TIME_SHIFT: Final = 22  # below the time: 12 bits of counter, then the node
STEP: Final = 1 << NODE_BITS
LOW_BITS: Final = (1 << TIME_SHIFT) - 1
GIVEN_BY_STORE: Final = 1 << TIME_SHIFT - 1  # the bit of ids that a store of several nodes gives itself: nodes leave it out
EPOCH_MS: Final = 1_704_067_200_000  # 2024-01-01 UTC; the ids last until 2093


def timestamp_ms(msgid: int) -> int:
    """When a message was stored, in ms since the Unix epoch: the id carries it, so that a retry hears the same."""
    return (msgid >> TIME_SHIFT) + EPOCH_MS


def clock_text(at_ms: int) -> str:
    """A time (ms since the Unix epoch) for people, in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def first_msgid(at_ms: int) -> int:
    """The lowest id of that time: whatever is older is below it."""
    return max(0, at_ms - EPOCH_MS) << TIME_SHIFT


_newest: tuple[int, bytes] = (0, varint(EPOCH_MS))  # a ms, and its field: one turn's messages share it


def timestamp_field(msgid: int) -> bytes:
    """`timestamp_ms` as a varint."""
    global _newest  # noqa: PLW0603  # a cache
    clock, field = _newest
    if clock != msgid >> TIME_SHIFT:
        clock = msgid >> TIME_SHIFT
        field = varint(clock + EPOCH_MS)
        _newest = clock, field
    return field


class MsgidSource:
    """Gives ids in runs. A clock that steps back, and more ids than a ms has room for, only make them run ahead of it."""

    __slots__ = ("_last", "_node")

    def __init__(self, node: int, last: int) -> None:
        """`node` (0 to 1023) makes ids of several nodes distinct; `last` is the highest id ever stored."""
        self._node = node
        self._last = last

    def advance(self, msgid: int) -> None:
        """Give only higher ids from now on: another node has given this one."""
        self._last = max(self._last, msgid)

    def run(self, count: int, now_ms: int) -> Sequence[int]:
        """`count` ids, upwards."""
        first = max(first_msgid(now_ms), (self._last >> NODE_BITS) + 1 << NODE_BITS)
        ids: Sequence[int] = range(first | self._node, (first | self._node) + count * STEP, STEP)
        if self._node and (first & LOW_BITS) + count * STEP > GIVEN_BY_STORE:
            ids = self._leaving_out_those_of_the_store(first, count)
        if ids:
            self._last = ids[-1]
        return ids

    def _leaving_out_those_of_the_store(self, first: int, count: int) -> Sequence[int]:
        ids: list[int] = []
        while len(ids) < count:
            room = (GIVEN_BY_STORE - (first & LOW_BITS)) // STEP
            part = min(max(room, 0), count - len(ids))
            ids += range(first | self._node, (first | self._node) + part * STEP, STEP)
            first = (first >> TIME_SHIFT) + 1 << TIME_SHIFT  # the next ms
        return ids
