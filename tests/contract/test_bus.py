"""What nodes may expect of each other's rings and questions, whatever carries them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.buses import Exchange, LocalExchange, NatsExchange, until
from tests.engines.nats import NatsServer

Play = Callable[[Callable[[Exchange], Awaitable[None]]], None]
TOPICS = ("user.1", "user.2", "group.1")


def player(server: NatsServer | None) -> Play:
    """Plays a scenario on a hub, or on that server."""

    async def staged(scenario: Callable[[Exchange], Awaitable[None]]) -> None:
        async with AsyncExitStack() as stack:
            await scenario(NatsExchange(server, stack) if server else LocalExchange())

    return lambda scenario: uvloop.run(staged(scenario))


@pytest.fixture(params=["local", "nats"])
def play(request: pytest.FixtureRequest) -> Play:
    """Plays a scenario that leaves the server alone."""
    return player(request.getfixturevalue("nats") if request.param == "nats" else None)


@pytest.fixture(params=["local", "nats"])
def play_cut(request: pytest.FixtureRequest, start_nats: Callable[[], NatsServer]) -> Play:
    """Plays a scenario that may cut the nodes off."""
    return player(start_nats() if request.param == "nats" else None)


Deed = tuple[str, int, str]  # what is done, by which node, and the topic
DEEDS = st.lists(st.tuples(st.sampled_from(["attend", "leave", "ring", "ring"]), st.integers(0, 2), st.sampled_from(TOPICS)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEEDS)
def test_each_hears_what_the_others_ring_where_he_attends_once_and_in_order(play: Play, deeds: list[Deed]) -> None:
    async def scenario(exchange: Exchange) -> None:
        nodes = [await exchange.join() for _ in range(3)]
        attended: list[set[str]] = [set(), set(), set()]
        expected: list[list[tuple[str, bytes]]] = [[], [], []]
        for number, (deed, actor, topic) in enumerate(deeds):
            bus, news = nodes[actor].bus, str(number).encode()
            if deed == "ring":
                bus.ring(topic, news)
                for other in {0, 1, 2} - {actor}:
                    if topic in attended[other]:
                        expected[other].append((topic, news))
                if number % 3 == 0:  # else the next ones follow at once
                    await nodes[actor].told(*(node for node in nodes if node is not nodes[actor]))
                continue
            for node in nodes:  # what is under way arrives
                await node.told(*(other for other in nodes if other is not node))
            (bus.attend if deed == "attend" else bus.leave)(topic)
            (attended[actor].add if deed == "attend" else attended[actor].discard)(topic)
            await bus.settled()
        for node in nodes:
            await node.told(*(other for other in nodes if other is not node))
        for node, rung in zip(nodes, expected, strict=True):
            for sender in range(3):  # between two senders there is no order
                assert of(sender, deeds, node.heard) == of(sender, deeds, rung)
            assert len(node.heard) == len(rung)

    play(scenario)


def of(sender: int, deeds: list[Deed], heard: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """What that node has rung; the news are the numbers of the deeds."""
    return [(topic, news) for topic, news in heard if deeds[int(news)][1] == sender]


def test_many_rings_in_one_turn_keep_their_order(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        sender, hearer = await exchange.join(), await exchange.join()
        hearer.bus.attend("user.1")
        await hearer.bus.settled()
        news = [number.to_bytes(2, "big") * (number % 300) for number in range(5_000)]
        for one in news:
            sender.bus.ring("user.1", one)
        await sender.told(hearer)
        assert hearer.heard == [("user.1", one) for one in news]

    play(scenario)


def test_what_is_attended_holds_once_it_is_settled_however_much_it_is(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        sender, hearer = await exchange.join(), await exchange.join()
        topics = [f"user.{number}" for number in range(3_000)]
        for round_ in range(3):
            for topic in topics[round_ * 1_000 :][:1_000]:
                hearer.bus.attend(topic)
            await hearer.bus.settled()
            sender.bus.ring(topics[round_ * 1_000 + 999], b"last")
            await sender.told(hearer)
            assert len(hearer.heard) == round_ + 1

    play(scenario)


def test_who_waits_for_settled_together_waits_for_what_he_attended_to(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        sender, hearer = await exchange.join(), await exchange.join()

        async def attend(number: int) -> None:
            await asyncio.sleep(number % 7 / 1000)
            hearer.bus.attend(f"user.{number}")
            await hearer.bus.settled()
            sender.bus.ring(f"user.{number}", b"x")

        await asyncio.gather(*map(attend, range(200)))
        await sender.told(hearer)
        assert len(hearer.heard) == 200

    play(scenario)


def test_attending_twice_is_attending_and_leaving_once_is_leaving(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        sender, hearer = await exchange.join(), await exchange.join()
        for _ in range(2):
            hearer.bus.attend("user.1")
        await hearer.bus.settled()
        sender.bus.ring("user.1", b"x")
        await sender.told(hearer)
        assert hearer.heard == [("user.1", b"x")]
        hearer.bus.leave("user.1")
        hearer.bus.leave("user.2")
        await hearer.bus.settled()
        sender.bus.ring("user.1", b"y")
        await sender.told(hearer)
        assert hearer.heard == [("user.1", b"x")]

    play(scenario)


def test_a_fault_in_what_hears_harms_nothing_else(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        sender, hearer = await exchange.join(), await exchange.join()
        hearer.bus.attend("user.1")
        await hearer.bus.settled()

        def stumble(topic: str, news: bytes) -> None:
            if news == b"1":
                raise RuntimeError("planted")

        hearer.on_ring = stumble
        hearer.replies = lambda question: [] if question == b"good" else 1 / 0  # type: ignore[return-value]
        sender.bus.ring("user.1", b"1")
        assert await sender.bus.ask("user.1", b"bad", 1, 100) == []
        hearer.replies = lambda question: [question]
        sender.bus.ring("user.1", b"2")
        await sender.told(hearer)
        assert hearer.heard == [("user.1", b"1"), ("user.1", b"2")]
        assert await sender.bus.ask("user.1", b"good", 1, 10_000) == [b"good"]

    play(scenario)


# -- questions


async def quickly(work: Awaitable[object]) -> object:
    """The result, which must not take as long as what is asked may."""
    async with asyncio.timeout(10):
        return await work


def test_a_question_that_nobody_attends_to_has_no_answer_at_once(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        asker, other = await exchange.join(), await exchange.join()
        asker.bus.attend("node.1")  # one's own questions are not heard
        other.bus.attend("node.2")
        await asker.bus.settled()
        await other.bus.settled()
        assert await quickly(asker.bus.ask("node.1", b"?", 1, 60_000)) == []
        assert asker.asked == other.asked == []

    play(scenario)


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_as_many_answers_as_are_wanted_are_waited_for(play: Play, wanted: int) -> None:
    async def scenario(exchange: Exchange) -> None:
        asker = await exchange.join()
        answerers = [await exchange.join() for _ in range(3)]
        for number, node in enumerate(answerers):
            node.replies = lambda question, number=number: [question + str(number).encode()]  # type: ignore[misc]
            node.bus.attend("nodes")
            await node.bus.settled()
        answers = await quickly(asker.bus.ask("nodes", b"who", wanted, 60_000))
        assert isinstance(answers, list)
        assert len(answers) == wanted
        assert set(answers) <= {b"who0", b"who1", b"who2"}
        assert [node.asked for node in answerers] == [[("nodes", b"who")]] * 3
        assert not any(node.heard for node in answerers)

    play(scenario)


def test_who_gives_no_answer_is_waited_for_as_long_as_was_said(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        asker, silent, ready = [await exchange.join() for _ in range(3)]
        ready.replies = lambda question: [b"here"]
        for node in (silent, ready):
            node.bus.attend("nodes")
            await node.bus.settled()
        start = asyncio.get_running_loop().time()
        assert await asker.bus.ask("nodes", b"who", 2, 300) == [b"here"]
        assert 0.29 < asyncio.get_running_loop().time() - start < 10
        assert silent.asked

    play(scenario)


def test_answers_go_to_their_question(play: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        asker, other = await exchange.join(), await exchange.join()
        waiting: list[tuple[bytes, Callable[[bytes], None]]] = []
        other.bus.listen(lambda *_: None, lambda _, question, answer: waiting.append((question, answer)), lambda: None)
        other.bus.attend("node.1")
        await other.bus.settled()

        async def answer_backwards() -> None:
            while len(waiting) < 20:
                await asyncio.sleep(0)
            for question, answer in reversed(waiting):
                answer(question * 2)

        questions = [str(number).encode() for number in range(20)]
        asking = [asker.bus.ask("node.1", question, 1, 20_000) for question in questions]
        *answers, _ = await asyncio.gather(*asking, answer_backwards())
        assert answers == [[question * 2] for question in questions]
        waiting[0][1](b"late")  # nobody waits any more
        assert await asker.bus.ask("node.1", b"silence", 1, 100) == []

    play(scenario)


# -- without a connection


def test_who_is_cut_off_neither_waits_nor_hears_and_then_knows_that_he_may_have_missed_something(play_cut: Play) -> None:
    async def scenario(exchange: Exchange) -> None:
        away, other = await exchange.join(), await exchange.join()
        away.bus.attend("user.1")
        away.bus.attend("user.2")
        await away.bus.settled()
        await exchange.cut(away)
        assert not away.bus.connected
        away.bus.ring("user.9", b"lost")
        away.bus.attend("user.3")
        away.bus.leave("user.2")
        await quickly(away.bus.settled())
        assert await quickly(away.bus.ask("user.9", b"?", 1, 60_000)) == []
        assert away.gaps == 0
        await exchange.mend(away)
        await away.until(lambda: away.gaps == 1)
        await until(lambda: other.bus.connected)
        for topic in ("user.1", "user.2", "user.3"):
            other.bus.ring(topic, b"x")
        await other.told(away)
        assert away.heard == [("user.1", b"x"), ("user.3", b"x")]
        assert away.gaps == 1

    play_cut(scenario)
