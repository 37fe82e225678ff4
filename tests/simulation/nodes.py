"""Which nodes live: each as long as it says so often enough."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rockdove.core.records import NodeState
from tests.simulation.clock import MS, Clock

LEASE_US: Final = 15_000 * MS


class Register:
    """The nodes of one store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._living: dict[int, tuple[int, NodeState]] = {}  # by number: until when
        self._highest = 0

    def new_number(self) -> int:
        """One that no node has had."""
        self._highest += 1
        return self._highest

    def see(self, number: int, state: NodeState) -> None:
        """The node says that it is alive."""
        self._living[number] = self._clock.now_us + LEASE_US, replace(state, number=number)

    def forget(self, number: int) -> None:
        """The node has ended, and said so."""
        self._living.pop(number, None)

    def lives(self, number: int) -> bool:
        """Whether it said so not long ago."""
        return number in self._living and self._clock.now_us < self._living[number][0]

    def states(self) -> Sequence[NodeState]:
        """Who lives, by number."""
        return [state for number, (_, state) in sorted(self._living.items()) if self.lives(number)]


class LeasedNode:
    """`core.ports.Nodes` of one life of a node. Taken for dead, it comes back with its number."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.number = register.new_number()
        register.see(self.number, NodeState(self.number, "", "", 0))

    @property
    def lives(self) -> bool:
        """Whether the store takes what this node commits."""
        return self._register.lives(self.number)

    async def beat(self, state: NodeState) -> Sequence[NodeState]:
        self._register.see(self.number, state)
        return self._register.states()

    async def leave(self) -> None:
        self._register.forget(self.number)
