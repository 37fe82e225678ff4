"""Who lives beside this node, and what is asked of them."""

from asyncio import run
from collections.abc import Sequence

import pytest

from rockdove.core import news_pb2 as news
from rockdove.core.errors import StoreUnavailable
from rockdove.core.neighbours import Neighbours
from rockdove.core.records import NodeState
from rockdove.wire import im_pb2 as pb
from tests.protocol.virtual import Journal


class Nodes:
    """Those that live, as the test says."""

    number = 1

    def __init__(self) -> None:
        self.living = [1]
        self.away = False

    async def beat(self, state: NodeState) -> Sequence[NodeState]:
        if self.away:
            raise StoreUnavailable("away")
        assert state.number == self.number
        return [NodeState(number, f"node{number}", "", 0) for number in self.living]

    async def leave(self) -> None:
        self.living.remove(self.number)


class Bus:
    """Answers as the test says."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def ask(self, topic: str, question: bytes, answers: int, timeout_ms: int) -> Sequence[bytes]:
        self.asked.append((topic, answers))
        return self.answers


def neighbours(nodes: Nodes | None, bus: Bus | None = None, journal: Journal | None = None) -> Neighbours:
    return Neighbours(nodes, bus, lambda: NodeState(1, "", "", 0), journal or Journal())  # type: ignore[arg-type]


def test_who_is_missed_among_the_living_is_gone_and_told_once() -> None:
    nodes = Nodes()
    others = neighbours(nodes)
    gone: list[int] = []
    others.on_gone = gone.append
    for living in ([1, 2, 3], [1, 3], [1, 3]):
        nodes.living = living
        run(others.beat())
    assert gone == [2]
    assert set(others.living) == {3}


def test_while_the_store_is_away_nobody_is_gone() -> None:
    nodes, journal = Nodes(), Journal()
    others = neighbours(nodes, journal=journal)
    others.on_gone = lambda number: (_ for _ in ()).throw(AssertionError(number))
    nodes.living = [1, 2]
    run(others.beat())
    nodes.away = True
    run(others.beat())
    run(others.beat())
    assert set(others.living) == {2}


def test_all_that_live_are_asked_who_is_there_and_what_cannot_be_read_is_left_out() -> None:
    nodes = Nodes()
    here = news.Here(user=5, state=pb.Presence.AWAY, text="lunch", devices=["phone"])
    bus = Bus(news.Answer(here=[here]).SerializeToString(), b"\xff")
    others = neighbours(nodes, bus)
    nodes.living = [1, 2, 3]
    run(others.beat())
    assert run(others.who([5, 6])) == [here]
    assert bus.asked == [("nodes", 2)]


def test_nobody_is_asked_by_one_who_is_alone() -> None:
    bus = Bus()
    others = neighbours(Nodes(), bus)
    assert list(run(others.who([5]))) == []
    assert bus.asked == []
    assert neighbours(None).number == 0
    run(neighbours(None).beat())


def test_the_node_that_held_a_device_is_asked_to_end_it() -> None:
    bus = Bus(b"")
    assert not run(neighbours(Nodes(), bus).replace(4, 1, "phone", 7, 0))
    assert bus.asked == [("node.4", 1)]


def test_where_that_node_says_nothing_all_are_asked_as_it_may_have_died_before_it_ended_an_older_one() -> None:
    nodes, bus = Nodes(), Bus()
    others = neighbours(nodes, bus)
    nodes.living = [1, 2, 3]
    run(others.beat())
    assert not run(others.replace(4, 1, "phone", 7, 0))
    assert bus.asked == [("node.4", 1), ("nodes", 2)]


@pytest.mark.parametrize(
    ("node", "answers", "held"),
    [
        (2, [news.Answer(held=True)], True),
        (2, [news.Answer()], False),
        (2, [], True),  # it may be there
        (3, [], False),  # it is dead
        (3, [news.Answer(held=True)], True),  # it is new
    ],
)
def test_a_node_that_does_not_answer_has_a_device_unless_it_is_dead(node: int, answers: list[news.Answer], held: bool) -> None:
    nodes = Nodes()
    others = neighbours(nodes, Bus(*(answer.SerializeToString() for answer in answers)))
    nodes.living = [1, 2]
    run(others.beat())
    assert run(others.holds(node, 1, "phone", 0)) == held
