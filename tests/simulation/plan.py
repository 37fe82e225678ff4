"""What a seed decides before anything happens."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.simulation.disk import Habits

USERS: Final = ["ann", "bob", "cat", "dan"]
GROUPS: Final = ["birds", "trees"]


@dataclass
class Plan:
    """A world to be."""

    devices: list[tuple[str, str]]
    window: int
    habits: Habits
    retention: bool  # False: messages go when everybody has acknowledged them
    lost_pushes: float  # probability that a message is stored and nobody is told
    bad_network: float  # probability that a connection has a bad fate
    storm_ms: int
    sends: int
    crashes: int
    troubles: int  # of people and clients
    backlog: dict[str, int] = field(default_factory=dict)  # messages that wait for the first user, by sender
    groups: list[str] = field(default_factory=list)
    history_for_new: bool = False
    changes: int = 0  # of groups
    nodes: int = 1  # that share the store
    lost_rings: float = 0.0  # probability that one is not heard
    bad_rings: float = 0.0  # probability that one is late, or doubled
    node_troubles: int = 0

    @classmethod
    def of(cls, random: Random) -> "Plan":
        """The plan of a seed."""
        users = USERS[: random.choice([2, 2, 3, 4])]
        devices = [(user, name) for user in users for name in ["phone", "laptop", ""][: random.choice([1, 1, 2, 3])]]
        plan = cls(
            devices=devices,
            window=random.choice([1, 3, 8, 256]),
            habits=Habits(
                slow=random.random() < 0.5,
                unavailable=random.choice([0, 0, 0, 0.1, 0.4]),
                fatal=random.choice([0, 0, 0, 0.02]),
            ),
            retention=random.random() < 0.7,
            lost_pushes=random.choice([0, 0, 0.1, 0.5]),
            bad_network=random.choice([0, 0.3, 0.6]),
            storm_ms=random.choice([2_000, 10_000, 90_000]),
            sends=random.choice([8, 20, 40]),
            crashes=random.choice([0, 1, 1, 3]),
            troubles=random.choice([0, 2, 6]),
        )
        if random.random() < 0.08:
            plan.window = random.choice([60, 256])
            plan.backlog = {user: random.randint(40, 140) for user in users[1:]}
        return plan

    def add_groups(self, random: Random) -> None:
        """Let there be groups, in most worlds."""
        self.groups = GROUPS[: random.choice([0, 1, 1, 2])]
        self.history_for_new = self.retention and random.random() < 0.3  # else the history may be gone
        self.changes = random.choice([4, 12, 30])

    def add_nodes(self, random: Random) -> None:
        """Let there be several nodes, in most worlds."""
        self.nodes = random.choice([1, 1, 2, 2, 3])
        self.habits.lanes = random.choice([1, 2, 3]) if self.nodes > 1 else 1
        self.habits.late_logins = 0.1 if self.nodes > 1 else 0.0
        self.lost_rings = random.choice([0, 0, 0.1, 0.5])
        self.bad_rings = random.choice([0, 0.2, 0.5])
        self.node_troubles = random.choice([0, 2, 5])
