"""The hub carries as badly as it is told to."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from rockdove.bus.local import Hub
from rockdove.server.scheduler import LoopScheduler
from tests.contract.buses import Node


def heard_under(fates: Iterable[Sequence[int]], rings: int) -> list[int]:
    """The numbers of the rings that somebody hears, in order, when their fates are these."""

    async def scenario() -> list[int]:
        fate = iter(fates)
        hub = Hub(lambda: next(fate))
        sender, hearer = (Node(hub.join(LoopScheduler(asyncio.get_running_loop(), _fail), asyncio.sleep)) for _ in range(2))
        hearer.bus.attend("user.1")
        for number in range(rings):
            sender.bus.ring("user.1", bytes([number]))
        await asyncio.sleep(0.1)
        return [news[0] for _, news in hearer.heard]

    return asyncio.run(scenario())


def _fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("fates", "heard"),
    [
        ([(0,), (0,), (0,)], [0, 1, 2]),
        ([(0,), (), (0,)], [0, 2]),
        ([(0,), (0, 0), (0,)], [0, 1, 1, 2]),
        ([(20,), (0, 40), (0,)], [1, 2, 0, 1]),
    ],
    ids=["prompt", "lost", "doubled", "late"],
)
def test_fate_decides_what_arrives_and_when(fates: list[tuple[int, ...]], heard: list[int]) -> None:
    assert heard_under(fates, 3) == heard


def test_answers_have_a_fate_too() -> None:
    async def scenario() -> None:
        for fates, answers in (([(0,), (0,)], [b"!"]), ([(), (0,)], []), ([(0,), ()], [])):
            fate = iter(fates)
            hub = Hub(lambda fate=fate: next(fate))  # type: ignore[misc]
            asker, other = (hub.join(LoopScheduler(asyncio.get_running_loop(), _fail), _pause) for _ in range(2))
            node = Node(other)
            node.replies = lambda question: [b"!"]
            other.attend("node.1")
            assert await asker.ask("node.1", b"?", 1, 50) == answers

    asyncio.run(scenario())


async def _pause(delay_ms: int) -> None:
    await asyncio.sleep(delay_ms / 1000)


def test_a_node_that_is_removed_hears_nothing_and_is_not_waited_for() -> None:
    async def scenario() -> None:
        hub = Hub()
        asker, other = (hub.join(LoopScheduler(asyncio.get_running_loop(), _fail), _pause) for _ in range(2))
        node = Node(other)
        other.attend("node.1")
        hub.remove(other)
        asker.ring("node.1", b"x")
        assert await asyncio.wait_for(asker.ask("node.1", b"?", 1, 60_000), 10) == []
        assert node.heard == []

    asyncio.run(scenario())


def test_what_is_under_way_to_who_is_cut_off_is_lost() -> None:
    async def scenario() -> None:
        hub = Hub(lambda: (0, 10))
        sender, hearer = (hub.join(LoopScheduler(asyncio.get_running_loop(), _fail), _pause) for _ in range(2))
        node = Node(hearer)
        hearer.attend("user.1")
        sender.ring("user.1", b"x")
        hearer.cut()
        await asyncio.sleep(0.05)
        assert node.heard == []
        hearer.mend()
        sender.ring("user.1", b"y")
        await node.until(lambda: node.heard == [("user.1", b"y")] * 2)
        assert node.gaps == 1

    asyncio.run(scenario())
