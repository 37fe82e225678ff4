"""What transactions of a lane have in common."""

from typing import NamedTuple


class Ticket(NamedTuple):
    """By what the database knows a batch."""

    node: int
    lane: int
    token: int  # who has lost it may not write
    batch: int  # its number within the lane


class BehindError(Exception):
    """Nothing was stored: in a conversation there is a newer message than the batch would store."""

    def __init__(self, msgid: int) -> None:
        super().__init__(msgid)
        self.msgid = msgid


class FencedError(Exception):
    """Nothing was stored: this node was declared dead."""
