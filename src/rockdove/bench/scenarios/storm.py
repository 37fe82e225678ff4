"""All lose their connections at once, and all come back at once: how long that takes, and what a login costs."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, Outcome, Scenario, Step


@dataclass(frozen=True, slots=True)
class StormPlan:
    """As the options say."""

    clients: int = option(1000, "Users whose connections are cut.")
    size: int = text_size()

    @property
    def users(self) -> int:
        """One for each client."""
        return self.clients


class Storm(Scenario):
    """First logins with app tokens or passwords, a few at a time; then all with resume tokens, timed from the cut."""

    PLAN = StormPlan
    FLOOR: ClassVar = False
    STEPS: ClassVar = (
        Step("log_in", "login", total="users"),
        Step("cut"),
        Step("come_back", "login", total="users"),
        CHECK,
    )
    plan: StormPlan

    async def log_in(self) -> Outcome:
        """Everybody comes, for the first time."""
        for number in self.setting.share.of(self.plan.clients):
            self.device(number)
        return await self.enter(self.devices)

    async def cut(self) -> Outcome:
        """A network is gone."""
        await asyncio.gather(*(device.cut() for device in self.devices))
        return Outcome()

    async def come_back(self) -> Outcome:
        """It is there again."""
        return await self.enter(self.devices, at_once=max(1, len(self.devices)), resume=True)
