"""What was promised, checked as it comes: each message once, in order, unchanged, on each device it is for (protocol §5)."""

from collections import Counter
from typing import Final

LOST: Final = "lost"  # acknowledged to its sender, and missing on a device
GAP: Final = "gap"  # a seq that was neither pushed nor the device's own
DOUBLED: Final = "doubled"  # pushed or answered twice
DISORDERED: Final = "disordered"  # pushed behind a later one
ALTERED: Final = "altered"  # not what its sender wrote
STRAY: Final = "stray"  # pushed to somebody whom it does not concern
REFUSED: Final = "refused"  # answered with an error
UNANSWERED: Final = "unanswered"
CUT: Final = "cut"  # connections that the server ended
FAULTS: Final = (LOST, GAP, DOUBLED, DISORDERED, ALTERED, STRAY, REFUSED, UNANSWERED, CUT)

Faults = Counter[str]


class Sequence:
    """Which of the numbers `first`, `first` + 1, … have come. Without a `first` the one given to `begin` is."""

    __slots__ = ("_ahead", "first", "next")

    def __init__(self, first: int | None = None) -> None:
        self._ahead: set[int] = set()
        self.first = self.next = first

    def begin(self, first: int) -> None:
        """The numbers start here. Those that came before are forgotten when they are smaller."""
        self.first = self.next = first
        self._ahead = {number for number in self._ahead if number >= first}
        self._catch_up()

    def note(self, number: int) -> bool:
        """Whether `number` comes for the first time."""
        if number == self.next:
            self.next = number + 1
            if self._ahead:
                self._catch_up()
            return True
        if number in self:
            return False
        self._ahead.add(number)
        return True

    def __contains__(self, number: int) -> bool:
        if self.first is None or self.next is None:
            return number in self._ahead
        return self.first <= number < self.next or number in self._ahead

    def is_late(self, number: int) -> bool:
        """Whether a higher one came already."""
        return bool(self._ahead) and number < max(self._ahead)

    def _catch_up(self) -> None:
        while self.next in self._ahead:
            self._ahead.remove(self.next)
            self.next += 1

    @property
    def holes(self) -> int:
        """How many numbers are missing below the highest that came."""
        ahead = [number for number in self._ahead if self.next is not None and number > self.next]
        return max(ahead) + 1 - (self.next or 0) - len(ahead) if ahead else 0


class Inbox:
    """One conversation on one device: what was pushed, and what the device itself sent."""

    __slots__ = ("_again", "_flows", "_last", "_seqs", "faults", "repeated")

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.repeated = 0  # pushed again after the connection was cut, as it may be
        self._seqs = Sequence()
        self._flows: dict[int, Sequence] = {}
        self._last = 0  # highest seq pushed on this connection
        self._again = 0  # up to this seq, what was pushed on an earlier connection may come again

    def reconnected(self) -> None:
        """Another connection begins: whatever the server had no ack of comes again."""
        self._again = max(self._again, self._last)
        self._last = 0

    def own(self, seq: int) -> None:
        """This device sent it, and was told its seq."""
        if not self._seqs.note(seq):
            self.faults[DOUBLED] += 1

    def pushed(self, seq: int) -> bool:
        """Whether a push is new. Counts what must not be as a fault."""
        if seq <= self._last:
            new = self._seqs.note(seq)
            self.faults[DISORDERED if new else DOUBLED] += 1
            return new
        self._last = seq
        if self._seqs.first is None:
            self._seqs.begin(seq)
        if self._seqs.note(seq):
            return True
        if seq <= self._again:
            self.repeated += 1
        else:
            self.faults[DOUBLED] += 1
        return False

    def numbered(self, flow: int, number: int) -> None:
        """A new push holds the message with this number, from 0, of what one sender writes."""
        numbers = self._flows.get(flow)
        if numbers is None:
            numbers = self._flows[flow] = Sequence(0)
        late = numbers.is_late(number)
        if not numbers.note(number):
            self.faults[DOUBLED] += 1
        elif late:
            self.faults[DISORDERED] += 1

    def lacks(self, flow: int, count: int) -> int:
        """How many of the first `count` messages of a sender are not here."""
        numbers = self._flows.get(flow)
        if numbers is None:
            return count
        return sum(number not in numbers for number in range(numbers.next or 0, count))

    @property
    def holes(self) -> int:
        """How many seqs are missing between the first and the last."""
        return self._seqs.holes
