"""A conversation with what is known of it here."""

from collections.abc import Iterable, Sequence
from typing import Final

from rockdove.cli.chat.own import Mark
from rockdove.client import Message, Timeline

PAGE: Final = 50  # messages fetched at once
_KEPT: Final = 5000  # messages


class Room:
    """Its messages, those that are on their way, and how far the peer has come."""

    def __init__(self, pending: Iterable[Message] = ()) -> None:
        self.timeline = Timeline(capacity=_KEPT)
        self.pending = list(pending)  # without seq, in the order in which they were written
        self.loaded = False  # the newest messages of the log are here
        self.lowest_seq = 0  # what is above it is here without a gap
        self.delivered_seq = 0
        self.read_seq = 0

    @property
    def has_older(self) -> bool:
        """Whether there may be earlier messages to fetch, and room for them."""
        return self.lowest_seq > 1 and len(self.timeline) < _KEPT - PAGE

    def take(self, page: Sequence[Message]) -> None:
        """The newest messages of the log, or those just below `lowest_seq`."""
        for message in page:
            self.timeline.add(message)
        self.lowest_seq = page[0].seq if page else 1
        self.loaded = True

    def messages(self) -> list[Message]:
        """What there is to show, in order."""
        stored = [each for each in self.timeline if each.seq >= self.lowest_seq] if self.loaded else []
        return [*stored, *self.pending]

    def newest_of_others(self, me: str) -> Message | None:
        """The last message that somebody else has written."""
        return next((each for each in reversed(self.messages()) if each.seq and each.sender != me), None)

    def mark(self, seq: int) -> Mark:
        """How far the user's message with this seq has come; 0 for one without."""
        if not seq:
            return Mark.PENDING
        if seq <= self.read_seq:
            return Mark.READ
        return Mark.DELIVERED if seq <= self.delivered_seq else Mark.SENT
