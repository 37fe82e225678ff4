"""Whom one talks to, as people write it: NAME is a user, #NAME a group."""

from rockdove.client import Group, Peer
from rockdove.wire import names


def parse_peer(text: str) -> Peer:
    """The conversation. Raises ValueError unless it is a legal name."""
    name = text.removeprefix("#")
    if not names.is_name(name):
        raise ValueError(f"{text!r} is not a name; use {names.RULE}")
    return Group(name) if text.startswith("#") else name
