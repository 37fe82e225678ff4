"""Messages for people who are away, who then all come: what it costs to keep one, and to hand it over."""

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, LOG_IN, Outcome, Scenario, Step
from rockdove.bench.traffic import Flow


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """As the options say."""

    pairs: int = option(100, "Pairs of users, of whom one writes and the other is away.")
    messages: int = option(100, "Messages for each who is away.")
    window: int = option(16, "Messages of each sender that are under way.")
    size: int = text_size()

    @property
    def users(self) -> int:
        """Both of each pair."""
        return self.pairs * 2

    @property
    def total(self) -> int:
        """Messages of all."""
        return self.pairs * self.messages


class Offline(Scenario):
    """What is drained includes the logins."""

    PLAN = OfflinePlan
    FLOOR: ClassVar = False
    STEPS: ClassVar = (LOG_IN, Step("store", "message", total="total"), Step("drain", "message", total="total"), CHECK)
    plan: OfflinePlan

    async def log_in(self) -> Outcome:
        """All come once, so that the server knows them; then the receivers go."""
        self.pair_up(self.plan.pairs)
        outcome = await self.enter(self.devices)
        self._flows = self.traffic.flows[::2]  # from the first of each pair to the second
        await asyncio.gather(*(receiver.leave() for flow in self._flows for receiver in flow.receivers))
        return outcome

    async def store(self) -> Outcome:
        """The senders write, each the next message when one was answered."""
        self.traffic.heard = self._next
        now_ns = time.monotonic_ns()
        for flow in self._flows:
            for _ in range(min(self.plan.window, self.plan.messages)):
                flow.send(now_ns)
        await self.patiently(lambda: self.traffic.answers == self._expected)
        return Outcome(self.traffic.answers, self.traffic.times())

    def _next(self, flow: Flow) -> None:
        self.setting.tell(self.traffic.answers)
        if flow.sent < self.plan.messages:
            flow.send(time.monotonic_ns())

    @property
    def _expected(self) -> int:
        """Messages of this process."""
        return len(self._flows) * self.plan.messages

    async def drain(self) -> Outcome:
        """The receivers come, all at once."""
        self.traffic.forget_times()
        self.traffic.completed = lambda _: self.setting.tell(self.traffic.messages)
        receivers = [receiver for flow in self._flows for receiver in flow.receivers]
        logins = await self.enter(receivers, max(1, len(receivers)), resume=True)
        await self.patiently(lambda: self.traffic.deliveries == self._expected)
        return Outcome(self.traffic.deliveries, {**logins.times, **self.traffic.times()})
