"""What all scenarios share: users who log in, steps taken one after the other, some of them measured."""

import asyncio
import random
import time
from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from rockdove.bench.accounts import Accounts
from rockdove.bench.checking import Faults
from rockdove.bench.device import Busy, Device
from rockdove.bench.histogram import Histogram
from rockdove.bench.pacing import Metronome
from rockdove.bench.traffic import Traffic
from rockdove.wire import im_pb2 as pb

AT_ONCE: Final = 100  # logins under way in one process
_HEART_SECONDS: Final = 0.1  # between two looks at who has to send one
_LOOK_SECONDS: Final = 0.005
_BUSY_SECONDS: Final = (0.1, 0.5)  # how long one waits whom the server told to come again


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a scenario, done by all processes at the same time.

    With a `unit` it is measured: what it counts is divided by the server's CPU time. It takes `seconds`, or until it
    is done, after `total` of something in all processes; both are names of properties of the plan.
    """

    name: str
    unit: str = ""
    seconds: str = ""
    total: str = ""


@dataclass(slots=True)
class Outcome:
    """What one process says of a step."""

    count: int = 0
    times: dict[str, Histogram] = field(default_factory=dict)  # by what was timed
    cpu_seconds: float = 0.0  # of the process itself
    faults: Faults = field(default_factory=Faults)  # up to now
    curve: list[float] = field(default_factory=list)  # seconds from the step's start until each was done, where that is drawn


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the load is this process's."""

    index: int
    processes: int

    def of(self, total: int) -> range:
        """The numbers of the things below `total` that are this process's."""
        return range(self.index, total, self.processes)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a scenario takes place."""

    addresses: tuple[tuple[str, int], ...]
    accounts: Accounts
    tag: bytes
    share: Share
    patience_seconds: float  # how long what does not come is waited for
    tell: Callable[[int], None]  # how much of the step is done


class Scenario(ABC):
    """Does the part of one process. A subclass has a method for each step, which returns an Outcome."""

    PLAN: ClassVar[type]  # a dataclass, with `size` and `users`, the most connections that it opens
    STEPS: ClassVar[tuple[Step, ...]]
    FLOOR: ClassVar = True  # whether `rockdove.bench.floor` can do it
    plan: Any

    def __init__(self, plan: Any, setting: Setting) -> None:
        self.plan = plan
        self.setting = setting
        self.traffic = Traffic(setting.tag, plan.size)
        self.devices: list[Device] = []
        self._heart = asyncio.get_running_loop().create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Heartbeats of all, spread evenly over the time that the server gives them."""
        turn, due = 0, 0.0
        while True:
            await asyncio.sleep(_HEART_SECONDS)
            if self.devices:
                due += len(self.devices) * _HEART_SECONDS / self.devices[0].heartbeat_seconds
            while due >= 1:
                self.devices[turn % len(self.devices)].ping()
                turn += 1
                due -= 1

    def let_be(self) -> None:
        """Send no heartbeats any more."""
        self._heart.cancel()

    def device(self, number: int) -> Device:
        """A new device, of the user with this number. The nodes take turns, so that the two of a pair are at different ones."""
        addresses = self.setting.addresses
        device = Device(self.traffic, self.setting.accounts.account(number), addresses[number % len(addresses)])
        self.devices.append(device)
        return device

    def pair_up(self, pairs: int) -> None:
        """Devices and flows of this process's part of so many pairs: users 0 and 1, 2 and 3, …"""
        for pair in self.setting.share.of(pairs):
            one, other = self.device(pair * 2), self.device(pair * 2 + 1)
            self.traffic.open_flow(one, other.name, pb.SINGLE, [other])
            self.traffic.open_flow(other, one.name, pb.SINGLE, [one])

    def metronome(self, per_second: float, beat: Callable[[int], None]) -> Metronome:
        """One that does this process's part of so much a second."""
        share = self.setting.share
        return Metronome(per_second / share.processes, int(share.index / per_second * 1e9), beat)

    async def enter(self, devices: Sequence[Device], at_once: int = AT_ONCE, *, resume: bool = False) -> Outcome:
        """Log all of them in, so many at once. Counts and times the logins."""
        gate = asyncio.Semaphore(at_once)
        outcome = Outcome(times={"login": Histogram()})
        began = time.monotonic_ns()

        async def come(device: Device) -> None:
            async with gate:
                since = time.monotonic_ns()
                await self.come(device, resume=resume)
                now = time.monotonic_ns()
                outcome.times["login"].add(now - since)
                outcome.curve.append((now - began) / 1e9)
                outcome.count += 1
                self.setting.tell(outcome.count)

        async with asyncio.TaskGroup() as logins:
            for device in devices:
                logins.create_task(come(device))
        return outcome

    async def come(self, device: Device, *, resume: bool) -> None:
        """Log one in; one whom the server sends away comes again. Raises BenchError."""
        while True:
            try:
                await device.log_in(device.resume_token if resume else None)
                return
            except Busy:
                await asyncio.sleep(random.uniform(*_BUSY_SECONDS))  # noqa: S311

    async def patiently(self, done: Callable[[], bool]) -> None:
        """Wait until it is done, or nothing has come for as long as the setting says."""
        seen, deadline = -1, 0.0
        while not done():
            if self.traffic.progress != seen:
                seen, deadline = self.traffic.progress, time.monotonic() + self.setting.patience_seconds
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def check(self) -> Outcome:
        """The last step: wait for what is on its way, and count what never came. Then everybody leaves."""
        await self.patiently(lambda: not any(flow.incomplete for flow in self.traffic.flows))
        self.traffic.check()
        self.let_be()
        await asyncio.gather(*(device.leave() for device in self.devices))
        return Outcome()


LOG_IN: Final = Step("log_in", total="users")
CHECK: Final = Step("check")
