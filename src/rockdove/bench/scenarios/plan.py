"""Plans: what a scenario is told to do. Each field is an option of its command."""

from dataclasses import field
from typing import Any

from rockdove.bench.texts import SMALLEST


def option(default: Any, explanation: str, least: float = 1) -> Any:
    """A field of a plan: its default, what it means, and the least that makes sense."""
    return field(default=default, metadata={"help": explanation, "metavar": "N", "min": least})


def text_size() -> Any:
    """The field that says how long a text is."""
    return option(100, "Bytes of each text.", SMALLEST)
