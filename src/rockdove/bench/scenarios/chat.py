"""Pairs who write to each other, so many messages under way: how much the server can do, and what one costs."""

from dataclasses import dataclass

from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import Outcome
from rockdove.bench.scenarios.talking import ClosedLoop


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """As the options say."""

    pairs: int = option(100, "Pairs of users who write to each other.")
    window: int = option(16, "Messages of each user that are under way.")
    idle: int = option(0, "Further users who are here and say nothing.", 0)
    seconds: float = option(5.0, "How long to measure.", 0.1)
    warm_up: float = option(1.0, "Seconds of the same before that.", 0)
    size: int = text_size()

    @property
    def users(self) -> int:
        """Both of each pair, and the others."""
        return self.pairs * 2 + self.idle


class Chat(ClosedLoop):
    """A closed loop: the next message goes out when one is complete."""

    PLAN = ChatPlan
    plan: ChatPlan

    async def log_in(self) -> Outcome:
        """Everybody comes."""
        self.pair_up(self.plan.pairs)
        for number in self.setting.share.of(self.plan.idle):
            self.device(self.plan.pairs * 2 + number)
        return await self.enter(self.devices)
