"""People who are here and say nothing: what a connection takes, and what a heartbeat costs."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, Outcome, Scenario, Step


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """As the options say."""

    connections: int = option(2000, "Users who are here.")
    heartbeat: float = option(5.0, "Seconds between two heartbeats of each.", 0.1)
    seconds: float = option(5.0, "How long to measure heartbeats.", 0.1)
    size: int = text_size()

    @property
    def users(self) -> int:
        """One for each connection."""
        return self.connections


class Idle(Scenario):
    """The heartbeats are spread evenly."""

    PLAN = IdlePlan
    FLOOR: ClassVar = False
    STEPS: ClassVar = (Step("log_in", "login", total="users"), Step("rest", "heartbeat", seconds="seconds"), CHECK)
    plan: IdlePlan

    async def log_in(self) -> Outcome:
        """Everybody comes, for the first time."""
        for number in self.setting.share.of(self.plan.connections):
            self.device(number)
        return await self.enter(self.devices)

    async def rest(self) -> Outcome:
        """One after the other says that he lives."""
        if not self.devices:
            return Outcome()
        self.let_be()
        turn = 0

        def beat(_: int) -> None:
            nonlocal turn
            self.devices[turn].ping()
            turn = (turn + 1) % len(self.devices)

        metronome = self.metronome(self.plan.connections / self.plan.heartbeat, beat)
        before = self.traffic.heartbeats.total
        await asyncio.sleep(self.plan.seconds)
        await self.patiently(lambda: self.traffic.heartbeats.total > before)
        metronome.stop()
        return Outcome(self.traffic.heartbeats.total - before, {"answered": self.traffic.heartbeats})
