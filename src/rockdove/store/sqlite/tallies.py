"""Counting what others have sent, in logs of any length.

The blocks of `place` say who has sent each message, and counting a million in them takes 60 ms. So of every SPAN of seqs
there is a tally, made when its last message is settled. What lies between is counted in the blocks.
"""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rockdove.store.sqlite.tail import Run

SPAN: Final = 4_096  # seqs of one tally: n * SPAN + 1 to (n + 1) * SPAN

Place = tuple[int, int, int, bytes]  # conversation, first seq, last seq, block


class Tallies:
    """How many messages of each sender may be unread, of the settled part of all logs."""

    def __init__(self, connection: sqlite3.Connection, blocks: Callable[[int, int, int], Iterator[Run]], span: int) -> None:
        """`blocks` gives those of a conversation that together hold the seqs above the second and below the third."""
        self._connection = connection
        self._blocks = blocks
        self._span = span

    def extend(self, places: Iterable[Place]) -> None:
        """These blocks were written: make the tallies of the spans that end in them."""
        span = self._span
        for conversation, first, last, _ in places:
            for end in range((first + span - 1) // span * span, last + 1, span):
                self._make(conversation, end - span)

    def _make(self, conversation: int, after: int) -> None:
        senders = array("I")
        for block in self._blocks(conversation, after, after + self._span + 1):
            senders += block.senders_between(after, after + self._span + 1)
        if len(senders) == self._span:  # else some of it was cut
            self._put(conversation, after + 1, Counter(senders))

    def _put(self, conversation: int, first: int, counts: Counter[int]) -> None:
        del counts[0]
        self._connection.execute(
            "INSERT OR REPLACE INTO tally VALUES (?, ?, ?)",
            (conversation, first, array("I", counts.keys()).tobytes() + array("I", counts.values()).tobytes()),
        )

    def uncount(self, conversation: int, seq: int, sender: int) -> None:
        """A settled message of this sender is never unread from now on."""
        first = (seq - 1) // self._span * self._span + 1
        row = self._connection.execute(
            "SELECT entries FROM tally WHERE conversation = ? AND first_seq = ?", (conversation, first)
        ).fetchone()
        if row is not None:
            counts = Counter(_read(*row))
            counts[sender] -= 1
            self._put(conversation, first, +counts)

    def cut(self, conversation: int, through: int) -> None:
        """Messages up to this one are gone."""
        self._connection.execute("DELETE FROM tally WHERE conversation = ? AND first_seq <= ?", (conversation, through))

    def foreign(self, user: int, conversation: int, after: int, through: int) -> int:
        """How many settled messages with `after` < seq <= `through` others than `user` have sent, and may be unread.

        None of them was cut.
        """
        found, at = 0, after
        rows = self._connection.execute(
            "SELECT first_seq, entries FROM tally WHERE conversation = ? AND first_seq > ? AND first_seq <= ?"
            " ORDER BY first_seq",
            (conversation, after, through - self._span + 1),
        )
        for first, entries in rows:
            counts = _read(entries)
            found += sum(counts.values()) - counts.get(user, 0) + self._in_blocks(user, conversation, at, first - 1)
            at = first + self._span - 1
        return found + self._in_blocks(user, conversation, at, through)

    def _in_blocks(self, user: int, conversation: int, after: int, through: int) -> int:
        if after >= through:
            return 0
        return sum(block.foreign(user, after, through) for block in self._blocks(conversation, after, through + 1))


def _read(entries: bytes) -> dict[int, int]:
    """How many of each sender."""
    numbers = array("I", entries)
    half = len(numbers) // 2
    return dict(zip(numbers[:half], numbers[half:], strict=True))
