"""How long things took: buckets that grow with the value, so that a histogram is small, quick to add to, and 1.6 % exact."""

import math
from collections.abc import Iterator
from typing import Final, Self

_STEP_BITS: Final = 6  # 64 buckets for each power of two
_VALUE_BITS: Final = 42  # 73 minutes in nanoseconds
_LARGEST: Final = (1 << _VALUE_BITS) - 1
_BUCKETS: Final = (_VALUE_BITS - _STEP_BITS + 1) << _STEP_BITS


class Histogram:
    """Counts durations in nanoseconds. Those of several processes can be merged without loss."""

    __slots__ = ("_counts", "largest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.total = 0
        self.largest = 0  # exact

    def add(self, value_ns: int) -> None:
        """Count one duration. Those below zero count as zero, those above 73 minutes as that."""
        if value_ns > self.largest:
            self.largest = value_ns = min(value_ns, _LARGEST)
        shift = value_ns.bit_length() - _STEP_BITS - 1
        if shift > 0:
            self._counts[(shift << _STEP_BITS) + (value_ns >> shift)] += 1
        else:
            self._counts[value_ns if value_ns > 0 else 0] += 1  # noqa: FURB136  # max() costs a call
        self.total += 1

    def merge(self, other: Self) -> None:
        """Count everything that `other` has counted, too."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def percentile(self, percent: float) -> int:
        """The duration, in ns, that so many percent did not exceed; 0 when nothing was counted. At most 1.6 % too high."""
        wanted = max(1, math.ceil(self.total * percent / 100))
        return next((value for value, so_far in self._cumulated() if so_far >= wanted), 0)

    def curve(self) -> list[tuple[float, int]]:
        """Each duration in ns that occurred, behind the share (0 to 1) of all that did not exceed it."""
        return [(so_far / self.total, value) for value, so_far in self._cumulated()]

    def _cumulated(self) -> Iterator[tuple[int, int]]:
        so_far = 0
        for bucket, count in enumerate(self._counts):
            if count:
                so_far += count
                yield min(_upper_end(bucket), self.largest), so_far


def _upper_end(bucket: int) -> int:
    """The largest value of a bucket."""
    shift = (bucket >> _STEP_BITS) - 1
    if shift <= 0:
        return bucket
    return (((bucket & 63) + 65) << shift) - 1
