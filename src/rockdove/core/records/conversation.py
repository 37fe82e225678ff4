"""Ids of conversations, and what of them a user may see."""

from typing import Final

USER_BITS: Final = 32
USER_MASK: Final = (1 << USER_BITS) - 1
GROUPS_END: Final = 1 << USER_BITS  # ids of groups, which are conversations, lie below

Spans = tuple[tuple[int, int], ...]  # seqs that a user may see: (after, through) pairs, upwards, not touching
OPEN: Final = (1 << 63) - 1  # `through` of a span that goes on
EVERYTHING: Final[Spans] = ((0, OPEN),)


def single_conversation(one: int, other: int) -> int:
    """The id of the conversation of two users (the same user twice: notes to self).

    Both user ids are in it, the smaller one above: no table is needed to find the conversation or its members.
    """
    return one << USER_BITS | other if one < other else other << USER_BITS | one


def single_members(conversation: int) -> tuple[int, int]:
    """The two users of a single conversation, smaller id first."""
    return conversation >> USER_BITS, conversation & USER_MASK


def peer_of(conversation: int, user: int) -> int:
    """The other user of a single conversation; the user itself in notes to self."""
    low, high = conversation >> USER_BITS, conversation & USER_MASK
    return high if user == low else low


def next_span(spans: Spans, position: int) -> tuple[int, int] | None:
    """The part of the first span that lies beyond `position`, as (after, through); None if there is none."""
    for after, through in spans:
        if through > position:
            return max(after, position), through
    return None


def within(spans: Spans, seq: int) -> bool:
    """Whether `seq` lies in one of the spans."""
    return any(after < seq <= through for after, through in spans)
