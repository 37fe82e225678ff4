"""Notices and changes as sentences."""

import pytest

from rockdove.cli.chat.changes import change_sentence
from rockdove.cli.chat.notices import notice_sentence
from rockdove.client import Edit, Group, Message, Notice, Reaction, Recall, Text
from rockdove.locale import load_texts

EN = load_texts("en")
TEAM = Group("team")


@pytest.mark.parametrize(
    ("notice", "sentence"),
    [
        (Notice("group.created", "alice", ("bob", "carol")), "you founded the group with bob, carol"),
        (Notice("group.created", "bob"), "bob founded the group"),
        (Notice("group.joined", "bob", ("alice",)), "bob added you"),
        (Notice("group.joined", "bob", ("bob",)), "bob joined"),
        (Notice("group.left", "bob", ("bob",)), "bob left"),
        (Notice("group.kicked", "bob", ("carol",)), "bob removed carol"),
        (Notice("group.renamed", "bob", (), "Team {x}"), "bob named the group Team {x}"),
        (Notice("group.role", "bob", ("carol",), "admin"), "bob made carol an admin"),
        (Notice("group.role", "bob", ("carol",), "member"), "bob made carol an ordinary member"),
        (Notice("group.role", "bob", ("carol",), "new"), "bob changed the role of carol to new"),
        (Notice("group.owner", "bob", ("carol",)), "bob handed the group over to carol"),
        (Notice("group.muted", "bob", ("carol",), "90"), "bob muted carol for 2 min"),
        (Notice("group.muted", "bob", (), "60"), "bob muted everyone but the admins for 1 min"),
        (Notice("group.unmuted", "bob"), "bob let everyone speak again"),
        (
            Notice("group.joined", "bob", tuple(f"u{n}" for n in range(10))),
            "bob added u0, u1, u2, u3, u4, u5, u6, u7 and 2 more",
        ),
        (Notice("group.of.tomorrow", "bob", (), "something new"), "something new"),
        (Notice("group.of.tomorrow"), "[group.of.tomorrow]"),
    ],
)
def test_a_notice_is_a_sentence(notice: Notice, sentence: str) -> None:
    assert notice_sentence(notice, "alice", EN) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (Recall(7), "bob took back 3 (hello)"),
        (Edit(7, Text("bye")), "bob changed 3 (hello) to: bye"),
        (Reaction(7, "👍"), "bob put 👍 on 3 (hello)"),
        (Reaction(7, "👍", removed=True), "bob took 👍 off 3 (hello)"),
    ],
)
def test_a_change_names_what_it_changes(content: Recall | Edit | Reaction, sentence: str) -> None:
    target = Message(TEAM, "alice", 7, 3, 0, Text("hello"))
    change = Message(TEAM, "bob", 9, 5, 0, content)
    assert change_sentence(change, target, "alice", EN) == sentence
    assert "an earlier message" in change_sentence(change, None, "alice", EN)
