"""Messages that follow each other are stored, answered and pushed together, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.delivery.run import Run, run_of, runs
from rockdove.core.records import Draft, Outcome
from rockdove.wire import codec


def stored(origin: object, conversation: int, seq: int, outcome: Outcome = Outcome.STORED, version: int = 0) -> Draft:
    """A draft after its commit."""
    draft = Draft(1, conversation, 4, b"", 5, 6, b"", origin)
    draft.seq, draft.msgid, draft.record, draft.outcome, draft.group_version = seq, seq * 100, bytes((seq,)), outcome, version
    return draft


drafts = st.builds(
    stored,
    st.sampled_from(["alice's phone", "bob's phone"]),
    st.integers(1, 2),
    st.integers(1, 4),
    st.sampled_from(Outcome),
    st.integers(0, 1),
)


@given(st.lists(drafts, max_size=12))
def test_a_batch_is_cut_where_the_next_message_does_not_follow(batch: list[Draft]) -> None:
    found = runs(batch)
    assert [draft for run in found for draft in run] == batch
    for run in found:
        assert len({(draft.origin, draft.conversation, draft.group_version) for draft in run}) == 1
        assert [draft.seq for draft in run] == list(range(run[0].seq, run[0].seq + len(run)))
        assert len(run) == 1 or {draft.outcome for draft in run} == {Outcome.STORED}


@given(st.integers(1, 20), st.integers(1, 9))
def test_what_one_session_stores_in_one_log_is_one_run(count: int, first: int) -> None:
    batch = [stored("phone", 1, first + n) for n in range(count)]
    assert runs(batch) == [batch]
    run = run_of(batch)
    assert (run.conversation, run.first, run.last, run.sender, run.device) == (1, first, first + count - 1, 4, 5)
    assert list(run.seqs) == [draft.seq for draft in batch]
    assert list(run.msgids) == [draft.msgid for draft in batch]


def test_its_frames_are_those_of_its_messages_built_once() -> None:
    run = Run(1, 7, [70, 80], [b"one", b"two"], 4, 5)
    assert run.frames == codec.push(b"one", 70) + codec.push(b"two", 80)
    assert run.frames is run.frames
