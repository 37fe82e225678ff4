"""What can be measured: one module for each."""

from typing import Final

from rockdove.bench.scenarios.chat import Chat
from rockdove.bench.scenarios.scenario import Scenario

SCENARIOS: Final[dict[str, type[Scenario]]] = {"chat": Chat}
