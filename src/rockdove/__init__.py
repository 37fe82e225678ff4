"""Instant messaging that never loses, doubles or reorders a message.

The names of the SDK (`rockdove.client`) are here too, loaded when first asked for: the server does without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rockdove.client import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        client = import_module("rockdove.client")
        if name in client.__all__:
            return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
