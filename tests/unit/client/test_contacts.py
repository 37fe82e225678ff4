"""What the verbs of `client.contacts` ask for, and what they make of the answers."""

import pytest

from rockdove.client import Contact, ContactState, Roster
from rockdove.client.contacts import Contacts
from rockdove.wire import im_pb2 as pb
from tests.unit.client.asked import Asked, run

BOB = pb.ContactRef(user="bob")


@pytest.mark.parametrize(
    ("verb", "named", "asked_for"),
    [
        ("add", {"greeting": "hi", "remark": "B"}, pb.Contact(add=pb.ContactAdd(user="bob", greeting="hi", remark="B"))),
        ("accept", {}, pb.Contact(answer=pb.ContactAnswer(user="bob", accept=True))),
        ("decline", {"reason": "who?"}, pb.Contact(answer=pb.ContactAnswer(user="bob", reason="who?"))),
        ("remove", {}, pb.Contact(remove=BOB)),
        ("block", {}, pb.Contact(block=BOB)),
        ("unblock", {}, pb.Contact(unblock=BOB)),
    ],
)
def test_what_a_verb_asks_for(verb: str, named: dict[str, str], asked_for: pb.Contact) -> None:
    asked = Asked()
    run(getattr(Contacts(asked), verb)("bob", **named))
    assert asked.payloads == [asked_for]


def test_the_list_is_put_together_from_its_pages() -> None:
    friend = pb.ContactItem(user="bob", state=pb.ContactItem.FRIEND, remark="B", greeting="hi", updated_at=9)
    first = pb.ContactList(items=[friend], next="7", version=7)
    asked = Asked(first, pb.ContactList(items=[pb.ContactItem(user="carol")], version=8))
    bob, carol = Contact("bob", ContactState.FRIEND, "B", "hi", 9), Contact("carol", ContactState.NONE, "", "", 0)
    assert run(Contacts(asked).list(since=5)) == Roster((bob, carol), 8)
    assert [(payload.list.since, payload.list.after) for payload in asked.payloads] == [(5, ""), (5, "7")]


def test_a_list_without_news_keeps_its_version() -> None:
    assert run(Contacts(Asked(pb.ContactList())).list(since=5)) == Roster((), 5)
