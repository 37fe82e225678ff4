"""A turn in which there is a lot to tell ends all the same, and goes on in the next one."""

from collections.abc import Iterator
from itertools import count

import pytest

from rockdove.core.commit import FLUSHES, STRETCH_SECONDS, GroupCommit
from rockdove.core.figures import Figures
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Change, Draft, single_conversation
from tests.protocol.virtual import Clock, Journal
from tests.unit.core.sessions import stands_in
from tests.unit.core.test_commit import Disk

GROUP = 7
BETWEEN_TWO = single_conversation(1, 2)


class Turns:
    """A group commit on a slow machine; what was told, turn by turn."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.clock = Clock(self.journal.fault)
        self.disk = Disk()
        self.told: list[list[str]] = [[]]
        figures = Figures()
        figures.clock = count(step=2 * STRETCH_SECONDS).__next__
        self.commit = GroupCommit(self.disk, self.clock, MsgidSource(0, 0), self.journal, figures)  # type: ignore[arg-type]
        self.commit.on_messages = lambda drafts, _: self.tell(", ".join(f"stored {draft.seqid}" for draft in drafts))
        self.commit.on_change = self.tell_of_change

    def tell(self, news: str) -> None:
        """In this turn."""
        if not self.told[-1]:
            self.clock.soon(lambda: self.told.append([]))
        self.told[-1].append(news)

    def tell_of_change(self, change: Change, _: int) -> Iterator[None]:
        """Two of those whom it concerns, one after the other."""
        for number in (1, 2):
            self.tell(f"changed {change.rule} {number}")
            yield

    def send(self, conversation: int, *seqids: int) -> None:
        for seqid in seqids:
            self.commit.send(Draft(1, conversation, 1, b"", 7, seqid, b"", None))

    def run(self) -> list[list[str]]:
        """Until there is nothing left to do."""
        self.clock.settle()
        assert not self.journal.faults
        return [turn for turn in self.told if turn]


class Out:
    """A session's way out."""

    def __init__(self, turns: Turns, name: str, backlog: int = 0) -> None:
        self._turns = turns
        self._name = name
        self.backlog = self
        self.owed = backlog
        self.waits = True

    def flush(self) -> None:
        self.write_out()
        if self.owed:
            self.owed -= 1
            self._turns.tell(f"{self._name} reads")
            if self.owed:
                self._turns.commit.touch(self)  # type: ignore[arg-type]

    def write_out(self) -> None:
        if self.waits:
            self.waits = False
            self._turns.tell(f"{self._name} written")


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_messages_to_groups_are_told_of_in_several_turns_and_in_order(turns: Turns) -> None:
    turns.send(GROUP, 1, 2, 3)
    assert turns.run() == [["stored 1"], ["stored 2"], ["stored 3"]]


def test_messages_between_two_are_told_of_in_one(turns: Turns) -> None:
    turns.send(BETWEEN_TWO, 1, 2, 3)
    assert turns.run() == [["stored 1", "stored 2", "stored 3"]]


def test_what_is_stored_next_is_stored_when_all_before_it_is_told(turns: Turns) -> None:
    turns.send(GROUP, 1, 2)
    turns.commit.then(lambda error: turns.tell(f"then {error}"))
    turns.clock.soon(lambda: turns.send(BETWEEN_TWO, 3))
    assert turns.run() == [["stored 1"], ["stored 2"], ["then None", "stored 3"]]
    assert [len(batch.messages) for batch in turns.disk.batches] == [2, 1]


def test_a_store_that_answers_later_is_told_of_likewise(turns: Turns) -> None:
    turns.disk.at_once = False
    turns.send(GROUP, 1, 2)
    turns.clock.settle()
    assert turns.commit.under_way
    turns.disk.finish()
    assert not turns.commit.under_way
    turns.send(GROUP, 3)
    turns.clock.settle()
    assert turns.told[:2] == [["stored 1"], ["stored 2"]]
    turns.disk.finish()
    turns.clock.settle()
    assert turns.told[2:] == [["stored 3"], []]


def test_of_a_change_that_concerns_many_some_are_told_in_each_turn(turns: Turns) -> None:
    for rule in ("invite", "kick"):
        turns.commit.change(_change(rule))
    turns.clock.soon(lambda: turns.send(BETWEEN_TWO, 3))
    assert turns.run() == [["changed invite 1"], ["changed invite 2"], ["changed kick 1"], ["changed kick 2"], ["stored 3"]]


@stands_in
def test_so_many_connections_are_written_to_in_a_turn(turns: Turns) -> None:
    for number in range(2 * FLUSHES + 1):
        turns.commit.touch(Out(turns, str(number)))  # type: ignore[arg-type]
    assert [len(turn) for turn in turns.run()] == [FLUSHES, FLUSHES, 1]
    assert [news for turn in turns.told for news in turn] == [f"{number} written" for number in range(2 * FLUSHES + 1)]


@stands_in
def test_nobody_waits_for_the_backlog_of_others(turns: Turns) -> None:
    for number in range(3):
        turns.commit.touch(Out(turns, f"late{number}", backlog=2))  # type: ignore[arg-type]
    turns.commit.touch(Out(turns, "prompt"))  # type: ignore[arg-type]
    first, *later = turns.run()
    assert set(first) == {"late0 reads", "late0 written", "late1 written", "late2 written", "prompt written"}
    assert sorted(news for turn in later for news in turn) == ["late0 reads", *2 * ["late1 reads"], *2 * ["late2 reads"]]
    assert all(len(turn) == 1 for turn in later)


def _change(rule: str) -> Change:
    return Change(rule, lambda *_: None)  # type: ignore[arg-type]
