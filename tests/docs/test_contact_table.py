"""The table of contacts in docs/protocol.md, held against the rules: each row, from every state that it speaks of."""

import re
from typing import Final

import pytest

from rockdove.core.errors import Refusal
from rockdove.core.records import Contact, ContactState
from rockdove.core.rules.contact import AddContact, AnswerContact, BlockContact, ContactRule, RemoveContact
from rockdove.wire import im_pb2 as pb
from tests.docs.pages import read, table

ROWS = table(read("docs/protocol.md"), "`Contact`")
Between = tuple[ContactState, ContactState]  # my side, the other's side

NOTHING: Final = (ContactState.NONE, ContactState.NONE)
I_ASKED: Final = (ContactState.REQUESTED, ContactState.INVITED)
I_WAS_ASKED: Final = (ContactState.INVITED, ContactState.REQUESTED)
FRIENDS: Final = (ContactState.FRIEND, ContactState.FRIEND)
ANYTHING: Final = [NOTHING, I_ASKED, I_WAS_ASKED, FRIENDS]

RULES: Final[dict[str, ContactRule]] = {
    "`add`": AddContact(1, 2, "bob", "hello", "Bob"),
    "`answer` with `accept`": AnswerContact(1, 2, "bob", "", accept=True),
    "`answer` without": AnswerContact(1, 2, "bob", "why", accept=False),
    "`remove`": RemoveContact(1, 2, "bob"),
    "`block`": BlockContact(1, 2, "bob", blocked=True),
    "`unblock`": BlockContact(1, 2, "bob", blocked=False),
}
WHEN: Final[dict[str, list[Between]]] = {
    "nothing yet, or asked before": [NOTHING, I_ASKED],
    "the other has asked me": [I_WAS_ASKED],
    "friends": [FRIENDS],
    "the other has blocked me": [NOTHING, I_ASKED],
    "I have blocked the other": ANYTHING,
    "I was asked, or we are friends": [I_WAS_ASKED, FRIENDS],
    "I was asked": [I_WAS_ASKED],
    "I was not asked": [NOTHING, I_ASKED],
    "anything: a friendship, a request either way": ANYTHING,
    "anything": ANYTHING,
    "blocked": ANYTHING,
}


def sides(between: Between, when: str) -> tuple[Contact, Contact]:
    mine, theirs = between
    i_block = when in {"blocked", "I have blocked the other"}
    return Contact(1, 2, mine, i_block), Contact(2, 1, theirs, when == "the other has blocked me")


def promised(cell: str, before: Contact) -> tuple[ContactState, bool, bool]:
    """State, whether blocked, whether there is a text for its user, as a cell of the table says."""
    word = re.match(r"`([A-Z]+)`", cell)
    state = ContactState.__members__.get(word[1], before.state) if word else before.state
    blocked = "`BLOCKED`" in cell or (before.blocked and cell != "what went on beneath")
    return state, blocked, "`greeting`" in cell


def test_every_operation_has_its_rows() -> None:
    assert {row[0] for row in ROWS} == set(RULES)
    assert {row[1] for row in ROWS} == set(WHEN)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}".replace("`", ""))
def test_a_row_of_the_table_is_what_the_rules_do(row: list[str]) -> None:
    operation, when, *cells = row
    for between in WHEN[when]:
        before = sides(between, when)
        try:
            after = RULES[operation].alter(*before)
        except Refusal as error:
            refused = pb.Code.Name(error.code)
        else:
            refused = ""
            outcome = [(side.state, side.blocked, bool(side.greeting)) for side in after]
            assert outcome == [promised(cell, side) for cell, side in zip(cells, before, strict=True)]
        documented = re.match(r"`(FAILED_PRECONDITION|NOT_FOUND)`", cells[0])
        assert refused == (documented[1] if documented else "")
