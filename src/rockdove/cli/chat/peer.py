"""Whom one talks to, as people write it: NAME is a user, #NAME a group."""

from rockdove.client import Chat
from rockdove.client.message import Key
from rockdove.wire import names


def parse_peer(text: str) -> Key:
    """The conversation. Raises ValueError unless it is a legal name."""
    chat, name = (Chat.GROUP, text[1:]) if text.startswith("#") else (Chat.SINGLE, text)
    if not names.is_name(name):
        raise ValueError(f"{text!r} is not a name; use {names.RULE}")
    return chat, name


def show_peer(key: Key) -> str:
    """The other way round."""
    return f"#{key[1]}" if key[0] == Chat.GROUP else key[1]
