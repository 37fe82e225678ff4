"""The processes that serve one store together."""

from dataclasses import dataclass
from enum import StrEnum


class NodeStatus(StrEnum):
    """Where a node is in its life."""

    READY = "ready"
    DRAINING = "draining"  # takes no new connections, and moves those that it has


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node says of itself."""

    number: int  # from 1 to 1023, and of no other living node
    name: str  # how its operator calls it
    version: str  # of rockdove
    started_ms: int
    status: NodeStatus = NodeStatus.READY
    connections: int = 0
    bus_connected: bool = False
    seen_ms: int = 0  # when it said so, by the clock of the store
