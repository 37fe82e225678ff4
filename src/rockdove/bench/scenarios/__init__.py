"""What can be measured: one module for each."""

from typing import Final

from rockdove.bench.scenarios.chat import Chat
from rockdove.bench.scenarios.group import Group
from rockdove.bench.scenarios.idle import Idle
from rockdove.bench.scenarios.latency import Latency
from rockdove.bench.scenarios.mixed import Mixed
from rockdove.bench.scenarios.offline import Offline
from rockdove.bench.scenarios.scenario import Scenario
from rockdove.bench.scenarios.storm import Storm

SCENARIOS: Final[dict[str, type[Scenario]]] = {
    "chat": Chat,
    "latency": Latency,
    "group": Group,
    "offline": Offline,
    "idle": Idle,
    "storm": Storm,
    "mixed": Mixed,
}
