"""Messages joined with what changes them."""

import random

import pytest

from rockdove.client import Content, Edit, Message, Reaction, Recall, Removed, Text, Timeline
from rockdove.wire import im_pb2 as pb


def entry(seq: int, content: Content, sender: str = "alice") -> Message:
    return Message("bob", sender, msgid=100 + seq, seq=seq, timestamp_ms=seq, content=content)


LOG = [
    entry(1, Text("one")),
    entry(2, Text("two")),
    entry(3, Edit(101, Text("uno"))),
    entry(4, Reaction(101, "👍"), "bob"),
    entry(5, Reaction(101, "👍"), "alice"),
    entry(6, Edit(101, Text("eins"))),
    entry(7, Reaction(101, "👎"), "bob"),
    entry(8, Reaction(101, "👎", removed=True), "bob"),
    entry(9, Reaction(102, "🎉"), "bob"),
    entry(10, Recall(102)),
    entry(11, Text("three")),
]


def test_a_timeline_shows_messages_as_they_are_now() -> None:
    one, two, three = Timeline(LOG)
    assert (one.text, one.edited, one.reactions) == ("eins", True, {"👍": ("bob", "alice")})
    assert (two.removed, two.text, two.edited, two.reactions) == (True, "", False, {})
    assert (three.text, three.edited, three.reactions) == ("three", False, {})


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_it_is_told_and_doubles_do_not_matter(seed: int) -> None:
    told = LOG * 2
    random.Random(seed).shuffle(told)
    assert list(Timeline(told)) == list(Timeline(LOG))


def test_adding_tells_what_a_message_has_become() -> None:
    timeline = Timeline()
    assert timeline.add(LOG[0]) == LOG[0]
    assert timeline.add(LOG[8]) is None  # of a message that is not here
    changed = timeline.add(LOG[2])
    assert changed
    assert (changed.msgid, changed.text, changed.edited) == (101, "uno", True)
    assert timeline.get(101) == changed
    assert timeline.get(102) is None
    assert timeline.add(Message("bob", "alice", 5, 0, 0, Text("transient"))) is None
    assert len(timeline) == 1


def test_an_edit_that_a_recall_has_emptied_is_not_shown() -> None:
    assert [message.seq for message in Timeline([LOG[0], entry(3, Removed(pb.EDIT)), entry(4, Removed(pb.TXT))])] == [1, 4]


def test_what_this_user_deletes_is_removed_and_stays_so() -> None:
    timeline = Timeline(LOG)
    timeline.delete([11], through=1)
    assert [message.removed for message in timeline] == [True, True, True]
    timeline.add(entry(12, Edit(101, Text("again"))))
    assert [message.removed for message in timeline] == [True, True, True]


def test_it_keeps_the_newest_and_lets_the_rest_go() -> None:
    timeline = Timeline(capacity=4)
    for seq in range(1, 2001):
        timeline.add(entry(seq, Text(str(seq)) if seq % 2 else Reaction(99 + seq, "👍")))
    assert [(message.text, len(message.reactions)) for message in timeline] == [("1997", 1), ("1999", 1)]
    assert sum(map(len, (timeline._originals, timeline._changes, timeline._msgids))) <= 12
