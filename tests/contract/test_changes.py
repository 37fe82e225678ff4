"""Changes are decided and carried out in the transaction of the messages beside them."""

from asyncio import run
from collections.abc import Sequence

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import View
from rockdove.core.records import (
    NO_RETENTION,
    Append,
    Batch,
    Change,
    Contact,
    ContactState,
    Draft,
    Effect,
    EndMembers,
    Group,
    KickDevice,
    Member,
    NoteEdit,
    Outcome,
    PutContact,
    PutGroup,
    PutMembers,
    Rewrite,
    Role,
    Stored,
)
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import TENANTS, Backend
from tests.contract.changes import IfMember, change_of
from tests.contract.desk import STEP, Desk
from tests.contract.machine import EVERYTHING, START_MS, commit
from tests.contract.model import draft_of

GROUP = 1  # the conversation of the first group


def batch_of(*drafts: Draft, change: Change | None = None) -> Batch:
    """The messages, then the change."""
    batch = Batch()
    batch.now_ms = START_MS
    batch.messages += drafts
    if change is not None:
        batch.changes.append((len(drafts), change))
    return batch


def new_group(desk: Desk, *users: int, group_id: str = "g") -> list[Effect]:
    group = Group(GROUP, desk.writer.tenant, group_id, "Name", users[0], START_MS, size=len(users))
    return [PutGroup(group), *(PutMembers.of(Member(GROUP, user, Role.MEMBER, START_MS, 0)) for user in users)]


def notice(desk: Desk) -> Append:
    desk.msgid += STEP
    body = codec.canonical(pb.Message(type=pb.NOTICE, chat=pb.GROUP_CHAT, to="g", payload=b"news"))
    draft = Draft(desk.writer.tenant, GROUP, 0, b"", 0, 0, body, None)
    draft.msgid = desk.msgid
    return Append(draft)


def post(desk: Desk, seqid: int) -> Draft:
    """A message of the writer for the group's members."""
    desk.msgid += STEP
    draft = draft_of(desk.writer, desk.phone, seqid, desk.reader, "hello", desk.msgid)
    draft.conversation, draft.permit = GROUP, IfMember(GROUP, desk.writer.id)
    return draft


def stored(desk: Desk, conversation: int) -> Sequence[Stored]:
    return run(desk.store.messages(conversation, 0, 0, EVERYTHING))


# ---------------------------------------------------------------- permits and retries (protocol §4)


def test_refused_message_leaves_its_key_free(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.reader.id))
    for seqid in (5, 2, 5, 5):  # also where the seqids go down
        refused = post(desk, seqid)
        assert desk.commit(refused) is None
        assert refused.outcome is Outcome.REFUSED
        assert refused.refusal is not None
        assert refused.refusal.code == pb.PERMISSION_DENIED
    assert stored(desk, GROUP) == []
    desk.change(PutMembers.of(Member(GROUP, desk.writer.id, Role.MEMBER, START_MS, 0)))
    for seqid in (5, 2):
        draft = post(desk, seqid)
        assert desk.commit(draft) is None
        assert draft.outcome is Outcome.STORED
    assert len(stored(desk, GROUP)) == 2


def test_refused_message_does_not_count_for_the_highest_seqid(desk: Desk) -> None:
    desk.send(3)
    desk.change(*new_group(desk, desk.reader.id))
    assert desk.commit(post(desk, 9)) is None
    assert run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS)).last_seqid == 3


def test_retry_is_answered_as_one_after_the_sender_was_kicked(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.writer.id, desk.reader.id))
    first = post(desk, 1)
    assert desk.commit(first) is None
    desk.change(EndMembers(GROUP, (desk.writer.id,), 1))
    retry, other = post(desk, 1), post(desk, 2)
    assert desk.commit(retry, other) is None
    assert (retry.outcome, retry.msgid, retry.seq) == (Outcome.RETRY, first.msgid, 1)
    assert other.outcome is Outcome.REFUSED


def test_permit_sees_the_changes_before_it_in_the_batch(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.writer.id))
    before, after = post(desk, 1), post(desk, 2)
    batch = batch_of(before, change=change_of(EndMembers(GROUP, (desk.writer.id,), 1)))
    batch.messages.append(after)
    assert commit(desk.store, batch) is None
    assert [before.outcome, after.outcome] == [Outcome.STORED, Outcome.REFUSED]


def test_change_with_a_message_is_done_once(desk: Desk) -> None:
    target = desk.send(1)
    for expected in (Outcome.STORED, Outcome.RETRY):
        draft = desk.draft(2, "edit")
        change = change_of(NoteEdit(target.msgid, draft.msgid), draft=draft)
        assert commit(desk.store, batch_of(change=change)) is None
        assert draft.outcome is expected
    assert len(run(desk.store.edits(target.msgid))) == 1


def test_refused_change_does_nothing_and_leaves_the_key_of_its_message_free(desk: Desk) -> None:
    target = desk.send(1)
    draft = desk.draft(2)
    change = change_of(Rewrite(target.msgid, b"gone"), refused=True, draft=draft)
    assert commit(desk.store, batch_of(change=change)) is None
    assert (draft.outcome, draft.refusal) == (Outcome.REFUSED, change.refusal)
    assert [message.record for message in stored(desk, desk.talk)] == [target.record]
    assert desk.send(2).outcome is Outcome.STORED


class Faulty:
    """A rule, and a permit, with a bug."""

    conversation = 0

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        raise KeyError("oh")

    async def check(self, view: View, now_ms: int) -> None:
        raise KeyError("oh")


def test_faulty_rule_costs_nobody_else_his_message(desk: Desk) -> None:
    change = Change(Faulty(), lambda *_: None)
    good, bad = desk.draft(1), desk.draft(2)
    bad.permit = Faulty()
    assert commit(desk.store, batch_of(good, bad, change=change)) is None
    assert [good.outcome, bad.outcome] == [Outcome.STORED, Outcome.REFUSED]
    for refusal in (bad.refusal, change.refusal):
        assert refusal is not None
        assert refusal.code == pb.INTERNAL
        assert isinstance(refusal.__cause__, KeyError)
    assert desk.seqs() == [1]


# ---------------------------------------------------------------- messages that change (protocol §7)


def test_recalled_message_is_not_unread_wherever_it_is_kept(desk: Desk) -> None:
    sent = []
    for number in range(12):  # some are settled, some are being settled, some are new
        sent.append(desk.send(number + 1))
        if number % 2:
            target = sent[number * 5 % (number + 1)]
            desk.change(Rewrite(target.msgid, codec.tombstone(target.record)))
        removed = [pb.Message.FromString(message.record).removed for message in stored(desk, desk.talk)]
        assert desk.unread() == removed.count(False)
        desk.backend.restart(clean=bool(number % 3))
        assert desk.unread() == removed.count(False)
    assert removed.count(True) > 3


@pytest.mark.parametrize("number", [0, 3, 5])  # settled, being settled, new
def test_failed_recall_leaves_the_message_unread(failing_desk: Desk, number: int) -> None:
    desk = failing_desk
    sent = [desk.send(number + 1) for number in range(6)]
    target = sent[number]
    for statement in range(100):
        change = change_of(Rewrite(target.msgid, codec.tombstone(target.record)))
        with desk.backend.failing(statement, rolled_back=bool(statement % 2)):
            error = commit(desk.store, batch_of(change=change))
        if error is None:
            break
        assert desk.unread() == 6
        assert [message.record for message in stored(desk, desk.talk)] == [draft.record for draft in sent]
    assert statement > 3
    assert desk.unread() == 5


def test_rewritten_message_stays_where_it_was_and_its_retry_is_recognised(desk: Desk) -> None:
    sent = [desk.send(number + 1) for number in range(9)]
    longer = pb.Message(edited=pb.Change(payload=b"x" * 9000)).SerializeToString()
    for draft in sent[::4]:
        desk.change(Rewrite(draft.msgid, draft.record + longer))
    desk.backend.restart(clean=False)
    records = [draft.record + (b"" if number % 4 else longer) for number, draft in enumerate(sent)]
    assert [message.record for message in stored(desk, desk.talk)] == records
    for number, draft in enumerate(sent):
        retry = desk.send(number + 1)
        assert (retry.outcome, retry.msgid) == (Outcome.RETRY, draft.msgid)
        assert desk.send(number + 1, "other words").outcome is Outcome.CONFLICT


def test_message_of_the_same_batch_can_be_changed(desk: Desk) -> None:
    draft = desk.draft(1)

    async def look(view: View) -> None:
        found = await view.located(draft.msgid)
        assert found == (desk.talk, 1, desk.writer.id, draft.record)

    other = pb.Message(payload=b"other").SerializeToString()
    change = change_of(Rewrite(draft.msgid, other), look=look)
    assert commit(desk.store, batch_of(draft, change=change)) is None
    assert change.refusal is None
    assert [message.record for message in stored(desk, desk.talk)] == [other]


# ---------------------------------------------------------------- groups (protocol §7)


def test_joiner_with_history_is_owed_it_and_has_it_not_unread(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.writer.id), notice(desk))
    assert desk.commit(post(desk, 1), post(desk, 2)) is None
    desk.change(PutMembers.of(Member(GROUP, desk.reader.id, Role.MEMBER, START_MS, 0)), notice(desk))
    assert desk.commit(post(desk, 3)) is None
    device = run(desk.store.open_device(desk.reader.id, "", "test", START_MS)).id
    (summary,) = run(desk.store.summaries(desk.reader.id, device, None, 10))
    assert (summary.unread, summary.read_seq, summary.last_seq) == (1, 3, 5)
    assert list(run(desk.store.owed(desk.reader.id, device))) == [GROUP]
    assert run(desk.store.position(desk.reader.id, device, GROUP)).visible[0][0] == 0


def test_joiner_is_owed_nothing_from_before(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.writer.id), notice(desk))
    desk.change(PutMembers.of(Member(GROUP, desk.reader.id, Role.MEMBER, START_MS, 1)))
    device = run(desk.store.open_device(desk.reader.id, "", "test", START_MS)).id
    assert list(run(desk.store.owed(desk.reader.id, device))) == []
    assert desk.commit(post(desk, 1)) is None
    assert list(run(desk.store.owed(desk.reader.id, device))) == [GROUP]


@pytest.mark.parametrize("history", [True, False])
def test_who_comes_and_goes_may_read_what_he_was_there_for(desk: Desk, history: bool) -> None:
    reader = desk.reader.id
    desk.change(*new_group(desk, desk.writer.id), notice(desk))
    last_seq = 1
    for coming in range(1, 4):  # each time: one message before, the notice, a message, the notice
        after_seq = 0 if history else last_seq + 1
        assert desk.commit(post(desk, 3 * coming)) is None
        desk.change(PutMembers.of(Member(GROUP, reader, Role.MEMBER, START_MS, after_seq)), notice(desk))
        assert desk.commit(post(desk, 3 * coming + 1)) is None
        desk.change(notice(desk), EndMembers(GROUP, (reader,), last_seq + 4))
        last_seq += 4
    assert desk.commit(post(desk, 99)) is None
    spans = ((0, 13),) if history else ((2, 5), (6, 9), (10, 13))
    assert run(desk.store.visible(reader, GROUP)) == spans


def test_who_has_left_holds_up_retention_only_until_he_has_all_that_was_for_him(backend: Backend) -> None:
    desk = Desk(backend, *TENANTS[NO_RETENTION][:2])
    desk.change(*new_group(desk, desk.writer.id, desk.reader.id), notice(desk))
    desk.change(EndMembers(GROUP, (desk.reader.id,), 2), notice(desk))
    for seqid in range(1, 5):
        assert desk.commit(post(desk, seqid)) is None
    device = run(desk.store.open_device(desk.reader.id, "", "test", START_MS)).id

    def acked_by_all(seq: int) -> int:
        batch = Batch()
        batch.cursors |= {(desk.phone, GROUP): 6, (desk.laptop, GROUP): 5, (device, GROUP): seq}
        assert commit(desk.store, batch) is None
        (span,) = run(desk.store.spans(0, 0, EVERYTHING))
        return span.acked_by_all

    assert [acked_by_all(seq) for seq in range(3)] == [0, 1, 5]
    (span,) = run(desk.store.spans(0, START_MS + 1, EVERYTHING))  # all devices have expired
    assert span.acked_by_all == 6


def test_group_id_is_looked_for_in_its_tenant_alone(desk: Desk) -> None:
    desk.change(*new_group(desk, desk.writer.id))
    assert run(desk.store.group_named(desk.writer.tenant, "g")) is not None
    assert run(desk.store.group_named(desk.writer.tenant + 1, "g")) is None
    assert run(desk.store.group_named(desk.writer.tenant, "G")) is None


def test_failed_batch_of_changes_leaves_nothing(failing_desk: Desk) -> None:
    desk = failing_desk
    contact = Contact(desk.writer.id, desk.reader.id, ContactState.FRIEND, version=1)
    for statement in range(100):
        device = run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS))
        change = change_of(*new_group(desk, desk.writer.id), notice(desk), PutContact(contact), KickDevice(device.id, START_MS))
        with desk.backend.failing(statement, rolled_back=bool(statement % 2)):
            error = commit(desk.store, batch_of(desk.draft(1), change=change))
        if error is None:
            break
        assert isinstance(error, StoreUnavailable)
        assert run(desk.store.group(GROUP)) is None
        assert run(desk.store.member(GROUP, desk.writer.id)) is None
        assert run(desk.store.new_group()) >= GROUP
        assert run(desk.store.contact(desk.writer.id, desk.reader.id)).version == 0
        assert run(desk.store.last_seq(GROUP)) == 0
        assert desk.kicked_ms("phone") == 0
        assert desk.seqs() == []
    assert statement > 8
    assert run(desk.store.member(GROUP, desk.writer.id)) is not None
    assert run(desk.store.contact(desk.writer.id, desk.reader.id)) == contact
    assert desk.kicked_ms("phone") == START_MS
    assert (desk.seqs(), run(desk.store.last_seq(GROUP))) == ([1], 1)
    desk.backend.restart(clean=False)
    assert (desk.seqs(), run(desk.store.last_seq(GROUP))) == ([1], 1)


def test_message_of_a_failed_batch_does_not_come_with_a_later_one(failing_desk: Desk) -> None:
    desk = failing_desk
    for number in range(1, 13):
        contact = PutContact(Contact(desk.writer.id, desk.reader.id, version=number))
        with desk.backend.failing(number % 4, rolled_back=False):
            error = commit(desk.store, batch_of(desk.draft(0), change=change_of(contact)))
        assert isinstance(error, StoreUnavailable)
        desk.send(100 + number)
        desk.backend.restart(clean=False)
        assert desk.seqs() == list(range(1, number + 1))


def test_store_that_fails_while_a_permit_looks_at_it_stores_nothing(failing_desk: Desk) -> None:
    desk = failing_desk
    desk.change(*new_group(desk, desk.writer.id))
    for statement in range(100):
        desk.backend.restart(clean=True)  # so that it has to look
        draft = post(desk, 1)
        with desk.backend.failing(statement, rolled_back=True):
            error = desk.commit(draft, desk.draft(2))
        if error is None:
            break
        assert isinstance(error, StoreUnavailable)
        assert (desk.seqs(), stored(desk, GROUP)) == ([], [])
    assert statement > 4
    assert (draft.outcome, desk.seqs(), len(stored(desk, GROUP))) == (Outcome.STORED, [1], 1)


# ---------------------------------------------------------------- devices


def test_device_is_listed_with_what_it_calls_itself_now(desk: Desk) -> None:
    run(desk.store.open_device(desk.writer.id, "phone", "app 2", START_MS + 5))
    clients = {state.name: state.client for state in run(desk.store.devices(desk.writer.id))}
    assert clients == {"phone": "app 2", "laptop": "test"}
