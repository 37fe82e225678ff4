"""What the queue of events keeps for an application that does not look."""

import asyncio

import pytest

from rockdove.client.content import Text
from rockdove.client.errors import Disconnected
from rockdove.client.events import Delivered, Event, MessageReceived
from rockdove.client.feed import PASSING, Feed
from rockdove.client.message import Message


def message(seq: int) -> MessageReceived:
    return MessageReceived(Message(0, "bob", "bob", seq, seq, 0, Text("")))


async def drained(feed: Feed) -> list[Event]:
    feed.finish(None)
    events = []
    while event := await feed.next():
        events.append(event)
    return events


def test_messages_are_kept_and_the_oldest_passing_news_dropped() -> None:
    async def scenario() -> None:
        feed = Feed()
        for seq in range(PASSING + 10):
            feed.put(message(seq + 1))
            feed.put(Delivered("bob", seq + 1))
        events = await drained(feed)
        assert [event.message.seq for event in events if isinstance(event, MessageReceived)] == list(range(1, PASSING + 11))
        assert [event.seq for event in events if isinstance(event, Delivered)] == list(range(11, PASSING + 11))

    asyncio.run(scenario())


def test_transient_messages_are_passing_news() -> None:
    async def scenario() -> None:
        feed = Feed()
        for _ in range(PASSING + 10):
            feed.put(message(0))
        assert len(await drained(feed)) == PASSING

    asyncio.run(scenario())


def test_what_was_taken_makes_room() -> None:
    async def scenario() -> None:
        feed = Feed()
        for seq in range(3 * PASSING):
            feed.put(Delivered("bob", seq))
            assert await feed.next() == Delivered("bob", seq)

    asyncio.run(scenario())


def test_the_queue_is_emptied_before_the_end_is_told() -> None:
    async def scenario() -> None:
        feed = Feed()
        feed.put(message(1))
        feed.finish(Disconnected(3, "replaced"))
        assert await feed.next() == message(1)
        with pytest.raises(Disconnected):
            await feed.next()

    asyncio.run(scenario())


def test_to_stop_waiting_loses_nothing() -> None:
    async def scenario() -> None:
        feed = Feed()
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        waiting.cancel()
        feed.put(message(1))
        await asyncio.gather(waiting, return_exceptions=True)
        assert await feed.next() == message(1)

    asyncio.run(scenario())
