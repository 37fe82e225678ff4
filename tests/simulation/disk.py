"""A store whose commits take time, fail, or are cut off by a crash."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from inspect import iscoroutinefunction
from random import Random
from typing import Any, Final

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.ports import Store, View
from rockdove.core.records import Batch, Device
from rockdove.store.memory.store import MemoryStore
from tests.simulation.clock import MS, Clock, NodeScheduler, pause
from tests.simulation.nodes import LeasedNode

LATE_US: Final = 8_000 * MS  # how long a login waits at most

Done = Callable[[Exception | None], None]


@dataclass
class Habits:
    """How a disk behaves."""

    slow: bool = False  # commits and reads take time, as over a network; else they are done at once
    unavailable: float = 0.0  # probability that a commit is refused
    fatal: float = 0.0  # probability that it fails for good
    late_logins: float = 0.0  # probability that one waits for long
    lanes: int = 1


class Disk:
    """What survives a node."""

    def __init__(self, store: MemoryStore, habits: Habits) -> None:
        self.store = store
        self.habits = habits
        self.refused = False  # some commit, at some time


class NodeStore:
    """`core.ports.Store` of one life of a node. What it does not say itself comes from the disk's store, delayed."""

    def __init__(
        self, disk: Disk, clock: Clock, random: Random, scheduler: NodeScheduler, nodes: LeasedNode | None = None
    ) -> None:
        self._disk = disk
        self._store = disk.store
        self._habits = disk.habits
        self._clock = clock
        self._random = random
        self._lateness = copy(random)
        self._scheduler = scheduler
        self._nodes = nodes
        self._pending: dict[int, tuple[Batch, Done]] = {}  # not applied yet, by lane
        self._committing: set[int] = set()  # lanes
        self.alive = True

    @property
    def epoch(self) -> int:
        return self._store.epoch

    @property
    def last_msgid(self) -> int:
        return self._store.last_msgid

    @property
    def lanes(self) -> int:
        return self._habits.lanes

    @property
    def shared(self) -> bool:
        return self._store.shared

    # -- commit

    def commit(self, batch: Batch, done: Done) -> None:
        assert batch.lane not in self._committing, "the core starts the next commit of a lane only after `done`"
        self._committing.add(batch.lane)
        self._pending[batch.lane] = batch, done
        luck = self._random.random()
        if luck < self._habits.fatal:
            self._in_time(lambda: self._fail(batch, StoreFailed("the disk is broken"), applied=self._random.random() < 0.5))
        elif luck < self._habits.fatal + self._habits.unavailable:
            self._in_time(lambda: self._fail(batch, StoreUnavailable("the disk is full"), applied=False))
        else:
            self._in_time(lambda: self._apply(batch))

    def _in_time(self, call: Callable[[], None]) -> None:
        if self._habits.slow:
            self._clock.after(self._delay_us(), lambda: call() if self.alive else None)
        else:
            call()

    def _delay_us(self) -> int:
        return self._random.choice([0, 200, 2_000, 2_000, 20_000, 200_000])

    def _apply(self, batch: Batch) -> None:
        if self._nodes is not None and not self._nodes.lives:
            self._fail(batch, StoreUnavailable("this node was taken for dead"), applied=False)
            return
        _, done = self._pending.pop(batch.lane)
        self._store.commit(batch, lambda _: None)
        self._in_time(lambda: self._tell(batch, done, None))

    def _fail(self, batch: Batch, error: Exception, *, applied: bool) -> None:
        _, done = self._pending.pop(batch.lane)
        self._disk.refused = True
        if applied:
            self._store.commit(batch, lambda _: None)
        self._tell(batch, done, error)

    def _tell(self, batch: Batch, done: Done, error: Exception | None) -> None:
        def tell() -> None:
            self._committing.remove(batch.lane)
            done(error)

        self._scheduler.call(tell)

    def crash(self) -> None:
        """The node is gone. What it was committing is stored, or it is not."""
        self.alive = False
        for batch, _ in self._pending.values():
            if self._random.random() < 0.5:
                self._store.commit(batch, lambda _: None)

    # -- reads: the answer may be old when it arrives, but never older than the question

    async def _wait(self) -> None:
        if self._habits.slow:
            await pause(self._delay_us() // 10)

    async def _read(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """Wait before and after the store looks."""
        await self._wait()
        result = await read(*arguments)
        await self._wait()
        return result

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int = 0) -> Device:
        await self._wait()
        if self._lateness.random() < self._habits.late_logins:
            await pause(self._lateness.randrange(LATE_US))
        if self._random.random() < self._habits.unavailable:
            raise StoreUnavailable("the disk is full")
        return await self._read(self._store.open_device, user, name, client, now_ms, node)

    def close(self) -> None:
        pass


def _delayed(name: str) -> Callable[..., Any]:
    """The method of that name, which takes its time."""

    async def read(self: NodeStore, *arguments: Any) -> Any:
        return await self._read(getattr(self._store, name), *arguments)

    return read


for _name, _method in (vars(View) | vars(Store)).items():
    if iscoroutinefunction(_method) and _name not in vars(NodeStore):
        setattr(NodeStore, _name, _delayed(_name))
