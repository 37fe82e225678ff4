"""What transactions of a lane have in common."""

from typing import NamedTuple


class Ticket(NamedTuple):
    """By what the database knows a batch."""

    node: int
    lane: int
    token: int  # who has lost it may not write
    batch: int  # its number within the lane


class OvertakenError(Exception):
    """Nothing was stored: what the batch was judged by was not true any more, again and again."""


class FencedError(Exception):
    """Nothing was stored: this node was declared dead."""
