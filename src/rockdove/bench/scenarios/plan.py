"""Plans: what a scenario is told to do. Each field is an option of its command."""

from dataclasses import field
from typing import Any

from rockdove.bench.texts import SMALLEST
from rockdove.wire.limits import TEXT_BYTES


def option(default: Any, explanation: str, least: float = 1, most: float | None = None) -> Any:
    """A field of a plan: its default, what it means, and the least and the most that make sense."""
    return field(default=default, metadata={"help": explanation, "metavar": "N", "min": least, "max": most})


def text_size() -> Any:
    """The field that says how long a text is."""
    return option(100, "Bytes of each text.", SMALLEST, TEXT_BYTES)
