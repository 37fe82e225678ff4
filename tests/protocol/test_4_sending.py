"""Protocol §4: sending."""

from collections.abc import Callable

import pytest

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.plain import RUN
from rockdove.core.records import UserState
from rockdove.core.session import OVERTAKING_MS
from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import GROUP, ask_group, edit_of, in_group, make_group, reaction_of, recall_of, say_in
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld, socket_of
from tests.protocol.world import OTHER_TENANT, World, change_tenant, change_user, live
from tests.raw import sending, text_message, text_of

TOP = (1 << 64) - 1


def code_name(response: pb.Response) -> str:
    """The answer's code, readable in a failure."""
    return pb.Code.Name(response.code)


# ---------------------------------------------------------------- Sent


def test_a_message_is_answered_once_with_its_place(world: World, alice: Client, bob: Client) -> None:
    first = alice.say("bob", "one", 1)
    second = alice.say("bob", "two", 2)
    assert (first.seq, second.seq) == (1, 2)
    assert 0 < first.msgid < second.msgid
    assert abs(first.timestamp - world.node.scheduler.now_ms()) < 60_000
    assert first.timestamp <= second.timestamp
    assert not [command for command in alice.everything() if command.HasField("response")]
    pushed = bob.messages()
    assert [(m.msgid, m.seq, m.timestamp) for m in pushed] == [(s.msgid, s.seq, s.timestamp) for s in (first, second)]


def test_an_answer_says_what_it_answers(alice: Client) -> None:
    answer = alice.send(text_message("bob", "x"), TOP)
    assert (answer.seqid, answer.code, answer.reason) == (TOP, pb.OK, "")


def test_both_directions_of_a_conversation_share_one_log(alice: Client, bob: Client) -> None:
    assert [alice.say("bob", "1").seq, bob.say("alice", "2").seq, alice.say("bob", "3").seq] == [1, 2, 3]


def test_every_conversation_counts_for_itself(alice: Client) -> None:
    assert [alice.say(peer, "x").seq for peer in ("bob", "carol", "alice", "bob")] == [1, 1, 1, 2]


def test_msgids_grow_across_conversations(alice: Client, bob: Client) -> None:
    sent = [alice.say("carol", "x"), bob.say("dave", "x"), alice.say("bob", "x"), bob.say("carol", "x")]
    assert [s.msgid for s in sent] == sorted({s.msgid for s in sent})


def test_one_may_write_notes_to_oneself(world: World, alice: Client) -> None:
    tablet = live(world, "alice", "tablet")
    assert alice.say("alice", "milk").seq == 1
    assert [text_of(message) for message in tablet.messages()] == ["milk"]
    assert alice.messages() == []


def test_whatever_the_client_put_into_the_servers_fields_is_overwritten(alice: Client, bob: Client) -> None:
    message = text_message("bob", "x")
    setattr(message, "from", "carol")
    message.msgid, message.seq, message.timestamp = 1 << 63, 1 << 62, 1
    answer = alice.send(message, 1)
    sent = pb.Sent.FromString(answer.payload)
    (pushed,) = bob.messages()
    assert getattr(pushed, "from") == "alice"
    assert (pushed.msgid, pushed.seq, pushed.timestamp) == (sent.msgid, sent.seq, sent.timestamp)
    assert sent.seq == 1
    assert alice.pull("bob").messages[0] == pushed
    # They are no content either: the same message without them is a retry.
    assert alice.send(text_message("bob", "x"), 1).payload == answer.payload


def test_what_a_message_says_besides_arrives_as_it_was_written(alice: Client, bob: Client) -> None:
    content = pb.MessageTxt(txt="look").SerializeToString() + b"\xa2\x06\x03new"  # field 100, of some later version
    message = pb.Message(payload=content, to="bob", reply_to=TOP, mentions=["bob", "@all"])
    message.MergeFromString(b"\xc2\x3e\x05later")  # field 1000
    assert alice.send(message).code == pb.OK
    (pushed,) = bob.messages()
    assert (pushed.payload, pushed.to, pushed.reply_to, list(pushed.mentions)) == (content, "bob", TOP, ["bob", "@all"])
    assert b"\xc2\x3e\x05later" in pushed.SerializeToString()
    assert alice.pull("bob").messages[0] == pushed


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (pb.TXT, pb.MessageTxt()),
        (pb.TXT, pb.MessageTxt(txt="漢字 🕊 \0 \n")),
        (pb.IMAGE, pb.MessageImg(url="https://example.com/1.png", width=3, height=4, size=5, mime="image/png")),
        (pb.FILE, pb.MessageFile(url="https://example.com/1.pdf", name="one.pdf", size=1 << 40)),
        (pb.AUDIO, pb.MessageFile(url="https://example.com/1.ogg", duration_ms=1)),
        (pb.VIDEO, pb.MessageFile(url="https://example.com/1.mp4")),
        (pb.LOCATION, pb.MessageLocation(latitude=52.5, longitude=13.4, name="Berlin")),
        (pb.CUSTOM, pb.MessageCustom(kind="com.example.poll", body=bytes(range(256)))),
    ],
)
def test_every_kind_of_content_arrives(alice: Client, bob: Client, kind: pb.MessageType, content: pb.MessageTxt) -> None:
    assert alice.send(pb.Message(type=kind, to="bob", payload=content.SerializeToString())).code == pb.OK
    (pushed,) = bob.messages()
    assert (pushed.type, pushed.payload) == (kind, content.SerializeToString())


# ---------------------------------------------------------------- durable first


def test_nobody_hears_of_a_message_before_it_is_durable(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    virtual.store.holds = True
    alice.write(sending(1, text_message("bob", "hello")))
    assert alice.everything() == bob.everything() == []
    virtual.clock.advance(5_000)
    assert alice.everything() == bob.everything() == []
    virtual.store.release()
    assert alice.answer(1).code == pb.OK
    assert [text_of(message) for message in bob.messages()] == ["hello"]


def test_heartbeats_are_answered_while_the_disk_is_slow(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    virtual.store.holds = True
    alice.write(sending(1, text_message("bob", "hello")))
    assert alice.ping()
    virtual.store.release()
    assert alice.answer(1).code == pb.OK


def test_what_could_not_be_stored_is_unavailable_and_may_be_sent_again(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    virtual.store.fails_with = StoreUnavailable("the disk is full")
    answer = alice.send(text_message("bob", "hello"), 1)
    assert code_name(answer) == "UNAVAILABLE"
    assert "same seqid" in answer.reason
    assert not answer.payload
    assert bob.messages() == []
    virtual.store.fails_with = None
    assert pb.Sent.FromString(alice.send(text_message("bob", "hello"), 1).payload).seq == 1
    assert [text_of(message) for message in bob.messages()] == ["hello"]
    assert len(bob.pull("alice").messages) == 1


IN_A_ROW = {seqid: f"word {seqid}" for seqid in range(11, 11 + RUN + 2)}  # texts that are stored together


def in_one_piece(client: Client, to: str, words: dict[int, str]) -> dict[int, pb.Response]:
    """Send texts by seqid in one piece; their answers."""
    client.write(*(sending(seqid, text_message(to, text)) for seqid, text in words.items()))
    return {seqid: client.answer(seqid) for seqid in words}


@pytest.mark.parametrize("again", [[*IN_A_ROW], [11], [15], [max(IN_A_ROW)], [11, 12], [15, 17]])
def test_texts_in_one_piece_of_which_some_were_stored_before(alice: Client, bob: Client, again: list[int]) -> None:
    alice.say("bob", "zero", 10)
    words = IN_A_ROW
    before = {seqid: alice.say("bob", words[seqid], seqid) for seqid in again}
    answers = {seqid: pb.Sent.FromString(answer.payload) for seqid, answer in in_one_piece(alice, "bob", words).items()}
    assert {seqid: answers[seqid] for seqid in again} == before
    assert sorted(answer.seq for answer in answers.values()) == [*range(2, len(words) + 2)]
    new = [words[seqid] for seqid in words if seqid not in again]
    assert [text_of(message) for message in bob.messages()] == ["zero", *(words[seqid] for seqid in again), *new]


def test_texts_in_one_piece_of_which_one_has_a_used_seqid(alice: Client, bob: Client) -> None:
    alice.say("bob", "zero", 10)
    alice.say("bob", "one", 12)
    answers = in_one_piece(alice, "bob", IN_A_ROW)
    refused = [seqid for seqid, answer in answers.items() if code_name(answer) != "OK"]
    assert (refused, code_name(answers[12])) == ([12], "ALREADY_EXISTS")
    others = [word for seqid, word in IN_A_ROW.items() if seqid != 12]
    assert [text_of(message) for message in bob.messages()] == ["zero", "one", *others]


def test_the_same_text_twice_in_one_piece_is_stored_once(alice: Client, bob: Client) -> None:
    alice.say("bob", "zero", 10)
    seqids = [11, 12, 12, *range(13, 13 + RUN)]
    alice.write(*(sending(seqid, text_message("bob", "x")) for seqid in seqids))
    sent = [pb.Sent.FromString(alice.take("response").payload).seq for _ in seqids]
    assert sent == [2, 3, 3, *range(4, 4 + RUN)]
    assert [text_of(message) for message in bob.messages()] == ["zero", *["x"] * (RUN + 2)]


def test_texts_in_one_piece_to_two_receivers_keep_their_order(world: World, alice: Client, bob: Client) -> None:
    carol = live(world, "carol")
    for peer in ("bob", "carol"):
        alice.say(peer, "zero")
    peers = ["bob"] * RUN + ["carol"] + ["bob"] * 2 + ["carol"] * RUN + ["bob"]
    words = [str(number) for number in range(len(peers))]
    seqids = [alice.next_seqid() for _ in words]
    alice.write(*(sending(*each) for each in zip(seqids, map(text_message, peers, words), strict=True)))
    answers = [alice.take("response") for _ in words]
    assert [answer.seqid for answer in answers] == seqids
    msgids = [pb.Sent.FromString(answer.payload).msgid for answer in answers]
    assert msgids == sorted(msgids)
    for client, name in ((bob, "bob"), (carol, "carol")):
        expected = [word for word, peer in zip(words, peers, strict=True) if peer == name]
        assert [text_of(message) for message in client.messages()] == ["zero", *expected]


def test_texts_in_one_piece_to_a_group_that_one_may_not_write_to_are_each_refused(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    say_in(bob, "hello")
    assert ask_group(alice, mute=pb.GroupMute(id=GROUP, user="bob", seconds=60)).code == pb.OK
    bob.write(*(sending(seqid, in_group(text_message(GROUP, "psst"))) for seqid in IN_A_ROW))
    assert {code_name(bob.answer(seqid)) for seqid in IN_A_ROW} == {"PERMISSION_DENIED"}
    assert ask_group(alice, mute=pb.GroupMute(id=GROUP, user="bob")).code == pb.OK
    bob.write(*(sending(seqid, in_group(text_message(GROUP, "psst"))) for seqid in IN_A_ROW))
    assert {code_name(bob.answer(seqid)) for seqid in IN_A_ROW} == {"OK"}


def test_texts_in_one_piece_that_cannot_be_stored_are_each_told_so(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "zero", 10)
    virtual.store.fails_with = StoreUnavailable("the disk is full")
    assert {code_name(answer) for answer in in_one_piece(alice, "bob", IN_A_ROW).values()} == {"UNAVAILABLE"}
    virtual.store.fails_with = None
    assert {code_name(answer) for answer in in_one_piece(alice, "bob", IN_A_ROW).values()} == {"OK"}
    assert [text_of(message) for message in bob.messages()] == ["zero", *IN_A_ROW.values()]


def test_what_was_sent_behind_a_message_that_could_not_be_stored_does_not_overtake_it(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert alice.send(text_message("bob", "zero"), 10).code == pb.OK
    bob.messages()
    virtual.store.fails_with = StoreUnavailable("the database is away")
    alice.write(sending(11, text_message("bob", "one")))
    virtual.clock.settle()
    virtual.store.fails_with = None
    words = {12: "two", 13: "three"}
    for seqid, word in words.items():  # on its way before alice has read that "one" was not stored
        assert code_name(alice.send(text_message("bob", word), seqid)) == "UNAVAILABLE"
    assert code_name(alice.answer(11)) == "UNAVAILABLE"
    for seqid, word in ({11: "one"} | words).items():
        assert alice.send(text_message("bob", word), seqid).code == pb.OK
    assert [text_of(message) for message in bob.messages()] == ["one", "two", "three"]


def test_who_does_not_send_a_message_again_that_could_not_be_stored_is_held_up_for_seconds_only(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    virtual.store.fails_with = StoreUnavailable("the database is away")
    for seqid in (0, 5):
        assert code_name(alice.send(text_message("bob", "lost"), seqid)) == "UNAVAILABLE"
    virtual.store.fails_with = None
    assert code_name(alice.send(text_message("bob", "soon"), 6)) == "UNAVAILABLE"
    virtual.clock.advance(OVERTAKING_MS)
    assert alice.send(text_message("bob", "soon"), 6).code == pb.OK
    assert [text_of(message) for message in bob.messages()] == ["soon"]


def test_after_a_failed_fsync_nothing_is_acknowledged_any_more(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    virtual.store.fails_with = StoreFailed("fsync: input/output error")
    alice.write(sending(1, text_message("bob", "hello")))
    assert alice.everything() == bob.everything() == []
    assert [str(failure) for failure in virtual.failures] == ["fsync: input/output error"]
    virtual.store.fails_with = None
    alice.write(sending(2, text_message("bob", "again")))
    assert alice.everything() == bob.everything() == []


def test_a_store_that_breaks_its_word_stops_the_node_instead_of_hanging_it(virtual: VirtualWorld) -> None:
    def commit(*_: object) -> None:
        raise ZeroDivisionError

    alice = live(virtual, "alice")
    virtual.store.commit = commit  # type: ignore[method-assign]
    alice.write(sending(1, text_message("bob", "hello")))
    assert alice.everything() == []
    assert len(virtual.failures) == 1
    assert len(virtual.journal.faults) == 1
    virtual.journal.faults.clear()


# ---------------------------------------------------------------- retry


def test_the_same_request_again_gets_the_same_answer_and_stores_nothing(alice: Client, bob: Client) -> None:
    first = alice.send(text_message("bob", "x"), 7)
    alice.say("bob", "y", 8)
    assert alice.send(text_message("bob", "x"), 7) == first
    assert [text_of(message) for message in bob.messages()] == ["x", "y"]
    assert [text_of(message) for message in alice.pull("bob").messages] == ["x", "y"]


def test_a_retry_in_the_same_piece_as_its_original_is_one(alice: Client, bob: Client) -> None:
    alice.write(*[sending(7, text_message("bob", "x"))] * 20)
    answers = [alice.answer(7).payload for _ in range(20)]
    assert len(set(answers)) == 1
    assert [text_of(message) for message in bob.messages()] == ["x"]


def test_a_retry_is_recognised_on_another_connection_of_the_device(world: World, alice: Client) -> None:
    first = alice.send(text_message("bob", "x"), 7)
    assert live(world, "alice", "phone").send(text_message("bob", "x"), 7) == first


def test_a_retry_is_recognised_after_a_restart(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    answers = [alice.send(text_message("bob", f"{seqid}"), seqid) for seqid in (1, 2, TOP, 1 << 63)]
    virtual.crash()
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert [alice.send(text_message("bob", f"{seqid}"), seqid) for seqid in (1, 2, TOP, 1 << 63)] == answers
    assert len(bob.messages()) == 4
    assert alice.say("bob", "next").seq == 5


def test_what_was_stored_before_a_crash_and_not_answered_is_answered_by_the_retry(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    commit = virtual.store.commit
    virtual.store.commit = lambda batch, _: commit(batch, lambda error: None)  # type: ignore[method-assign]
    alice.write(sending(1, text_message("bob", "hello")))
    assert alice.everything() == bob.everything() == []
    virtual.crash()
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert pb.Sent.FromString(alice.send(text_message("bob", "hello"), 1).payload).seq == 1
    assert [text_of(message) for message in bob.messages()] == ["hello"]


def test_retries_are_recognised_for_7_days_and_as_long_as_the_message_is_kept(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    first = alice.send(text_message("bob", "x"), 7)
    for days in (6, 30, 300):
        virtual.clock.leap(days * 86_400_000)
        virtual.clock.advance(5_000)
        alice = live(virtual, "alice")
        assert alice.send(text_message("bob", "x"), 7) == first


@pytest.mark.parametrize(
    "other",
    [
        text_message("bob", "y"),
        text_message("carol", "x"),
        pb.Message(type=pb.CUSTOM, to="bob", payload=text_message("bob", "x").payload),
        pb.Message(to="bob", payload=text_message("bob", "x").payload, reply_to=1),
        pb.Message(to="bob", payload=text_message("bob", "x").payload, mentions=["bob"]),
    ],
    ids=["text", "to", "type", "reply_to", "mentions"],
)
def test_the_same_seqid_with_other_content_is_refused_and_not_stored(alice: Client, bob: Client, other: pb.Message) -> None:
    first = alice.send(text_message("bob", "x"), 7)
    answer = alice.send(other, 7)
    assert code_name(answer) == "ALREADY_EXISTS"
    assert answer.reason
    assert not answer.payload
    assert [text_of(message) for message in bob.messages()] == ["x"]
    assert not alice.pull("carol").messages
    assert alice.send(text_message("bob", "x"), 7) == first


def test_other_content_in_the_same_piece_is_refused_too(alice: Client, bob: Client) -> None:
    alice.write(sending(7, text_message("bob", "x")), sending(7, text_message("bob", "y")))
    assert [code_name(alice.answer(7)) for _ in range(2)] == ["OK", "ALREADY_EXISTS"]
    assert [text_of(message) for message in bob.messages()] == ["x"]


def test_seqid_0_asks_for_no_deduplication(alice: Client, bob: Client) -> None:
    request = pb.Request(type=pb.MESSAGE, payload=text_message("bob", "x").SerializeToString())
    alice.write(*[pb.Command(version=1, request=request)] * 3)
    answers = [alice.answer(0) for _ in range(3)]
    assert [pb.Sent.FromString(answer.payload).seq for answer in answers] == [1, 2, 3]
    assert len(bob.messages()) == 3


def test_seqids_are_those_of_one_device(world: World, alice: Client, bob: Client) -> None:
    tablet = live(world, "alice", "tablet")
    sent = [alice.say("bob", "phone", 1), tablet.say("bob", "tablet", 1), bob.say("alice", "bob", 1)]
    assert [s.seq for s in sent] == [1, 2, 3]


def test_seqids_need_not_grow(alice: Client) -> None:
    sent = [alice.say("bob", f"{seqid}", seqid) for seqid in (TOP, 5, 1 << 63, 1, 6)]
    assert [s.seq for s in sent] == [1, 2, 3, 4, 5]


# ---------------------------------------------------------------- order


def test_answers_come_in_the_order_of_the_requests_errors_included(alice: Client) -> None:
    messages = []
    for n in range(60):
        to = ("bob", "nobody", "carol", "not a name")[n % 4]
        messages.append(sending(n + 1, text_message(to, "x" * (n * 300 % 17_000))))
    alice.write(*messages)
    answers = [alice.take("response") for _ in messages]
    assert [answer.seqid for answer in answers] == list(range(1, 61))
    expected = ["OK", "NOT_FOUND", "OK", "INVALID_ARGUMENT"] * 15
    for n in range(60):
        if n * 300 % 17_000 > 16_384 and expected[n] == "OK":
            expected[n] = "INVALID_ARGUMENT"
    assert [code_name(answer) for answer in answers] == [
        code if code != "NOT_FOUND" or n * 300 % 17_000 <= 16_384 else "INVALID_ARGUMENT" for n, code in enumerate(expected)
    ]


def test_answers_to_messages_and_changes_come_in_the_order_of_the_requests(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    said = bob.say("alice", "x")
    wanted = [
        (text_message("alice", "1"), "OK"),
        (recall_of("alice", said.msgid + 1), "NOT_FOUND"),
        (in_group(text_message("nobody", "2")), "NOT_FOUND"),
        (edit_of("alice", said.msgid, "y"), "OK"),
        (in_group(text_message(GROUP, "3")), "OK"),
        (recall_of("alice", said.msgid), "OK"),
        (edit_of("alice", said.msgid, "z"), "FAILED_PRECONDITION"),
        (text_message("alice", "4"), "OK"),
        (reaction_of("alice", said.msgid, "👍"), "FAILED_PRECONDITION"),
    ]
    bob.write(*(sending(seqid, message) for seqid, (message, _) in enumerate(wanted, 1)))
    answers = [command.response for command in bob.everything() if command.HasField("response")]
    assert [(answer.seqid, code_name(answer)) for answer in answers] == [(n, code) for n, (_, code) in enumerate(wanted, 1)]
    assert [message.type for message in bob.pull("alice").messages] == [pb.TXT, pb.TXT, pb.EDIT, pb.RECALL, pb.TXT]


def test_a_request_sees_what_was_sent_before_it_and_not_what_comes_after(alice: Client) -> None:
    pull = pb.Sync(pull=pb.Pull(peer="bob")).SerializeToString()
    alice.write(
        sending(1, text_message("bob", "before")),
        pb.Command(version=1, request=pb.Request(type=pb.SYNC, payload=pull, seqid=2)),
        sending(3, text_message("bob", "after")),
    )
    pulled = pb.Pulled.FromString(alice.answer(2).payload)
    assert [text_of(message) for message in pulled.messages] == ["before"]
    assert alice.answer(3).code == pb.OK


def test_a_transient_message_does_not_overtake_the_messages_before_it(alice: Client, bob: Client) -> None:
    alice.say("bob", "zero")
    assert len(bob.messages()) == 1
    alice.write(
        sending(1, text_message("bob", "one")),
        sending(2, text_message("bob", "two"), transient=True),
        sending(3, text_message("bob", "three")),
        sending(4, text_message("bob", "four"), transient=True),
    )
    assert [alice.take("response").seqid for _ in range(4)] == [1, 2, 3, 4]
    assert [text_of(message) for message in bob.messages()] == ["one", "two", "three", "four"]


def test_many_messages_in_one_piece_take_few_commits(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say("bob", "first")
    before = virtual.store.commits
    alice.say_all("bob", ["x"] * 1000)
    assert virtual.store.commits - before < 20


# ---------------------------------------------------------------- transient


def test_a_transient_message_reaches_those_online_and_is_not_kept(world: World, alice: Client, bob: Client) -> None:
    tablet = live(world, "alice", "tablet")
    answer = alice.send(text_message("bob", "typing..."), 5, transient=True)
    sent = pb.Sent.FromString(answer.payload)
    assert (answer.code, sent.seq) == (pb.OK, 0)
    assert sent.msgid
    assert sent.timestamp
    for client in (bob, tablet):
        (push,) = client.pushes()
        message = pb.Message.FromString(push.payload)
        assert push.seqid == 0
        assert (getattr(message, "from"), message.seq, message.msgid) == ("alice", 0, sent.msgid)
        assert message.timestamp == sent.timestamp
    assert alice.pushes() == []
    assert not alice.pull("bob").messages
    assert live(world, "bob", "laptop").messages() == []
    assert alice.say("bob", "kept").seq == 1


def test_a_transient_message_to_somebody_away_is_gone(world: World, alice: Client) -> None:
    assert alice.send(text_message("bob", "anybody?"), transient=True).code == pb.OK
    assert live(world, "bob").messages() == []


def test_a_message_is_transient_only_when_an_option_says_so(world: World, alice: Client) -> None:
    payload = text_message("bob", "x").SerializeToString()
    for opts in ([], [pb.Option(offline=True)], [pb.Option(offline=True)] * 8):
        assert pb.Sent.FromString(alice.ask(pb.MESSAGE, payload, opts=opts).payload).seq
    assert len(live(world, "bob").messages()) == 3


def test_a_transient_message_must_be_as_correct_as_any(alice: Client) -> None:
    assert code_name(alice.send(text_message("nobody", "x"), transient=True)) == "NOT_FOUND"
    assert code_name(alice.send(text_message("bob", "x" * 16_385), transient=True)) == "INVALID_ARGUMENT"


# ---------------------------------------------------------------- to whom


def test_a_recipient_that_does_not_exist_is_an_error(world: World, alice: Client) -> None:
    live(world, "erin", org=OTHER_TENANT[0], appkey=OTHER_TENANT[1])
    for name in ("nobody", "Bob", "erin"):
        answer = alice.send(text_message(name, "x"))
        assert code_name(answer) == "NOT_FOUND"
        assert name in answer.reason
    assert not alice.conversations().items


def test_a_group_that_does_not_exist_is_an_error(alice: Client) -> None:
    message = text_message("bob", "x")
    message.chat = pb.GROUP_CHAT
    assert code_name(alice.send(message)) == "NOT_FOUND"


def test_a_user_and_a_group_of_the_same_name_are_never_mixed_up(alice: Client, bob: Client) -> None:
    make_group(alice, "bob", group="bob")
    for n in range(3):
        alice.say("bob", f"to him {n}")
        say_in(alice, f"to all {n}", "bob")
    heard = [message for message in bob.messages() if message.type == pb.TXT]
    expected = [(chat, f"{to} {n}") for n in range(3) for chat, to in ((pb.SINGLE, "to him"), (pb.GROUP_CHAT, "to all"))]
    assert [(message.chat, text_of(message)) for message in heard] == expected
    assert [text_of(message) for message in alice.pull("bob").messages] == ["to him 0", "to him 1", "to him 2"]


def test_to_a_group_the_first_text_and_all_later_ones_have_the_same_limits_and_rights(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    for _ in range(2):
        assert code_name(bob.send(in_group(text_message(GROUP, "x" * 16_384)))) == "OK"
        assert code_name(bob.send(in_group(text_message(GROUP, "x" * 16_385)))) == "INVALID_ARGUMENT"
        to_all = in_group(text_message(GROUP, "x"))
        to_all.mentions.append("@all")
        assert code_name(bob.send(to_all)) == "PERMISSION_DENIED"
    ask_group(alice, mute=pb.GroupMute(id=GROUP, user="bob", seconds=60))
    assert code_name(bob.send(in_group(text_message(GROUP, "x")))) == "PERMISSION_DENIED"
    ask_group(alice, dissolve=pb.GroupRef(id=GROUP))
    assert code_name(alice.send(in_group(text_message(GROUP, "x")))) == "NOT_FOUND"
    assert code_name(bob.send(in_group(text_message(GROUP, "x")))) == "NOT_FOUND"


def test_somebody_removed_is_gone_and_somebody_disabled_is_only_away(world: World, alice: Client) -> None:
    change_user(world, "bob", state=UserState.REMOVED)
    change_user(world, "carol", state=UserState.DISABLED)
    assert code_name(alice.send(text_message("bob", "x"))) == "NOT_FOUND"
    assert code_name(alice.send(text_message("carol", "x"))) == "OK"


def test_somebody_removed_cannot_be_written_to_by_those_who_did_before(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say("bob", "hello")
    change_user(virtual, "alice", state=UserState.ACTIVE)  # changes nothing, and shall not hide the other change
    change_user(virtual, "bob", state=UserState.REMOVED)
    virtual.clock.advance(1_500)
    assert code_name(alice.send(text_message("bob", "x"))) == "NOT_FOUND"


def test_a_user_made_while_the_server_runs_can_be_written_to(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    assert code_name(alice.send(text_message("newcomer", "x"))) == "NOT_FOUND"
    virtual.do(virtual.accounts.add_users(1, [("newcomer", "")], 0))
    assert code_name(alice.send(text_message("newcomer", "x"))) == "OK"


def test_a_retry_is_answered_as_before_whatever_has_become_of_the_receiver(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    sent = alice.say("bob", "stored", seqid=777)
    change_tenant(virtual, strangers=False)
    virtual.clock.advance(1_500)
    assert alice.say("bob", "stored", seqid=777) == sent
    assert code_name(alice.send(text_message("bob", "other"), 777)) == "ALREADY_EXISTS"
    assert code_name(alice.send(text_message("bob", "new"), 778)) == "PERMISSION_DENIED"
    change_user(virtual, "bob", state=UserState.REMOVED)
    virtual.clock.advance(1_500)
    assert alice.say("bob", "stored", seqid=777) == sent
    assert code_name(alice.send(text_message("bob", "new"), 779)) == "NOT_FOUND"


def test_strangers_may_not_write_where_the_tenant_does_not_want_it(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "hello")
    change_tenant(virtual, strangers=False)
    virtual.clock.advance(1_500)
    answer = alice.send(text_message("bob", "x"))
    assert code_name(answer) == "PERMISSION_DENIED"
    assert "friends" in answer.reason
    assert code_name(alice.send(text_message("bob", "x"), transient=True)) == "PERMISSION_DENIED"
    assert alice.say("alice", "a note to myself").seq == 1
    assert len(bob.messages()) == 1
    change_tenant(virtual, strangers=True)
    virtual.clock.advance(1_500)
    assert alice.say("bob", "again").seq == 2


# ---------------------------------------------------------------- limits


def message_of(kind: pb.MessageType, size: int) -> pb.Message:
    """A message whose content is exactly that many bytes."""
    content = {pb.CUSTOM: pb.MessageCustom(kind="k"), pb.FILE: pb.MessageFile(mime="m")}[kind]
    field = {pb.CUSTOM: "body", pb.FILE: "url"}[kind]
    for length in range(size - 16, size):
        setattr(content, field, b"x" * length if field == "body" else "x" * length)
        if content.ByteSize() == size:
            return pb.Message(type=kind, to="bob", payload=content.SerializeToString())
    raise AssertionError("there is no such size")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (text_message("bob", "x" * 16_384), "OK"),
        (text_message("bob", "x" * 16_385), "INVALID_ARGUMENT"),
        (text_message("bob", "漢" * 5_461), "OK"),
        (text_message("bob", "漢" * 5_462), "INVALID_ARGUMENT"),
        (message_of(pb.CUSTOM, 65_536), "OK"),
        (message_of(pb.CUSTOM, 65_537), "INVALID_ARGUMENT"),
        (message_of(pb.FILE, 65_536), "OK"),
        (message_of(pb.FILE, 65_537), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", payload=b"\xa2\x06\xfa\xff\x03" + b"x" * 65_530), "OK"),  # 65,535 bytes of an unknown field
        (pb.Message(to="bob", payload=b"\xa2\x06\xfc\xff\x03" + b"x" * 65_532), "INVALID_ARGUMENT"),
        (text_message("u" * 64, "x"), "NOT_FOUND"),
        (text_message("u" * 65, "x"), "INVALID_ARGUMENT"),
        (text_message("", "x"), "INVALID_ARGUMENT"),
        (text_message("b ob", "x"), "INVALID_ARGUMENT"),
        (text_message("bob\n", "x"), "INVALID_ARGUMENT"),
        (text_message("ƀob", "x"), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", mentions=["u" * 64]), "OK"),
        (pb.Message(to="bob", mentions=["u" * 65]), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", mentions=[""]), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", mentions=["bob"] * 1_000), "OK"),
        (pb.Message(to="bob", mentions=["bob"] * 1_001), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", payload=b"\xff"), "INVALID_ARGUMENT"),
        (pb.Message(to="bob", payload=b"\x0a\x01\xff"), "INVALID_ARGUMENT"),  # not UTF-8
        (pb.Message(type=pb.IMAGE, to="bob", payload=b"\xff"), "INVALID_ARGUMENT"),
        (pb.Message(type=pb.NOTICE, to="bob"), "INVALID_ARGUMENT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_is_stored_within_the_limits_and_refused_beyond(
    alice: Client, bob: Client, message: pb.Message, code: str
) -> None:
    answer = alice.send(message)
    assert code_name(answer) == code
    assert bool(answer.reason) == (code != "OK")
    assert [(m.payload, list(m.mentions)) for m in bob.messages()] == (
        [(message.payload, list(message.mentions))] if code == "OK" else []
    )
    assert len(alice.pull("bob").messages) == (code == "OK")
    assert alice.ping()


def test_no_message_is_too_long_to_be_pushed_or_pulled(make_virtual: Callable[..., VirtualWorld]) -> None:
    """A frame longer than max_frame_bytes, sent to a client, would come again on every connection."""
    longest = 5_000
    virtual = make_virtual(max_frame_bytes=longest)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    codes = set()
    for size in range(longest - 1_300, longest - 70, 7):
        for message in (text_message("bob", "x" * size), pb.Message(type=pb.CUSTOM, to="bob", payload=b"\x12" + _sized(size))):
            codes.add(code_name(alice.send(message)))
            for push in bob.settle().inbox:
                assert push.ByteSize() <= longest
                bob.ack(push.request.seqid)
            bob.inbox.clear()
    assert codes == {"OK", "INVALID_ARGUMENT"}
    after = 0
    while messages := alice.pull("bob", after=after, limit=3).messages:
        after = messages[-1].seq
    alice.pull("bob", before=after + 1, limit=1)
    assert len(alice.conversations().items) == 1


def _sized(size: int) -> bytes:
    return bytes((size & 127 | 128, size >> 7)) + b"x" * size


# ---------------------------------------------------------------- rate


def test_without_a_limit_everything_is_taken(alice: Client) -> None:
    assert len(alice.say_all("bob", ["x"] * 2_000)) == 2_000


def test_beyond_the_tenants_rate_messages_are_refused_for_now(virtual: VirtualWorld) -> None:
    change_tenant(virtual, messages_per_second=5)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    codes = [code_name(alice.send(text_message("bob", f"{n}"))) for n in range(7)]
    assert codes == ["OK"] * 5 + ["RESOURCE_EXHAUSTED"] * 2
    assert code_name(bob.send(text_message("alice", "x"))) == "OK"  # it is each user's own
    virtual.clock.advance(1_000)
    assert [code_name(alice.send(text_message("bob", f"{n}"))) for n in range(6)] == ["OK"] * 5 + ["RESOURCE_EXHAUSTED"]
    assert len(bob.messages()) == 10


def test_one_who_goes_on_and_on_beyond_the_rate_is_disconnected(virtual: VirtualWorld) -> None:
    change_tenant(virtual, messages_per_second=5)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.write(*(sending(n, text_message("bob", "x")) for n in range(1, 200)))
    last = alice.farewell()
    assert last is not None
    assert last.code == pb.FLOODING
    assert bob.say("alice", "x").seq == 6


def test_a_rate_set_while_the_server_runs_holds_soon(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    alice.say("bob", "x")
    change_tenant(virtual, messages_per_second=1)
    virtual.clock.advance(1_500)
    assert [code_name(alice.send(text_message("bob", f"{n}"))) for n in range(2)] == ["OK", "RESOURCE_EXHAUSTED"]


def test_a_flood_delays_nobody_else(virtual: VirtualWorld) -> None:
    """However much one client has sent in one piece, another one's message is answered in one of the next turns."""
    flood, alice = live(virtual, "carol"), live(virtual, "alice")
    flood.say("bob", "x")
    alice.say("bob", "x")
    flood.write(*(sending(n, text_message("bob", "x")) for n in range(1, 20_001)))
    alice.write(sending(1, text_message("bob", "hello")))
    for _ in range(4):
        virtual.clock.turn()
    assert virtual.store.commits
    assert [command.response.seqid for command in parsed(alice)] == [1]
    answered = len(parsed(flood))
    assert 0 < answered < 4_000
    flood.settle()
    assert answered + len(flood.inbox) >= 20_000


def parsed(client: Client) -> list[pb.Command]:
    """What has come without letting the server do any more."""
    socket = socket_of(client)
    data, socket._to_client = socket._to_client, b""
    client.take_in(data)
    return client.inbox
