"""Every adapter of core.ports.Store keeps the same promises."""

from asyncio import run
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Batch, Caller, Draft, Outcome, Position
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import AT_COMMIT
from tests.contract.conftest import MakeBackend
from tests.contract.desk import STEP, Desk
from tests.contract.machine import EVERYTHING, START_MS, StoreMachine, commit
from tests.contract.model import draft_of

MAX_SEQID = (1 << 64) - 1


def test_store_does_what_the_model_says(make_backend: MakeBackend, examples: int) -> None:
    sizes = settings(max_examples=examples, stateful_step_count=30)
    run_state_machine_as_test(lambda: StoreMachine(make_backend), settings=sizes)


# ---------------------------------------------------------------- messages (protocol §1, §4)


def test_what_is_read_back_is_the_message_with_the_fields_of_the_server(desk: Desk) -> None:
    draft = desk.send(7, "words")
    (stored,) = run(desk.store.messages(desk.talk, 0, 0, 10))
    message = pb.Message.FromString(stored.record)
    assert (message.msgid, message.seq, getattr(message, "from"), message.to) == (draft.msgid, 1, "alice", "bob")
    assert message.timestamp == START_MS
    assert pb.MessageTxt.FromString(message.payload).txt == "words"
    assert (stored.msgid, stored.sender, stored.device) == (draft.msgid, desk.writer.id, desk.phone)


def test_retry_gets_the_first_place_after_a_restart(desk: Desk) -> None:
    first = desk.send(MAX_SEQID)
    for number in range(10):
        desk.send(number + 1)
    for clean in (True, False):
        desk.backend.restart(clean=clean)
        retry = desk.send(MAX_SEQID)
        assert (retry.outcome, retry.msgid, retry.seq) == (Outcome.RETRY, first.msgid, first.seq)
    assert desk.seqs() == list(range(1, 12))


def test_what_was_stored_under_a_key_is_told_without_storing(desk: Desk) -> None:
    draft = desk.send(7)
    assert run(desk.store.earlier(desk.phone, 7)) == (draft.msgid, draft.seq, draft.digest)
    assert run(desk.store.earlier(desk.phone, 8)) is None
    assert run(desk.store.earlier(desk.laptop, 7)) is None
    desk.backend.restart(clean=False)
    assert run(desk.store.earlier(desk.phone, 7)) == (draft.msgid, draft.seq, draft.digest)
    assert desk.seqs() == [1]


def test_retry_within_one_batch_is_found(desk: Desk) -> None:
    first, retry, other = desk.draft(1), desk.draft(1), desk.draft(1, "something else")
    assert desk.commit(first, retry, other) is None
    assert [draft.outcome for draft in (first, retry, other)] == [Outcome.STORED, Outcome.RETRY, Outcome.CONFLICT]
    assert (retry.msgid, retry.seq) == (first.msgid, 1)
    assert desk.seqs() == [1]


def test_seqids_may_come_in_any_order(desk: Desk) -> None:
    for seqid in (MAX_SEQID, 1 << 63, 5, (1 << 63) - 1, 1):
        assert desk.send(seqid).outcome is Outcome.STORED
        assert desk.send(seqid).outcome is Outcome.RETRY
    assert desk.seqs() == [1, 2, 3, 4, 5]


def test_messages_without_a_seqid_are_all_stored(desk: Desk) -> None:
    assert desk.commit(desk.draft(0), desk.draft(0)) is None
    assert desk.send(0).outcome is Outcome.STORED
    assert desk.seqs() == [1, 2, 3]


def test_seqids_of_another_device_are_another_key(desk: Desk) -> None:
    desk.send(1)
    draft = draft_of(desk.writer, desk.laptop, 1, desk.reader, "hello", desk.msgid + STEP)
    assert desk.commit(draft) is None
    assert (draft.outcome, draft.seq) == (Outcome.STORED, 2)


def test_retry_is_found_after_the_message_was_cut_until_its_key_is_forgotten(short_desk: Desk) -> None:
    desk = short_desk
    first = desk.send(1)
    desk.send(0)
    desk.cut(through=first.seq)
    desk.backend.restart(clean=True)
    assert desk.send(1).outcome is Outcome.RETRY
    run(desk.store.forget_requests(first.msgid, EVERYTHING))
    assert desk.send(1).outcome is Outcome.RETRY
    run(desk.store.forget_requests(first.msgid + 1, EVERYTHING))
    assert desk.send(1).outcome is Outcome.STORED


def test_key_of_a_message_that_is_kept_is_not_forgotten(desk: Desk) -> None:
    desk.send(1)
    run(desk.store.forget_requests(desk.msgid + 1, EVERYTHING))
    assert desk.send(1).outcome is Outcome.RETRY


def test_seqs_and_msgids_go_on_after_everything_was_cut(short_desk: Desk) -> None:
    desk = short_desk
    for _ in range(9):
        last = desk.send(0)
    desk.cut(through=last.seq)
    desk.backend.restart(clean=True)
    assert desk.store.last_msgid == last.msgid
    assert run(desk.store.last_seq(desk.talk)) == 9
    assert desk.send(0).seq == 10


def test_summary_of_a_conversation_that_was_cut_says_how_far_it_went(short_desk: Desk) -> None:
    desk = short_desk
    last = desk.send(0)
    desk.cut(through=last.seq)
    (summary,) = run(desk.store.summaries(desk.writer.id, desk.phone, None, 10))
    assert (summary.last_seq, summary.last_msgid, summary.last, summary.unread) == (1, last.msgid, b"", 0)


# ---------------------------------------------------------------- devices and cursors (protocol §5)


def test_cursor_never_moves_back(desk: Desk) -> None:
    for _ in range(3):
        desk.send(0)
    desk.ack(desk.laptop, 2)
    desk.ack(desk.laptop, 1)
    assert run(desk.store.position(desk.writer.id, desk.laptop, desk.talk)) == Position(2, 2)
    assert list(run(desk.store.owed(desk.writer.id, desk.laptop))) == [desk.talk]
    desk.ack(desk.laptop, 3)
    assert list(run(desk.store.owed(desk.writer.id, desk.laptop))) == []


def test_new_device_starts_at_the_highest_cursor_of_its_siblings(desk: Desk) -> None:
    for _ in range(3):
        desk.send(0)
    desk.ack(desk.phone, 1)
    desk.ack(desk.laptop, 2)
    assert run(desk.store.position(desk.writer.id, desk.device("tablet"), desk.talk)).cursor == 2


def test_first_device_is_owed_everything(desk: Desk) -> None:
    desk.send(0)
    desk.ack(desk.phone, 1)
    device = run(desk.store.open_device(desk.reader.id, "", "test", START_MS))
    assert list(run(desk.store.owed(desk.reader.id, device.id))) == [desk.talk]


def test_expected_devices_are_as_if_they_had_come_by_themselves(desk: Desk) -> None:
    for _ in range(2):
        desk.send(0)
    desk.ack(desk.phone, 1)
    batch = Batch()
    batch.now_ms = START_MS
    batch.cursors[desk.phone, desk.talk] = 2
    batch.newcomers += [(desk.writer.id, "tablet", "app"), (desk.reader.id, "tablet", "app"), (desk.writer.id, "tablet", "app")]
    batch.newcomers.append((desk.writer.id, "phone", "app"))  # came by itself before
    assert commit(desk.store, batch) is None
    assert run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS)).id == desk.phone
    tablet = run(desk.store.open_device(desk.writer.id, "tablet", "app", START_MS))
    assert run(desk.store.position(desk.writer.id, tablet.id, desk.talk)).cursor == 2
    first = run(desk.store.open_device(desk.reader.id, "tablet", "app", START_MS))
    assert list(run(desk.store.owed(desk.reader.id, first.id))) == [desk.talk]
    states = {device.name: device for device in run(desk.store.devices(desk.writer.id))}
    assert (states["tablet"].client, states["tablet"].last_seen_ms) == ("app", START_MS)


def test_device_is_told_its_highest_seqid(desk: Desk) -> None:
    for seqid in (5, MAX_SEQID, 7):
        desk.send(seqid)
    for clean in (True, False):
        desk.backend.restart(clean=clean)
        device = run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS))
        assert (device.id, device.last_seqid) == (desk.phone, MAX_SEQID)


def test_a_login_is_told_all_it_asks_for(desk: Desk) -> None:
    writer, reader = desk.writer, desk.reader
    assert run(desk.store.caller(writer.tenant, "nobody", "phone")) is None
    assert run(desk.store.caller(writer.tenant + 1, writer.name, "phone")) is None
    desk.send(7)
    for clean in (True, False):
        desk.backend.restart(clean=clean)
        device = run(desk.store.device(writer.id, "phone"))
        assert device is not None
        assert device.last_seqid == 7
        assert run(desk.store.caller(writer.tenant, writer.name, "phone")) == Caller(writer, device, "test", True)
        assert run(desk.store.caller(reader.tenant, reader.name, "")) == Caller(reader, None, "", True)


# ---------------------------------------------------------------- when nothing can be stored (protocol §4 UNAVAILABLE)


def failures(desk: Desk, draft: Draft) -> Iterator[int]:
    """Have the commit of `draft` fail at each of its statements in turn."""
    for statement in range(100):
        with desk.backend.failing(statement, rolled_back=bool(statement % 2)):
            error = desk.commit(draft)
        if error is None:
            assert statement > 0, "nothing failed"
            return
        assert isinstance(error, StoreUnavailable)
        yield statement
    raise AssertionError("it failed for ever")


def test_failed_first_message_leaves_no_conversation(failing_desk: Desk) -> None:
    desk = failing_desk
    for _ in failures(desk, desk.draft(1)):
        assert desk.seqs() == []
        assert run(desk.store.last_seq(desk.talk)) == 0
        assert list(run(desk.store.owed(desk.writer.id, desk.phone))) == []
        assert list(run(desk.store.summaries(desk.writer.id, desk.phone, None, 10))) == []
    assert desk.seqs() == [1]
    assert [summary.last_seq for summary in run(desk.store.summaries(desk.writer.id, desk.phone, None, 10))] == [1]


def test_failed_batches_take_no_seq_and_no_seqid(failing_desk: Desk) -> None:
    desk = failing_desk
    for seqid in range(1, 13):  # long enough for all that happens now and then to happen in a failing batch
        before = desk.seqs()
        draft = desk.draft(seqid)
        for _ in failures(desk, draft):
            assert desk.seqs() == before
            assert run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS)).last_seqid == seqid - 1
        assert (draft.outcome, draft.seq) == (Outcome.STORED, len(before) + 1)
    desk.backend.restart(clean=False)
    assert desk.seqs() == list(range(1, 13))


@pytest.mark.parametrize("size", [1, 3, 4, 5, 9])
def test_failed_batch_is_stored_as_new_by_its_retry(failing_desk: Desk, size: int) -> None:
    desk = failing_desk
    for seqid in (9, 1, 5):
        desk.send(1000 + seqid)
    batch = [desk.draft(seqid) for seqid in range(size, 0, -1)]
    with desk.backend.failing(AT_COMMIT, rolled_back=False):
        assert isinstance(desk.commit(*batch), StoreUnavailable)
    assert desk.seqs() == [1, 2, 3]
    retries = [desk.draft(seqid) for seqid in range(size, 0, -1)]
    assert desk.commit(*retries) is None
    assert {draft.outcome for draft in retries} == {Outcome.STORED}
    assert desk.seqs() == list(range(1, size + 4))


def test_new_device_that_cannot_be_stored_is_refused_and_made_later(failing_desk: Desk) -> None:
    desk = failing_desk
    with desk.backend.failing(AT_COMMIT, rolled_back=False), pytest.raises(StoreUnavailable):
        desk.device("tablet")
    assert desk.device("tablet") not in {desk.phone, desk.laptop}
