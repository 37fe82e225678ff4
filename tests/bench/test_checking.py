"""The checker finds what a server must not do, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from rockdove.bench.checking import DISORDERED, DOUBLED, Faults, Inbox, Sequence


def arrived(*seqs: int) -> tuple[Inbox, Faults]:
    """An inbox with these pushes."""
    faults = Faults()
    inbox = Inbox(faults)
    for seq in seqs:
        inbox.pushed(seq)
    return inbox, faults


@given(st.lists(st.integers(0, 30)))
def test_a_sequence_knows_what_came_and_what_is_missing(numbers: list[int]) -> None:
    sequence, came = Sequence(0), set[int]()
    for number in numbers:
        assert sequence.note(number) == (number not in came)
        came.add(number)
        assert all((n in sequence) == (n in came) for n in range(31))
        assert sequence.holes == (len(set(range(max(came))) - came) if came else 0)


def test_pushes_between_own_messages_leave_no_hole() -> None:
    inbox, faults = arrived(4, 6)
    inbox.own(5)
    inbox.own(8)
    assert inbox.pushed(7)
    assert (inbox.holes, faults) == (0, {})


def test_own_messages_may_be_known_before_the_first_push() -> None:
    inbox, faults = arrived()
    inbox.own(3)
    assert inbox.pushed(2)
    assert inbox.pushed(4)
    assert (inbox.holes, faults) == (0, {})


def test_a_hole_is_found() -> None:
    inbox, faults = arrived(1, 2, 5)
    assert (inbox.holes, faults) == (2, {})


def test_the_same_push_twice_is_doubled() -> None:
    inbox, faults = arrived(1, 2, 1)
    assert (inbox.holes, faults) == (0, {DOUBLED: 1})


def test_a_push_of_what_the_device_sent_is_doubled() -> None:
    inbox, faults = arrived(1)
    inbox.own(2)
    assert not inbox.pushed(2)
    assert faults == {DOUBLED: 1}


def test_two_answers_with_one_seq_are_doubled() -> None:
    inbox, faults = arrived(1)
    inbox.own(2)
    inbox.own(2)
    assert faults == {DOUBLED: 1}


def test_a_push_behind_a_later_one_is_out_of_order() -> None:
    _, faults = arrived(1, 3, 2)
    assert faults == {DISORDERED: 1}


def test_after_a_cut_what_came_before_may_come_again_but_once() -> None:
    inbox, faults = arrived(1, 2, 3)
    inbox.reconnected()
    assert [inbox.pushed(seq) for seq in (2, 3, 4)] == [False, False, True]
    assert (inbox.repeated, faults) == (2, {})
    inbox.pushed(4)
    assert faults == {DOUBLED: 1}


def test_messages_of_a_sender_are_counted_by_their_own_numbers() -> None:
    inbox, faults = arrived(1)
    for number in (0, 1, 3, 3, 2):
        inbox.numbered(7, number)
    assert faults == {DOUBLED: 1, DISORDERED: 1}
    assert [inbox.lacks(7, count) for count in (3, 4, 6)] == [0, 0, 2]
    assert inbox.lacks(8, 2) == 2
