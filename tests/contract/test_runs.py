"""Messages that were stored together are read, changed, cut and recognised one by one, in every store."""

from asyncio import run
from collections.abc import Sequence

from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, Draft, DraftRun, Outcome, Rewrite, Stored
from rockdove.wire import codec
from tests.contract.desk import Desk
from tests.contract.machine import EVERYTHING, START_MS, commit
from tests.contract.model import draft_of, each_of

MANY = 150  # more than what lies in one row of any store
NODE = 1


def drafts_of(desk: Desk, seqids: Sequence[int], words: str) -> list[Draft]:
    return [draft_of(desk.writer, desk.phone, seqid, desk.reader, f"{words} {seqid}") for seqid in seqids]


def send(desk: Desk, seqids: Sequence[int], later: Sequence[int] = (), words: str = "hello, this is number") -> list[Draft]:
    """Send a run, and with the same commit single messages. What became of all of them."""
    drafts = drafts_of(desk, seqids, words)
    batch = Batch()
    batch.now_ms = START_MS
    batch.runs.append(DraftRun(drafts[0], list(seqids), [draft.body for draft in drafts]))
    batch.messages += drafts_of(desk, later, words)
    batch.number(MsgidSource(NODE, desk.store.last_msgid))
    assert commit(desk.store, batch) is None
    return [*(draft for one in batch.runs for draft in each_of(one)), *batch.messages]


def stored_of(desk: Desk, draft: Draft) -> Stored:
    return Stored(draft.seq, draft.msgid, desk.writer.id, desk.phone, draft.record)


def page(desk: Desk, after: int, before: int, limit: int) -> list[Stored]:
    return list(run(desk.store.messages(desk.talk, after, before, limit)))


def newest(desk: Desk, before: int, limit: int) -> list[Stored]:
    return list(run(desk.store.newest(desk.talk, before, limit)))


def test_pages_begin_and_end_anywhere(short_desk: Desk) -> None:
    desk = short_desk
    sent = [stored_of(desk, draft) for draft in (*send(desk, range(1, MANY + 1)), *send(desk, range(MANY + 1, 2 * MANY)))]
    for first in (1, 40):
        desk.cut(through=first - 1)
        left = sent[first - 1 :]
        for after in (0, 1, 39, 41, 63, 64, 149, 150, 298, 299, 1 << 62):
            for limit in (1, 2, 70, EVERYTHING):
                for before in (0, 2, 66, 151, 299):
                    wanted = [message for message in left if after < message.seq and (not before or message.seq < before)]
                    assert page(desk, after, before, limit) == wanted[:limit]
        for before in (0, 2, 42, 66, 151, 299, 1 << 62):
            for limit in (1, 2, 70, 1_000):
                wanted = [message for message in left if not before or message.seq < before]
                assert newest(desk, before, limit) == wanted[-limit:]


def test_each_is_found_by_its_msgid_and_by_its_key(desk: Desk) -> None:
    sent = send(desk, range(1, MANY + 1))
    for draft in sent[::7]:
        located = run(desk.store.located(draft.msgid))
        assert located == (desk.talk, draft.seq, desk.writer.id, draft.record)
        assert run(desk.store.earlier(desk.phone, draft.seqid)) == (draft.msgid, draft.seq, draft.digest)
        assert run(desk.store.located(draft.msgid + 1)) is None
    assert run(desk.store.earlier(desk.phone, MANY + 1)) is None
    device = run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS))
    assert device.last_seqid == MANY


def test_run_that_was_partly_sent_before_is_stored_in_part(desk: Desk) -> None:
    first = send(desk, range(5, 15))
    again = send(desk, range(1, 21))
    outcomes = {draft.seqid: draft.outcome for draft in again}
    assert {seqid for seqid, outcome in outcomes.items() if outcome is Outcome.RETRY} == set(range(5, 15))
    assert sorted(outcomes) == list(range(1, 21))
    places = {draft.seqid: (draft.msgid, draft.seq) for draft in again}
    assert [places[draft.seqid] for draft in first] == [(draft.msgid, draft.seq) for draft in first]
    assert desk.seqs() == list(range(1, 21))
    assert all(draft.outcome is Outcome.CONFLICT for draft in send(desk, range(1, 21), words="something else"))


def test_seqids_between_those_of_a_run_are_free(desk: Desk) -> None:
    send(desk, [1, 2, 4, 5, 6, 9, 11, 12])
    for seqid in (3, 7, 8, 10, 13):
        assert send(desk, [seqid])[0].outcome is Outcome.STORED
    assert {draft.outcome for draft in send(desk, range(1, 14))} == {Outcome.RETRY}
    assert desk.seqs() == list(range(1, 14))


def test_single_message_beside_a_run_may_repeat_one_of_it(desk: Desk) -> None:
    drafts = send(desk, range(1, 9), later=[9, 4])
    assert {draft.seqid: draft.outcome for draft in drafts[:9]} == dict.fromkeys(range(1, 10), Outcome.STORED)
    repeated = next(draft for draft in drafts if draft.seqid == 4)
    assert (drafts[-1].outcome, drafts[-1].msgid, drafts[-1].seq) == (Outcome.RETRY, repeated.msgid, repeated.seq)
    assert desk.seqs() == list(range(1, 10))


def test_one_that_is_rewritten_leaves_the_others_as_they_were(desk: Desk) -> None:
    sent = send(desk, range(1, 31))
    records = {draft.seq: draft.record for draft in sent}
    for draft in (sent[10], sent[0], sent[11], sent[29]):
        records[draft.seq] = codec.tombstone(draft.record)
        desk.change(Rewrite(draft.msgid, records[draft.seq]))
        assert {message.seq: message.record for message in page(desk, 0, 0, EVERYTHING)} == records
    assert desk.unread() == 26
    assert {draft.outcome for draft in send(desk, range(1, 31))} == {Outcome.RETRY}
    desk.backend.restart(clean=False)
    assert {message.seq: message.record for message in page(desk, 0, 0, EVERYTHING)} == records
    for draft in sent:
        located = run(desk.store.located(draft.msgid))
        assert located is not None
        assert (located.seq, located.record) == (draft.seq, records[draft.seq])


def test_keys_of_those_that_were_cut_are_known_until_they_are_forgotten(short_desk: Desk) -> None:
    desk = short_desk
    sent = send(desk, range(1, 31))
    desk.cut(through=20)
    assert desk.seqs() == list(range(21, 31))
    assert desk.unread() == 10
    assert {draft.outcome for draft in send(desk, range(1, 31))} == {Outcome.RETRY}
    run(desk.store.forget_requests(sent[10].msgid, EVERYTHING))
    outcomes = [draft.outcome for draft in sorted(send(desk, range(1, 31)), key=lambda draft: draft.seqid)]
    assert outcomes == [Outcome.STORED] * 10 + [Outcome.RETRY] * 20
    device = run(desk.store.open_device(desk.writer.id, "phone", "test", START_MS))
    assert device.last_seqid == 30
