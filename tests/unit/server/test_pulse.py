"""A loop that is held up, and a store that is silent, are noticed."""

import asyncio
import time

from rockdove.server import pulse
from rockdove.server.pulse import Pulse


def test_a_loop_that_was_held_up_is_seen_in_its_lag() -> None:
    async def scenario() -> None:
        heart = Pulse(lambda: 0)
        time.sleep(pulse.PERIOD_SECONDS + 0.3)  # noqa: ASYNC251  # what must not happen on a loop
        async with asyncio.timeout(60):
            while not sum(heart.lag.counts):
                await asyncio.sleep(0)
        assert heart.lag.total >= 0.3

    asyncio.run(scenario())


def test_a_store_is_silent_until_it_takes_a_beat() -> None:
    async def scenario() -> None:
        beats = [0]
        heart = Pulse(lambda: beats[0])
        async with asyncio.timeout(60):
            while heart.silent_seconds < 2 * pulse.PERIOD_SECONDS:
                await asyncio.sleep(0.01)
            beats[0] += 1
            while heart.silent_seconds >= 2 * pulse.PERIOD_SECONDS:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
