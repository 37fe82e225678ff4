"""An open loop: so many messages a second, each timed from when it was due: how long people wait."""

import random
from dataclasses import dataclass
from typing import Final

from rockdove.bench.pacing import Metronome
from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import Outcome, Setting
from rockdove.bench.scenarios.talking import Talking

_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """As the options say."""

    rate: float = option(1000.0, "Messages a second, of all together.", 0.1)
    pairs: int = option(100, "Pairs of users who write to each other.")
    seconds: float = option(10.0, "How long to measure.", 0.1)
    warm_up: float = option(1.0, "Seconds of the same before that.", 0)
    size: int = text_size()

    @property
    def users(self) -> int:
        """Both of each pair."""
        return self.pairs * 2


class Latency(Talking):
    """Whose turn it is is drawn by lot."""

    PLAN = LatencyPlan
    plan: LatencyPlan

    def __init__(self, plan: LatencyPlan, setting: Setting) -> None:
        super().__init__(plan, setting)
        self.traffic.paced = True
        self._lot = random.Random(_SEED + setting.share.index)  # noqa: S311
        self._metronome: Metronome | None = None

    async def log_in(self) -> Outcome:
        """Everybody comes."""
        self.pair_up(self.plan.pairs)
        return await self.enter(self.devices)

    def begin(self) -> None:
        """At this process's part of the rate."""
        if self.traffic.flows:
            self._metronome = self.metronome(self.plan.rate, self._send)

    def _send(self, due_ns: int) -> None:
        self._lot.choice(self.traffic.flows).send(due_ns)

    async def end(self) -> None:
        """Nothing is due any more."""
        if self._metronome:
            self._metronome.stop()
