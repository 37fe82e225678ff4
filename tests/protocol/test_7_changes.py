"""Protocol §7: recall, edit, reaction; who may, until when, and what is left of what was said."""

from collections.abc import Callable

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import (
    GROUP,
    ask_group,
    block,
    conversation,
    done,
    edit_of,
    exposed,
    hide,
    in_group,
    invite,
    leave,
    make_group,
    pull_one,
    reaction_of,
    recall_of,
    say_in,
)
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import OTHER_TENANT, World, change_tenant, live
from tests.raw import sending, text_message, text_of

RECALL_MS, EDIT_MS = 120_000, 900_000  # the defaults
SECRET = "a secret"


@pytest.fixture
def carol(world: World) -> Client:
    return live(world, "carol", "phone")


@pytest.fixture
def crew(alice: Client, bob: Client) -> None:
    """A group of alice's with bob in it; seq 1 is the notice of it."""
    make_group(alice, "bob")


def edited_text(message: pb.Message) -> str:
    """What an edited message says now."""
    assert message.HasField("edited")
    return pb.MessageTxt.FromString(message.edited.payload).txt


# ---------------------------------------------------------------- recall: who, and when


def test_a_sender_recalls_within_the_time_and_not_later(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    first, second = alice.say_all("bob", ["1", "2"])
    virtual.clock.leap(RECALL_MS)
    assert alice.send(recall_of("bob", first.msgid)).code == pb.OK
    virtual.clock.leap(1)
    answer = alice.send(recall_of("bob", second.msgid))
    assert answer.code == pb.FAILED_PRECONDITION
    assert "120 s" in answer.reason
    assert text_of(pull_one(alice, "bob", 2)) == "2"
    assert conversation(alice, "bob").last_seq == 3, "what was refused is not in the log"


def test_the_tenant_says_how_long_messages_can_be_recalled_and_edited(virtual: VirtualWorld) -> None:
    change_tenant(virtual, recall_seconds=5, edit_seconds=7)
    alice = live(virtual, "alice")
    sent = alice.say("bob", "x")
    for after_ms, may_recall, may_edit in ((5_001, False, True), (1_999, False, True), (1, False, False)):
        virtual.clock.leap(after_ms)
        assert (alice.send(recall_of("bob", sent.msgid)).code == pb.OK) == may_recall
        assert (alice.send(edit_of("bob", sent.msgid, "y")).code == pb.OK) == may_edit
    again = alice.say("bob", "x")
    virtual.clock.leap(5_000)
    assert alice.send(recall_of("bob", again.msgid)).code == pb.OK


def test_the_other_one_of_a_talk_cannot_recall(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "x")
    answer = bob.send(recall_of("alice", sent.msgid))
    assert answer.code == pb.PERMISSION_DENIED
    assert "delete it for yourself" in answer.reason
    assert text_of(pull_one(alice, "bob", 1)) == "x"


def test_a_groups_admins_recall_anybodys_at_any_time(virtual: VirtualWorld) -> None:
    alice, bob, carol = (live(virtual, name) for name in ("alice", "bob", "carol"))
    make_group(alice, "bob", "carol")
    ask_group(alice, role=pb.GroupRole(id=GROUP, user="carol", role=pb.GroupRole.ADMIN))
    of_bob, of_carol, of_alice = say_in(bob, "1"), say_in(carol, "2"), say_in(alice, "3")
    virtual.clock.leap(30 * EDIT_MS)
    admin = live(virtual, "carol")
    for sent in (of_bob, of_carol, of_alice):
        assert admin.send(in_group(recall_of(GROUP, sent.msgid))).code == pb.OK
        assert pull_one(admin, GROUP, sent.seq, chat=pb.GROUP_CHAT).removed


@pytest.mark.usefixtures("crew")
def test_a_member_recalls_his_own_only(alice: Client, bob: Client) -> None:
    theirs, own = say_in(alice, "1"), say_in(bob, "2")
    assert bob.send(in_group(recall_of(GROUP, theirs.msgid))).code == pb.PERMISSION_DENIED
    assert bob.send(in_group(recall_of(GROUP, own.msgid))).code == pb.OK


@pytest.mark.usefixtures("crew")
def test_an_admin_recalls_what_somebody_said_who_has_left(alice: Client, bob: Client) -> None:
    sent = say_in(bob, SECRET)
    leave(bob)
    assert alice.send(in_group(recall_of(GROUP, sent.msgid))).code == pb.OK
    assert pull_one(bob, GROUP, sent.seq, chat=pb.GROUP_CHAT).removed, "nor can he read it any more"


@pytest.mark.usefixtures("crew")
def test_who_has_left_changes_nothing_any_more(bob: Client) -> None:
    sent = say_in(bob, "x")
    leave(bob)
    for change in (recall_of(GROUP, sent.msgid), edit_of(GROUP, sent.msgid, "y"), reaction_of(GROUP, sent.msgid, "👍")):
        assert bob.send(in_group(change)).code == pb.PERMISSION_DENIED


@pytest.mark.usefixtures("crew")
def test_a_muted_member_recalls_but_neither_edits_nor_reacts(alice: Client, bob: Client) -> None:
    sent = say_in(bob, "x")
    ask_group(alice, mute=pb.GroupMute(id=GROUP, user="bob", seconds=3_600))
    for change in (edit_of(GROUP, sent.msgid, "y"), reaction_of(GROUP, sent.msgid, "👍")):
        assert bob.send(in_group(change)).code == pb.PERMISSION_DENIED
    assert bob.send(in_group(recall_of(GROUP, sent.msgid))).code == pb.OK


def test_who_is_blocked_changes_nothing(alice: Client, bob: Client) -> None:
    own, theirs = alice.say("bob", "x"), bob.say("alice", "y")
    block(bob, "alice")
    refusals = [
        alice.send(change)
        for change in (
            edit_of("bob", own.msgid, "z"),
            reaction_of("bob", theirs.msgid, "👍"),
            recall_of("bob", own.msgid),
            text_message("bob", "a text"),
        )
    ]
    assert {answer.code for answer in refusals} == {pb.PERMISSION_DENIED}
    assert len({answer.reason for answer in refusals}) == 1, "a change does not tell that he is blocked"
    assert conversation(bob, "alice").last_seq == 2


# ---------------------------------------------------------------- recall: what is left


@pytest.mark.parametrize("chat", [pb.SINGLE, pb.GROUP_CHAT])
def test_nothing_carries_what_was_recalled_any_more(world: World, alice: Client, bob: Client, chat: pb.Chat) -> None:
    to, peer = ("bob", "alice") if chat == pb.SINGLE else (GROUP, GROUP)
    if chat:
        make_group(alice, "bob")
    message = text_message(to, SECRET)
    message.chat, message.mentions[:], message.reply_to = chat, ["bob"], 77
    sent = done(alice, message)
    edits = [edit_of(to, sent.msgid, "a whisper"), edit_of(to, sent.msgid, "a louder whisper")]
    for edit in edits:
        edit.chat = chat
        done(alice, edit)
    before = exposed(world, "bob", peer, chat)
    assert b"secret" in before
    assert b"whisper" in before
    recall = recall_of(to, sent.msgid)
    recall.chat = chat
    done(alice, recall)
    for user, other in (("bob", peer), ("alice", to)):
        after = exposed(world, user, other, chat)
        assert b"secret" not in after
        assert b"whisper" not in after
    stored = pull_one(bob, peer, sent.seq, chat=chat)
    place = {"msgid": sent.msgid, "seq": sent.seq, "timestamp": sent.timestamp, "from": "alice"}
    assert stored == pb.Message(type=pb.TXT, to=to, chat=chat, removed=True, **place)


def test_what_awaits_its_ack_comes_again_without_what_was_recalled(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    sent, _ = alice.say_all("bob", [SECRET, "2"])
    bob.everything()
    done(alice, recall_of("bob", sent.msgid))
    bob.everything()
    virtual.clock.advance(31_000)
    assert [(message.seq, message.removed) for message in bob.messages()] == [(1, True), (2, False), (3, False)]


def test_what_was_recalled_stays_gone_after_a_restart(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    live(virtual, "bob", "phone").pipe.hang_up()
    sent = alice.say("bob", SECRET)
    done(alice, edit_of("bob", sent.msgid, "a whisper"))
    done(alice, recall_of("bob", sent.msgid))
    virtual.crash()
    after = exposed(virtual, "bob", "alice")
    assert b"secret" not in after
    assert b"whisper" not in after


def test_the_list_shows_the_place_of_a_recalled_message_without_its_content(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", SECRET)
    done(alice, recall_of("bob", sent.msgid))
    last = conversation(bob, "alice").last
    assert (last.type, last.seq) == (pb.RECALL, 2)
    assert pb.Change.FromString(last.payload) == pb.Change(msgid=sent.msgid)


def test_what_was_recalled_is_not_unread_and_neither_is_the_recall(alice: Client, bob: Client) -> None:
    first, _ = alice.say_all("bob", ["1", "2"])
    assert conversation(bob, "alice").unread == 2
    done(alice, recall_of("bob", first.msgid))
    assert conversation(bob, "alice").unread == 1
    bob.read("alice", 2)
    assert conversation(bob, "alice").unread == 0


def test_a_device_that_is_here_and_one_that_was_away_get_original_edit_and_recall_in_order(
    world: World, alice: Client, bob: Client
) -> None:
    live(world, "bob", "laptop").pipe.hang_up()
    sent = alice.say("bob", SECRET)
    done(alice, edit_of("bob", sent.msgid, "a whisper"))
    done(alice, recall_of("bob", sent.msgid))
    here, away = bob.messages(), live(world, "bob", "laptop").messages()
    kinds = [(1, pb.TXT), (2, pb.EDIT), (3, pb.RECALL)]
    assert [(message.seq, message.type) for message in here] == [(message.seq, message.type) for message in away] == kinds
    assert [message.removed for message in here] == [False, False, False]
    assert [message.removed for message in away] == [True, True, False]
    assert pb.Change.FromString(away[2].payload).msgid == sent.msgid


def test_the_senders_other_devices_hear_of_the_recall(world: World, alice: Client) -> None:
    tablet = live(world, "alice", "tablet")
    sent = alice.say("bob", "x")
    done(alice, recall_of("bob", sent.msgid))
    assert [message.type for message in tablet.messages()] == [pb.TXT, pb.RECALL]
    assert alice.messages() == []


def test_a_message_is_recalled_once(alice: Client) -> None:
    sent = alice.say("bob", "x")
    done(alice, recall_of("bob", sent.msgid))
    for change in (recall_of("bob", sent.msgid), edit_of("bob", sent.msgid, "y"), reaction_of("bob", sent.msgid, "👍")):
        assert alice.send(change).code == pb.FAILED_PRECONDITION
    assert conversation(alice, "bob").last_seq == 2


def test_a_retry_of_a_change_gets_the_same_sent_however_late(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice", "phone")
    sent = alice.say("bob", "x")
    changes = [
        (5, edit_of("bob", sent.msgid, "y")),
        (6, reaction_of("bob", sent.msgid, "👍")),
        (7, recall_of("bob", sent.msgid)),
    ]
    answers = [done(alice, change, seqid) for seqid, change in changes]
    assert [answer.seq for answer in answers] == [2, 3, 4]
    assert [done(alice, change, seqid) for seqid, change in changes] == answers
    virtual.crash()
    virtual.clock.leap(2 * EDIT_MS)
    alice = live(virtual, "alice", "phone")
    assert [done(alice, change, seqid) for seqid, change in changes] == answers
    assert alice.send(recall_of("bob", sent.msgid + 1), 7).code == pb.ALREADY_EXISTS
    assert conversation(alice, "bob").last_seq == 4


def test_a_change_that_could_not_be_stored_has_changed_nothing_and_may_be_retried(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    sent = alice.say("bob", "x")
    virtual.store.fails_with = StoreUnavailable("full")
    assert alice.send(recall_of("bob", sent.msgid), 7).code == pb.UNAVAILABLE
    virtual.store.fails_with = None
    assert text_of(pull_one(alice, "bob", 1)) == "x"
    assert done(alice, recall_of("bob", sent.msgid), 7).seq == 2


def test_a_change_is_answered_and_pushed_once_it_is_durable(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    sent = alice.say("bob", "x")
    bob.everything()
    virtual.store.holds = True
    alice.write(sending(7, recall_of("bob", sent.msgid)))
    assert alice.everything() == []
    assert bob.everything() == []
    virtual.store.release()
    assert alice.answer(7).code == pb.OK
    assert [message.type for message in bob.messages()] == [pb.RECALL]


def test_changes_count_against_the_tenants_rate(virtual: VirtualWorld) -> None:
    change_tenant(virtual, messages_per_second=3)
    alice = live(virtual, "alice")
    sent = alice.say("alice", "x")
    codes = [alice.send(reaction_of("alice", sent.msgid, "👍")).code for _ in range(10)]
    assert codes[0] == pb.OK
    assert codes[-1] == pb.RESOURCE_EXHAUSTED


def test_a_refused_change_leaves_its_seqid_free(alice: Client) -> None:
    sent = alice.say("bob", "x")
    assert alice.send(recall_of("bob", sent.msgid + 1), 7).code == pb.NOT_FOUND
    assert done(alice, recall_of("bob", sent.msgid), 7).seq == 2


# ---------------------------------------------------------------- edit


def test_an_edited_message_keeps_its_first_content_and_carries_the_newest(world: World, alice: Client, bob: Client) -> None:
    live(world, "bob", "laptop").pipe.hang_up()
    sent = alice.say("bob", "frist")
    for text in ("frst", "first"):
        done(alice, edit_of("bob", sent.msgid, text))
    for message in (pull_one(bob, "alice", 1), live(world, "bob", "laptop").messages()[0]):
        assert text_of(message) == "frist"
        assert edited_text(message) == "first"
        assert message.edited.type == pb.TXT
    assert [message.type for message in bob.messages()] == [pb.TXT, pb.EDIT, pb.EDIT]
    assert conversation(bob, "alice").unread == 1, "an edit is not unread"


def test_a_sender_edits_within_the_time_and_not_later(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    sent = alice.say("bob", "x")
    virtual.clock.leap(EDIT_MS)
    assert alice.send(edit_of("bob", sent.msgid, "y")).code == pb.OK
    virtual.clock.leap(1)
    answer = alice.send(edit_of("bob", sent.msgid, "z"))
    assert answer.code == pb.FAILED_PRECONDITION
    assert "900 s" in answer.reason
    assert edited_text(pull_one(alice, "bob", 1)) == "y"


def test_only_the_sender_edits(alice: Client, bob: Client) -> None:
    single = alice.say("bob", "x")
    assert bob.send(edit_of("alice", single.msgid, "y")).code == pb.PERMISSION_DENIED
    make_group(alice, "bob")
    of_bob = say_in(bob, "x")
    assert alice.send(in_group(edit_of(GROUP, of_bob.msgid, "y"))).code == pb.PERMISSION_DENIED, "not even the owner"
    assert not pull_one(bob, GROUP, of_bob.seq, chat=pb.GROUP_CHAT).HasField("edited")


def test_the_new_content_is_of_the_same_type(alice: Client) -> None:
    sent = alice.say("bob", "x")
    change = pb.Change(
        msgid=sent.msgid, type=pb.IMAGE, payload=pb.MessageImg(url="https://a.example/b.png").SerializeToString()
    )
    answer = alice.send(pb.Message(type=pb.EDIT, to="bob", payload=change.SerializeToString()))
    assert answer.code == pb.INVALID_ARGUMENT
    assert "TXT" in answer.reason


def test_a_text_can_be_edited_to_nothing_and_that_is_no_recall(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    sent = alice.say("bob", "x")
    virtual.clock.leap(RECALL_MS + 1)
    done(alice, pb.Message(type=pb.EDIT, to="bob", payload=pb.Change(msgid=sent.msgid).SerializeToString()))
    message = pull_one(alice, "bob", 1)
    assert not message.removed
    assert text_of(message) == "x"
    assert edited_text(message) == ""


def test_an_edit_that_makes_a_message_too_long_for_a_frame_is_refused(make_world: Callable[..., World]) -> None:
    alice = live(make_world(max_frame_bytes=20_000), "alice")
    sent = alice.say("bob", "x" * 10_000)
    answer = alice.send(edit_of("bob", sent.msgid, "y" * 10_000))
    assert answer.code == pb.INVALID_ARGUMENT
    assert "too long together" in answer.reason
    done(alice, edit_of("bob", sent.msgid, "y" * 8_000))
    assert len(edited_text(pull_one(alice, "bob", 1))) == 8_000


# ---------------------------------------------------------------- reactions


def test_a_reaction_and_its_removal_come_to_everyone_and_change_nothing_else(world: World, alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "x")
    before = pull_one(alice, "bob", 1)
    done(bob, reaction_of("alice", sent.msgid, "👍"))
    done(bob, reaction_of("alice", sent.msgid, "👍", removed=True))
    reactions = [pb.Reaction.FromString(message.payload) for message in alice.messages()]
    expected = [pb.Reaction(msgid=sent.msgid, emoji="👍", removed=removed) for removed in (False, True)]
    assert reactions == expected
    pulled = bob.pull("alice", after=1).messages
    assert [pb.Reaction.FromString(message.payload) for message in pulled] == expected
    assert pull_one(alice, "bob", 1) == before
    assert conversation(alice, "bob").unread == 0


@pytest.mark.parametrize(
    "emoji", ["👍", "👨‍👩‍👧‍👦", "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", "x" * 64]
)
def test_an_emoji_has_up_to_64_bytes(alice: Client, emoji: str) -> None:
    sent = alice.say("bob", "x")
    assert alice.send(reaction_of("bob", sent.msgid, emoji)).code == pb.OK


# ---------------------------------------------------------------- targets


def test_what_is_elsewhere_unseen_or_nowhere_cannot_be_told_apart(world: World, alice: Client, bob: Client) -> None:
    carol = live(world, "carol")
    org, appkey = OTHER_TENANT
    make_group(alice, "bob")
    before_carol = say_in(alice, "1").msgid
    invite(alice, "carol")
    targets = {
        "of another talk": alice.say("bob", "x").msgid,
        "of the talk with oneself": carol.say("carol", "x").msgid,
        "of another tenant": live(world, "erin", org=org, appkey=appkey).say("alice", "x").msgid,
        "from before": before_carol,
        "unknown": before_carol + 1,
        "none": 0,
    }
    for what, msgid in targets.items():
        for change in (recall_of(GROUP, msgid), edit_of(GROUP, msgid, "y"), reaction_of(GROUP, msgid, "👍")):
            answer = carol.send(in_group(change))
            expected = f"there is no message {msgid} in this conversation: check the msgid"
            assert (answer.code, answer.reason) == (pb.NOT_FOUND, expected), what
    assert pull_one(bob, GROUP, 2, chat=pb.GROUP_CHAT).payload


def test_a_change_reaches_into_no_other_conversation_of_the_same_user(alice: Client, bob: Client) -> None:
    make_group(alice, "bob")
    in_the_talk, in_crew = alice.say("bob", "x"), say_in(alice, "x")
    alice.say_all("alice", ["1", "2", "3"])
    for sent, to, chat in (
        (in_the_talk, GROUP, pb.GROUP_CHAT),
        (in_crew, "bob", pb.SINGLE),
        (in_the_talk, "alice", pb.SINGLE),
        (in_crew, "alice", pb.SINGLE),
    ):
        for change in (recall_of(to, sent.msgid), edit_of(to, sent.msgid, "y"), reaction_of(to, sent.msgid, "👍")):
            change.chat = chat
            assert alice.send(change).code == pb.NOT_FOUND
    assert text_of(pull_one(bob, "alice", 1)) == text_of(pull_one(bob, GROUP, 2, chat=pb.GROUP_CHAT)) == "x"


def test_what_the_user_has_cleared_is_not_found(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "x")
    assert hide(bob, "alice", through=1).code == pb.OK
    assert bob.send(reaction_of("alice", sent.msgid, "👍")).code == pb.NOT_FOUND
    assert alice.send(recall_of("bob", sent.msgid)).code == pb.OK


@pytest.mark.usefixtures("crew")
def test_neither_a_notice_nor_a_change_is_the_target_of_a_change(alice: Client) -> None:
    notice = pull_one(alice, GROUP, 1, chat=pb.GROUP_CHAT)
    sent = say_in(alice, "x")
    edit = done(alice, in_group(edit_of(GROUP, sent.msgid, "y")))
    reaction = done(alice, in_group(reaction_of(GROUP, sent.msgid, "👍")))
    recall = done(alice, in_group(recall_of(GROUP, sent.msgid)))
    for msgid in (notice.msgid, edit.msgid, reaction.msgid, recall.msgid):
        for change in (recall_of(GROUP, msgid), edit_of(GROUP, msgid, "z"), reaction_of(GROUP, msgid, "👍")):
            answer = alice.send(in_group(change))
            assert answer.code == pb.INVALID_ARGUMENT
            assert "cannot be changed" in answer.reason


def test_changes_sent_at_once_take_effect_in_order(alice: Client) -> None:
    sent = alice.say("alice", "note")
    first, second = edit_of("alice", sent.msgid, "1"), recall_of("alice", sent.msgid)
    seqids = [alice.next_seqid() for _ in range(3)]
    alice.write(
        *(
            pb.Command(version=1, request=pb.Request(seqid=seqid, payload=message.SerializeToString()))
            for seqid, message in zip(seqids, (first, second, first), strict=True)
        )
    )
    assert [alice.answer(seqid).code for seqid in seqids] == [pb.OK, pb.OK, pb.FAILED_PRECONDITION]


# ---------------------------------------------------------------- what is no change


def text_payload(size: int) -> bytes:
    return pb.MessageTxt(txt="x" * size).SerializeToString()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (pb.RECALL, pb.Change(msgid=1, payload=text_payload(1))),
        (pb.RECALL, pb.Change(msgid=1, type=pb.IMAGE)),
        (pb.EDIT, pb.Change(msgid=1, type=pb.TXT, payload=text_payload(16_385))),
        (pb.EDIT, pb.Change(msgid=1, type=pb.CUSTOM, payload=pb.MessageCustom(body=b"x" * 65_536).SerializeToString())),
        (pb.EDIT, pb.Change(msgid=1, type=pb.TXT, payload=b"\x0a\x05x")),
        (pb.EDIT, pb.Change(msgid=1, type=pb.RECALL)),
        (pb.EDIT, pb.Change(msgid=1, type=pb.EDIT)),
        (pb.EDIT, pb.Change(msgid=1, type=pb.REACTION)),
        (pb.EDIT, pb.Change(msgid=1, type=pb.NOTICE)),
        (pb.EDIT, pb.Change(msgid=1, type=77)),
        (pb.REACTION, pb.Reaction(msgid=1)),
        (pb.REACTION, pb.Reaction(msgid=1, emoji="x" * 65)),
        (pb.REACTION, pb.Reaction(msgid=1, emoji="a\nb")),
    ],
)
def test_a_change_that_makes_no_sense_is_an_invalid_argument(
    alice: Client, kind: pb.MessageType, content: pb.Change | pb.Reaction
) -> None:
    sent = alice.say("bob", "x")
    content.msgid = sent.msgid
    answer = alice.send(pb.Message(type=kind, to="bob", payload=content.SerializeToString()))
    assert answer.code == pb.INVALID_ARGUMENT
    assert answer.reason
    assert conversation(alice, "bob").last_seq == 1


def test_a_change_cannot_be_transient(alice: Client, bob: Client) -> None:
    sent = alice.say("bob", "x")
    bob.everything()
    for change in (recall_of("bob", sent.msgid), edit_of("bob", sent.msgid, "y"), reaction_of("bob", sent.msgid, "👍")):
        assert alice.send(change, transient=True).code == pb.INVALID_ARGUMENT
    assert bob.messages() == []
    assert text_of(pull_one(alice, "bob", 1)) == "x"


def test_nobody_forges_what_only_the_server_sets(alice: Client, bob: Client) -> None:
    message = text_message("bob", "x")
    message.removed = True
    message.edited.CopyFrom(pb.Change(msgid=1, payload=text_payload(5)))
    done(alice, message)
    for read in (bob.messages()[0], pull_one(bob, "alice", 1)):
        assert not read.removed
        assert not read.HasField("edited")
