"""The user's own latest messages of a conversation, whose marks still change."""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

VISIBLE: Final = 6  # lines whose marks are kept up to date


class Mark(Enum):
    """How far a message has come; the value is the key of its text."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"


@dataclass(slots=True)
class OwnLine:
    """One message. `seq` is 0 until the server has it; `timestamp_ms` is this computer's until then."""

    text: str
    timestamp_ms: int
    seq: int = 0


class OwnLines:
    """Those of one conversation, in order, and the receipts that say how far they have come."""

    def __init__(self) -> None:
        self._lines: deque[OwnLine] = deque()
        self.delivered_seq = 0
        self.read_seq = 0

    @property
    def pending(self) -> int:
        """How many the server does not have yet."""
        return sum(not line.seq for line in self._lines)

    def add(self, line: OwnLine) -> None:
        """The user has written this."""
        self._lines.append(line)

    def remove(self, line: OwnLine) -> None:
        """It was refused."""
        self._lines.remove(line)

    def first_pending(self) -> OwnLine | None:
        """The one whose answer comes next."""
        return next((line for line in self._lines if not line.seq), None)

    def mark(self, seq: int) -> Mark:
        """Of the message with this seq; 0 for one without."""
        if not seq:
            return Mark.PENDING
        if seq <= self.read_seq:
            return Mark.READ
        return Mark.DELIVERED if seq <= self.delivered_seq else Mark.SENT

    def visible(self) -> list[OwnLine]:
        """The lines to show below everything else."""
        return list(self._lines)[-VISIBLE:]

    def settle(self, *, everything: bool = False) -> list[OwnLine]:
        """Take out the lines, oldest first, that can get their lasting place: they are read, or crowded out.

        With `everything`: all that the server has, because something comes after them. Never one that is pending, nor
        one behind it.
        """
        settled = []
        while self._lines and self._lines[0].seq:
            if not everything and len(self._lines) <= VISIBLE and self.mark(self._lines[0].seq) is not Mark.READ:
                break
            settled.append(self._lines.popleft())
        return settled
