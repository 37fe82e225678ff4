"""Pairs who write to each other, each with so many messages under way: how much the server can do, and what it costs."""

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, LOG_IN, Outcome, Scenario, Step
from rockdove.bench.traffic import Flow
from rockdove.wire import im_pb2 as pb


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """As the options say."""

    pairs: int = option(100, "Pairs of users who write to each other.")
    window: int = option(16, "Messages of each user that are under way.")
    seconds: float = option(5.0, "How long to measure.", 0.1)
    warm_up: float = option(1.0, "Seconds of the same before that.", 0)
    size: int = text_size()

    @property
    def logins(self) -> int:
        """Both of each pair."""
        return self.pairs * 2


class Chat(Scenario):
    """A closed loop: the next message goes out when one is complete."""

    STEPS: ClassVar = (LOG_IN, Step("warm_up", seconds="warm_up"), Step("talk", "message", seconds="seconds"), CHECK)
    PLAN = ChatPlan
    plan: ChatPlan

    @classmethod
    def users(cls, plan: ChatPlan) -> int:
        """Two for each pair."""
        return plan.logins

    async def log_in(self) -> Outcome:
        """Everybody comes."""
        for pair in self.setting.share.of(self.plan.pairs):
            one, other = self.device(pair * 2), self.device(pair * 2 + 1)
            self.traffic.open_flow(one, other.name, pb.SINGLE, [other])
            self.traffic.open_flow(other, one.name, pb.SINGLE, [one])
        return await self.enter(self.devices)

    async def warm_up(self) -> Outcome:
        """Everybody begins to write, and goes on."""
        self.traffic.completed = self._next
        now_ns = time.monotonic_ns()
        for flow in self.traffic.flows:
            for _ in range(self.plan.window):
                flow.send(now_ns)
        await asyncio.sleep(self.plan.warm_up)
        return Outcome()

    @staticmethod
    def _next(flow: Flow) -> None:
        flow.send(time.monotonic_ns())

    async def talk(self) -> Outcome:
        """This is measured."""
        traffic = self.traffic
        traffic.forget_times()
        before = traffic.messages
        await asyncio.sleep(self.plan.seconds)
        return Outcome(traffic.messages - before, {"answered": traffic.answered, "received": traffic.received})

    async def check(self) -> Outcome:
        """Nobody begins anything new."""
        self.traffic.completed = lambda _: None
        return await super().check()
