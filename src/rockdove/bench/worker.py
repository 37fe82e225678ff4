"""A load process: takes the steps of a scenario when it is told to, and says what came of it."""

import asyncio
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import uvloop

from rockdove.bench.accounts import Accounts
from rockdove.bench.errors import BenchError
from rockdove.bench.scenarios import SCENARIOS
from rockdove.bench.scenarios.scenario import Outcome, Setting, Share

_TELL_SECONDS: Final = 0.1
_SWITCH_SECONDS: Final = 0.0005  # after which a thread that waits gets its turn: it knows when a message is due


class Assignment(NamedTuple):
    """All that a load process has to know."""

    scenario: str
    plan: Any
    addresses: tuple[tuple[str, int], ...]
    accounts: Accounts
    tag: bytes
    share: Share
    patience_seconds: float

    def setting(self, tell: Callable[[int], None]) -> Setting:
        """The same for the scenario."""
        return Setting(self.addresses, self.accounts, self.tag, self.share, self.patience_seconds, tell)


def work(orders: Connection, assignment: Assignment) -> None:
    """Run until `orders` is closed. Answers each with an Outcome or a BenchError, and before that with how much is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    raise_open_files()
    sys.setswitchinterval(_SWITCH_SECONDS)
    uvloop.run(_work(orders, assignment))


async def _work(orders: Connection, assignment: Assignment) -> None:
    told = time.monotonic()

    def tell(count: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > _TELL_SECONDS:
            told = now
            orders.send(count)

    scenario = SCENARIOS[assignment.scenario](assignment.plan, assignment.setting(tell))
    loop = asyncio.get_running_loop()
    while True:
        try:
            step = await loop.run_in_executor(None, orders.recv)
        except EOFError:
            return
        try:
            orders.send(await _take(scenario, step))
        except BenchError as error:
            orders.send(error)


async def _take(scenario: Any, step: str) -> Outcome:
    before = time.process_time()
    try:
        outcome: Outcome = await getattr(scenario, step)()
    except ExceptionGroup as group:  # all of one kind; one says enough
        raise group.exceptions[0] from None
    outcome.cpu_seconds = time.process_time() - before
    outcome.faults = scenario.traffic.faults.copy()
    return outcome


def raise_open_files() -> int:
    """Let this process have as many files open as it may; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
