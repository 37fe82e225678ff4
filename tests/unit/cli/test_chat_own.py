"""The marks on the user's own messages."""

from rockdove.cli.chat.own import VISIBLE, Mark, OwnLine, OwnLines


def lines_of(*seqs: int) -> tuple[OwnLines, list[OwnLine]]:
    own, lines = OwnLines(), [OwnLine(f"text {index}", 0, seq) for index, seq in enumerate(seqs)]
    for line in lines:
        own.add(line)
    return own, lines


def test_marks_follow_the_receipts() -> None:
    own, _ = lines_of()
    own.delivered_seq, own.read_seq = 5, 3
    assert [own.mark(seq) for seq in (0, 3, 4, 5, 6)] == [Mark.PENDING, Mark.READ, Mark.DELIVERED, Mark.DELIVERED, Mark.SENT]


def test_what_is_read_gets_its_lasting_place_with_all_before_it() -> None:
    own, lines = lines_of(1, 2, 3)
    own.read_seq = 2
    assert own.settle() == lines[:2]
    assert own.visible() == lines[2:]


def test_what_is_not_read_yet_stays_where_its_mark_can_change() -> None:
    own, lines = lines_of(1, 2)
    assert own.settle() == []
    assert own.visible() == lines


def test_too_many_make_room() -> None:
    own, lines = lines_of(*range(1, VISIBLE + 3))
    assert own.settle() == lines[:2]


def test_nothing_pending_is_settled_nor_what_is_behind_it() -> None:
    own, lines = lines_of(1, 0, 2)
    own.read_seq = 9
    assert own.settle(everything=True) == lines[:1]
    assert own.pending == 1
    assert own.first_pending() is lines[1]


def test_a_refused_message_goes() -> None:
    own, lines = lines_of(1, 0)
    own.remove(lines[1])
    assert own.visible() == lines[:1]
    assert own.first_pending() is None
