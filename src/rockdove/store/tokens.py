"""The tokens of a search index: the same for every store.

They are the beginnings of words, and the pairs of characters of what is found anywhere, each behind the id of the conversation:
so a search reads nothing but entries of the user's own conversations, and costs the same however much others write.
"""

from typing import Final, NamedTuple

from rockdove.core.text import Terms, normalised, pieces

_WORD: Final = 32  # characters of a word that are indexed
_TERMS: Final = 3  # tokens of a query that the index is asked for, the longest ones


class Wanted(NamedTuple):
    """What an index is asked for."""

    token: str
    is_beginning: bool  # of a longer one, perhaps


def tokens_of(conversation: int, text: str) -> list[str]:
    """Those of a message."""
    words, runs = pieces(normalised(text))
    found = {word[:_WORD] for word in words}
    for run in runs:
        found.update(run[at : at + 2] for at in range(len(run)))  # the last is a single one, to be found by itself
    return [_scope(conversation) + token for token in found]


def wanted_of(conversation: int, terms: Terms) -> list[Wanted]:
    """What together occurs in each message of the conversation that the terms occur in."""
    wanted = {word[:_WORD]: True for word in terms.words}
    for run in terms.runs:
        wanted |= {run[at : at + 2]: False for at in range(len(run) - 1)} if len(run) > 1 else {run: True}
    longest = sorted(wanted, key=len, reverse=True)[:_TERMS]
    return [Wanted(_scope(conversation) + token, wanted[token]) for token in longest]


def _scope(conversation: int) -> str:
    return f"{conversation:x}_"
