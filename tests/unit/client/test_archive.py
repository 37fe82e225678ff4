"""Searching, readers, deleting: what is asked for, and what becomes of the answers."""

from rockdove.client import File, Group, Image, Message, Readers, Sent, Text
from rockdove.client.archive import Archive
from rockdove.wire import im_pb2 as pb
from tests.unit.client.asked import Asked, all_of, run
from tests.unit.client.peer import message_of, push

TEAM = Group("team")


def test_a_search_goes_on_over_empty_pages_to_the_last_one() -> None:
    found = [message_of(push(seq, "team", chat=pb.GROUP_CHAT)) for seq in (3, 1)]
    asked = Asked(pb.Found(messages=found[:1], next="a"), pb.Found(next="b"), pb.Found(messages=found[1:]))
    messages = run(all_of(Archive(asked, "alice").search("words", TEAM, "carol", 5, 9, (Image, File))))
    assert [(message.peer, message.seq, message.text) for message in messages] == [(TEAM, 3, "team 3"), (TEAM, 1, "team 1")]
    query = pb.Search(text="words", chat=pb.GROUP_CHAT, peer="team", since=5, until=9, types=[pb.IMAGE, pb.FILE])
    setattr(query, "from", "carol")
    assert asked.payloads[0].search == query
    assert [payload.search.after for payload in asked.payloads] == ["", "a", "b"]


def test_a_search_everywhere_names_no_conversation() -> None:
    asked = Asked(pb.Found())
    assert run(all_of(Archive(asked, "alice").search("words", None, "", 0, 0, ()))) == []
    assert asked.payloads[0].search == pb.Search(text="words")


def test_as_many_readers_are_fetched_as_are_wanted() -> None:
    pages = (
        pb.Readers(count=5, total=9, users=["bob", "carol"], next="n"),
        pb.Readers(count=5, total=9, users=["dave"], next="m"),
    )
    asked = Asked(*pages)
    assert run(Archive(asked, "alice").readers(Sent(TEAM, 77, 4, 0), 3)) == Readers(5, 9, ("bob", "carol", "dave"))
    assert [payload.readers for payload in asked.payloads] == [
        pb.ListReaders(peer="team", seq=4, limit=3),
        pb.ListReaders(peer="team", seq=4, after="n", limit=1),
    ]


def test_messages_of_several_conversations_are_deleted_at_once() -> None:
    def message(peer: str | Group, seq: int) -> Message:
        return Message(peer, "bob", seq, seq, 0, Text("x"))

    asked = Asked()
    run(Archive(asked, "alice").delete([message("bob", 2), message(TEAM, 1), message("bob", 1)]))
    assert [payload.hide for payload in asked.payloads] == [
        pb.Hide(peer="bob", seqs=[1, 2]),
        pb.Hide(chat=pb.GROUP_CHAT, peer="team", seqs=[1]),
    ]
    asked = Asked()
    run(Archive(asked, "alice").delete([message("bob", seq) for seq in range(1, 302)]))
    assert sorted(seq for payload in asked.payloads for seq in payload.hide.seqs) == list(range(1, 302))
    assert max(len(payload.hide.seqs) for payload in asked.payloads) <= 200


def test_a_conversation_is_cleared_up_to_a_place() -> None:
    asked = Asked()
    run(Archive(asked, "alice").clear(TEAM, 9))
    assert asked.payloads == [pb.Sync(hide=pb.Hide(chat=pb.GROUP_CHAT, peer="team", through=9))]
