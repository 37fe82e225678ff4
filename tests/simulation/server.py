"""One place for a node: there it lives, is killed, freezes, and comes again."""

import traceback
from collections.abc import Callable, Sequence
from itertools import accumulate, repeat
from random import Random
from typing import TYPE_CHECKING, Any, Final

from rockdove.bus.local import LocalBus
from rockdove.core.commit import STRETCH_SECONDS
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.errors import StoreFailed
from rockdove.core.node import Node
from rockdove.core.records import Draft
from rockdove.core.settings import Settings
from tests.history.events import Killed
from tests.simulation.clock import MS, NodeScheduler, at_once, pause
from tests.simulation.disk import NodeStore
from tests.simulation.network import Connection
from tests.simulation.nodes import LeasedNode
from tests.simulation.outside import Outside

if TYPE_CHECKING:
    from tests.simulation.world import World

FREEZE_TRIES: Final = 200  # one in a ms
LEAVING_US: Final = 3_000 * MS  # from the drain to the end


class Forgetful:
    """A fan-out that tells nobody about some of the messages."""

    def __init__(self, fanout: Fanout, loses: Callable[[Sequence[Draft]], bool]) -> None:
        self._fanout = fanout
        self._loses = loses

    def messages(self, drafts: Sequence[Draft], now_ms: int) -> None:
        if not self._loses(drafts):
            self._fanout.messages(drafts, now_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fanout, name)


class Server:
    """Starts one node after the other. Alone, it has neither a bus nor neighbours."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self._name = name
        self._connections: list[Connection] = []
        self.node: Node | None = None
        self._start()

    def _start(self) -> None:
        world, random = self._world, self._world.random
        offset_ms = random.choice([0, 0, -5_000, 7_000])
        self._scheduler = NodeScheduler(world.clock, Random(random.random()), offset_ms, self._unexpected)
        self._nodes: LeasedNode | None = None
        self._bus: LocalBus | None = None
        if world.plan.nodes > 1:
            self._nodes = LeasedNode(world.register)
            self._bus = world.hub.join(self._scheduler, lambda ms: pause(ms * MS))
        self._store = NodeStore(world.disk, world.clock, Random(random.random()), self._scheduler, self._nodes)
        outside = Outside(world)
        self.node = node = Node(
            Settings(window=world.plan.window, maintenance_ms=5_000),
            self._store,
            world.accounts,
            outside,
            self._scheduler,
            outside,
            outside,
            self._nodes,
            self._bus,
        )
        node.commit.figures.clock = _uneven(Random(f"{self._name} {world.clock.now_us}"))
        node.commit.on_failure(self._disk_failed)
        node.fanout = Forgetful(node.fanout, self._loses)  # type: ignore[assignment]
        node.start()
        self._note("starts" if self._nodes is None else f"starts as {self._nodes.number}")

    def _note(self, text: str) -> None:
        self._world.note(f"{self._name} {text}")

    def _unexpected(self, error: Exception) -> None:
        self._world.check(False, "".join(traceback.format_exception(error)))

    def _loses(self, drafts: Sequence[Draft]) -> bool:
        """Whether the push of these messages gets lost."""
        lost = not self._world.calm and self._world.random.random() < self._world.plan.lost_pushes
        if lost:
            self._note(f"tells nobody about {[draft.msgid for draft in drafts]}")
        return lost

    def _disk_failed(self, error: StoreFailed) -> None:
        self._note(str(error))
        self._world.clock.after(0, self.crash)

    def connect(self, connection: Connection) -> None:
        """A client has come."""
        assert self.node is not None
        connection.server = self._scheduler
        connection.session = self.node.connect(connection, "192.0.2.1")
        self._connections.append(connection)

    # -- troubles

    def crash(self) -> None:
        """Kill the node, and start it again after a while."""
        if self.node is None:
            return
        self._note("is no more")
        self._world.happened(Killed())
        self.node = None
        self._scheduler.alive = False
        self._store.crash()
        if self._bus is not None:
            self._world.hub.remove(self._bus)
        for connection in self._connections:
            connection.server_died()
        self._connections.clear()
        self._world.clock.after(self._world.random.choice([1, 300, 4_000]) * MS, self._start)

    def leave(self) -> None:
        """End the node as an operator does, and start it again after a while."""
        nodes = self._nodes
        if self.node is None or nodes is None:
            return
        self._note("is drained")
        self.node.drain()

        def end() -> None:
            if nodes is self._nodes and self.node is not None:
                at_once(nodes.leave())
                self.crash()

        self._world.clock.after(LEAVING_US, end)

    def freeze(self, ms: int, tries: int = FREEZE_TRIES) -> None:
        """For so long the node does nothing; it begins when the node has written all that it meant to write."""
        if self.node is None or self._world.calm or self._scheduler.frozen or not tries:
            return
        if not self._scheduler.at_rest:
            self._world.clock.after(MS, lambda: self.freeze(ms, tries - 1))
            return
        self._note(f"freezes for {ms} ms")
        self._scheduler.freeze(ms)

    def cut_off(self, ms: int) -> None:
        """For so long the node has no bus."""
        bus = self._bus
        if bus is None or not bus.connected:
            return
        self._note(f"has no bus for {ms} ms")
        bus.cut()
        self._world.clock.after(ms * MS, lambda: self._mend(bus))

    def _mend(self, bus: LocalBus) -> None:
        if bus is self._bus and not bus.connected:
            self._note("has its bus again")
            bus.mend()

    def be_lucky(self) -> None:
        """From now on nothing goes wrong that has not yet."""
        self._scheduler.thaw()
        if self._bus is not None:
            self._mend(self._bus)
        for connection in self._connections:
            connection.be_lucky()
            connection.go_on_reading()


def _uneven(random: Random) -> Callable[[], float]:
    """A clock by which some stretches of a turn take too long: they end early."""
    steps = (random.choice([0.0, 0.0, 2 * STRETCH_SECONDS]) for _ in repeat(None))
    return accumulate(steps).__next__
