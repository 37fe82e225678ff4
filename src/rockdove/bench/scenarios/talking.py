"""Scenarios in which people write for some seconds."""

import asyncio
import time
from abc import abstractmethod
from typing import ClassVar, Final

from rockdove.bench.scenarios.scenario import CHECK, LOG_IN, Outcome, Scenario, Step
from rockdove.bench.traffic import Flow, nothing

WARM_UP: Final = Step("warm_up", seconds="warm_up")


class Talking(Scenario):
    """Whoever has logged in begins to write, goes on while it is measured, and ends."""

    STEPS: ClassVar[tuple[Step, ...]] = (LOG_IN, WARM_UP, Step("talk", "message", seconds="seconds"), CHECK)

    @abstractmethod
    def begin(self) -> None:
        """Everybody begins to write, and goes on by himself."""

    async def end(self) -> None:
        """Nobody begins anything new."""
        self.traffic.completed = nothing

    @property
    def done(self) -> int:
        """How many of what is counted are done."""
        return self.traffic.messages

    async def warm_up(self) -> Outcome:
        """Begin."""
        self.begin()
        await asyncio.sleep(self.plan.warm_up)
        return Outcome()

    async def talk(self) -> Outcome:
        """This is measured; it lasts until something is done."""
        self.traffic.forget_times()
        before = self.done
        await asyncio.sleep(self.plan.seconds)
        await self.patiently(lambda: self.done > before or not self.devices)
        return Outcome(self.done - before, self.traffic.times())

    async def check(self) -> Outcome:
        """End, and wait for what is on its way."""
        await self.end()
        return await super().check()


class ClosedLoop(Talking):
    """Each writer has so many messages under way; the next goes out when one is complete."""

    def begin(self) -> None:
        """Fill the windows."""
        self.traffic.completed = _next
        now_ns = time.monotonic_ns()
        for flow in self.traffic.flows:
            for _ in range(self.plan.window):
                flow.send(now_ns)


def _next(flow: Flow) -> None:
    flow.send(time.monotonic_ns())
