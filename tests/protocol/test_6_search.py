"""Protocol §6, extension: search over what the user may read."""

from typing import Any

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import (
    GROUP,
    done,
    edit_of,
    found,
    invite,
    leave,
    make_group,
    reaction_of,
    recall_of,
    say_in,
    search,
)
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import OTHER_TENANT, World, live
from tests.raw import text_of


def test_a_message_is_found_right_after_it_was_sent_by_both_sides(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "the blue heron")
    for client in (alice, bob):
        (message,) = search(client, "Heron").messages
        assert (message.msgid, message.seq, text_of(message)) == (sent.msgid, 1, "the blue heron")
        assert getattr(message, "from") == "alice"


def test_every_word_must_occur_at_the_beginning_of_a_word(alice: Client) -> None:
    alice.say_all("bob", ["blue heron", "heron", "BLUEBERRY and heron", "true heron"])
    assert found(alice, "heron blue") == ["BLUEBERRY and heron", "blue heron"]
    assert found(alice, "lue") == []


@pytest.mark.parametrize(
    ("text", "query"), [("我们明天去北京开会", "北京"), ("我们明天去北京开会", "开会"), ("Straße", "STRASSE"), ("👍 yes", "👍")]
)
def test_a_word_is_found_in_any_language(alice: Client, text: str, query: str) -> None:
    alice.say_all("bob", [text, "something else"])
    assert found(alice, query) == [text]
    assert found(alice, "上海") == []


def test_conversation_sender_time_and_type_narrow_a_search(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    make_group(alice, "bob")
    say_in(bob, "blue 1")
    bob.say("alice", "blue 2")
    virtual.clock.leap(1_000)
    third = alice.say("bob", "blue 3")
    done(alice, pb.Message(type=pb.FILE, to="bob", payload=pb.MessageFile(name="blue.txt").SerializeToString()))
    virtual.clock.leap(1_000)
    alice.say("carol", "blue 5")
    at_ms = third.timestamp

    def seen(**fields: Any) -> list[int]:
        """The seqs of what was found in the talk with bob are enough to tell them apart there."""
        return [message.seq for message in search(alice, "blue", **fields).messages]

    assert len(seen()) == 5
    assert found(alice, "blue", chat=pb.GROUP_CHAT, peer=GROUP) == ["blue 1"]
    assert seen(peer="bob") == [3, 2, 1]
    assert found(alice, "blue", **{"from": "bob"}) == ["blue 2", "blue 1"]
    assert found(alice, "blue", peer="bob", types=[pb.TXT]) == ["blue 3", "blue 2"]
    assert seen(types=[pb.FILE]) == [3]
    assert found(alice, "blue", since=at_ms, types=[pb.TXT]) == ["blue 5", "blue 3"]
    assert found(alice, "blue", until=at_ms) == ["blue 2", "blue 1"]
    assert seen(since=at_ms, until=at_ms + 1) == [3, 2]
    assert seen(peer="bob", until=at_ms, **{"from": "alice"}) == []


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_follow_each_other_newest_first(alice: Client, limit: int) -> None:
    texts = [f"blue {n}" for n in range(7)]
    alice.say_all("bob", texts)
    assert found(alice, "blue", limit=limit) == texts[::-1]
    assert len(search(alice, "blue", limit=limit).messages) == limit


def test_what_comes_between_two_pages_shifts_nothing(alice: Client) -> None:
    alice.say_all("bob", ["blue 1", "blue 2", "blue 3"])
    first = search(alice, "blue", limit=1)
    alice.say("bob", "blue 4")
    rest = search(alice, "blue", after=first.next)
    assert [text_of(message) for message in (*first.messages, *rest.messages)] == ["blue 3", "blue 2", "blue 1"]


def test_nobody_finds_what_others_say(world: World, alice: Client, bob: Client) -> None:
    alice.say("bob", "a secret")
    make_group(alice, "bob")
    say_in(alice, "a secret of the group")
    org, appkey = OTHER_TENANT
    for other in (live(world, "carol"), live(world, "alice", org=org, appkey=appkey)):
        assert found(other, "secret") == []
    carol = live(world, "carol")
    assert found(carol, "secret", peer="alice") == []
    assert found(carol, "secret", **{"from": "alice"}) == []
    assert found(bob, "secret") == ["a secret of the group", "a secret"]


def test_of_a_group_only_what_was_seen_of_it_is_found(world: World, alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    say_in(alice, "blue 1")
    invite(alice, "carol")
    carol = live(world, "carol")
    say_in(alice, "blue 2")
    leave(bob)
    say_in(alice, "blue 3")
    assert found(bob, "blue") == ["blue 2", "blue 1"]
    assert found(carol, "blue") == ["blue 3", "blue 2"]
    assert found(carol, "blue", chat=pb.GROUP_CHAT, peer=GROUP) == ["blue 3", "blue 2"]


def test_what_was_recalled_is_not_found(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "blue")
    done(alice, edit_of("bob", sent.msgid, "azure blue"))
    done(alice, recall_of("bob", sent.msgid))
    for client in (alice, bob):
        assert found(client, "blue") == found(client, "azure") == []


def test_an_edited_message_is_found_by_its_new_content_and_once(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "blue heron")
    done(alice, edit_of("bob", sent.msgid, "grey heron"))
    done(bob, reaction_of("alice", sent.msgid, "👍"))
    assert found(bob, "blue") == []
    (message,) = search(bob, "grey").messages
    assert (message.msgid, message.HasField("edited")) == (sent.msgid, True)
    assert found(bob, "👍") == []


def test_an_answer_is_never_longer_than_a_frame_may_be(make_world: Any) -> None:
    alice = live(make_world(max_frame_bytes=20_000), "alice")
    alice.say_all("bob", [f"blue {n} " + "x" * (n * 400) for n in range(30)])
    after, seqs = "", []
    while True:
        answer = alice.ask(pb.SYNC, pb.Sync(search=pb.Search(text="blue", after=after, limit=200)).SerializeToString())
        assert answer.code == pb.OK, answer
        assert answer.ByteSize() + 8 <= 20_000
        page = pb.Found.FromString(answer.payload)
        seqs += [message.seq for message in page.messages]
        after = page.next
        if not after:
            break
    assert seqs == list(range(30, 0, -1))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "x" * 257}, pb.INVALID_ARGUMENT),
        ({"text": "x", "types": [77]}, pb.INVALID_ARGUMENT),
        ({"text": "x", "peer": "no name"}, pb.INVALID_ARGUMENT),
        ({"text": "x", "peer": "bob", "chat": 7}, pb.INVALID_ARGUMENT),
        ({"text": "x", "after": "no token"}, pb.INVALID_ARGUMENT),
        ({"text": "x", "after": "f" * 17}, pb.INVALID_ARGUMENT),
        ({"text": "x", "peer": "nobody"}, pb.NOT_FOUND),
        ({"text": "x", "peer": "erin"}, pb.NOT_FOUND),
        ({"text": "x", "peer": "nobody", "chat": pb.GROUP_CHAT}, pb.NOT_FOUND),
        ({"text": "x", "from": "nobody"}, pb.NOT_FOUND),
    ],
)
def test_a_search_that_makes_no_sense_is_an_error(alice: Client, fields: dict[str, Any], code: pb.Code) -> None:
    answer = alice.ask(pb.SYNC, pb.Sync(search=pb.Search(**fields)).SerializeToString())
    assert answer.code == code
    assert answer.reason


@pytest.mark.parametrize("edge_ms", [-(1 << 63), -1, (1 << 63) - 1])
def test_any_time_can_be_asked_for(alice: Client, edge_ms: int) -> None:
    alice.say("bob", "blue")
    assert found(alice, "blue", since=edge_ms) == ([] if edge_ms > 0 else ["blue"])
    assert found(alice, "blue", until=edge_ms) == ["blue"], "an end that is not set, or far away, leaves nothing out"
