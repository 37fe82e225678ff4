"""A day of many: talk in pairs and groups, read marks, people who go and come, at a steady rate."""

import asyncio
import random
from dataclasses import dataclass
from typing import ClassVar, Final

from rockdove.bench.device import Device
from rockdove.bench.pacing import Metronome
from rockdove.bench.scenarios.group import gather_group
from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, LOG_IN, Outcome, Setting, Step
from rockdove.bench.scenarios.talking import Talking
from rockdove.bench.traffic import Flow
from rockdove.wire import im_pb2 as pb

_SEED: Final = 1
_CUT: Final = 0.5  # of those who go, how many do not say so
_TRIES: Final = 20  # to find somebody who is here


@dataclass(frozen=True, slots=True)
class MixedPlan:
    """As the options say."""

    rate: float = option(500.0, "Messages a second, of all together.", 0.1)
    pairs: int = option(100, "Pairs of users who write to each other.")
    members: int = option(20, "Members of each group; everybody is in one.", 2)
    group_share: float = option(0.2, "How many of the messages are for groups.", 0, 1)
    read_share: float = option(0.5, "How many of the messages in pairs are marked as read.", 0, 1)
    goings: float = option(10.0, "How many go a second, of all together.", 0)
    away: float = option(1.0, "Seconds for which each is away.", 0)
    seconds: float = option(10.0, "How long to measure.", 0.1)
    warm_up: float = option(1.0, "Seconds of the same before that.", 0)
    size: int = text_size()

    @property
    def users(self) -> int:
        """Both of each pair."""
        return self.pairs * 2


class Mixed(Talking):
    """Whoever is away gets what he missed when he is back; what he could not send is sent again."""

    PLAN = MixedPlan
    FLOOR: ClassVar = False
    STEPS: ClassVar = (LOG_IN, Step("gather"), *Talking.STEPS[1:-1], CHECK)
    plan: MixedPlan

    def __init__(self, plan: MixedPlan, setting: Setting) -> None:
        super().__init__(plan, setting)
        self.traffic.paced = True
        self._lot = random.Random(_SEED + setting.share.index)  # noqa: S311
        self._metronomes: list[Metronome] = []
        self._pairs: list[Flow] = []
        self._groups: list[Flow] = []
        self._away: set[asyncio.Task[None]] = set()

    async def log_in(self) -> Outcome:
        """Everybody comes."""
        self.pair_up(self.plan.pairs)
        self._pairs = list(self.traffic.flows)
        self.traffic.read = self._read
        return await self.enter(self.devices)

    async def gather(self) -> Outcome:
        """The groups are founded; who is left over is in none."""
        for first in range(0, len(self.devices) - 1, self.plan.members):
            members = self.devices[first : first + self.plan.members]
            name = f"{members[0].name}-group"
            await gather_group(name, members)
            for member in members:
                readers = [other for other in members if other is not member]
                self._groups.append(self.traffic.open_flow(member, name, pb.GROUP_CHAT, readers))
        return Outcome()

    def begin(self) -> None:
        """Talk, and go and come."""
        if self.devices:
            self._metronomes = [self.metronome(self.plan.rate, self._send)]
            if self.plan.goings:
                self._metronomes.append(self.metronome(self.plan.goings, self._go))

    async def end(self) -> None:
        """Nobody goes any more, and all are back."""
        for metronome in self._metronomes:
            metronome.stop()
        await asyncio.gather(*self._away)

    def _send(self, due_ns: int) -> None:
        flows = self._groups if self._lot.random() < self.plan.group_share and self._groups else self._pairs
        for _ in range(_TRIES):  # one who is away does not write
            flow = self._lot.choice(flows)
            if flow.sender.here:
                flow.send(due_ns)
                return

    def _read(self, reader: Device, flow: Flow, seq: int) -> None:
        if flow.chat == pb.SINGLE and self._lot.random() < self.plan.read_share:
            receipt = pb.Receipt(kind=pb.Receipt.READ, chat=pb.SINGLE, peer=flow.sender.name, seq=seq)
            reader.tell(pb.RECEIPT, receipt.SerializeToString())

    def _go(self, _: int) -> None:
        device = self._lot.choice(self.devices)
        if device.here:
            task = asyncio.get_running_loop().create_task(self._be_away(device))
            self._away.add(task)
            task.add_done_callback(self._back)

    async def _be_away(self, device: Device) -> None:
        await (device.cut() if self._lot.random() < _CUT else device.leave())
        await asyncio.sleep(self.plan.away)
        await self.come(device, resume=True)

    def _back(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not task.exception():
            self._away.discard(task)  # the others are looked at in the end
