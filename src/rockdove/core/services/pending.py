"""What a service wants carried out before it answers."""

from collections.abc import Callable
from dataclasses import dataclass

from rockdove.core.ports import Rule


def _nobody() -> None:
    """There is no news for others."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is decided and stored with this turn's batch, and what follows once it is durable."""

    rule: Rule
    notices: int = 0  # Append effects that the rule may have
    answer: Callable[[], bytes] = bytes  # Response.payload
    tell: Callable[[], None] = _nobody  # push the news to others, after the notices
