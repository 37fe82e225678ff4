"""Contacts, also called the roster."""

from enum import IntEnum
from typing import NamedTuple


class ContactState(IntEnum):
    """How a user stands to another. The values are those of the wire; being blocked is noted beside it."""

    NONE = 0
    REQUESTED = 1
    INVITED = 2
    FRIEND = 3


class Contact(NamedTuple):
    """One side of what is between two users: how `user` sees `peer`."""

    user: int
    peer: int
    state: ContactState = ContactState.NONE  # kept up also while the peer is blocked
    blocked: bool = False  # by `user`
    remark: str = ""
    greeting: str = ""
    updated_ms: int = 0
    version: int = 0  # of the user's list: the highest is the newest change; 0: nothing was ever stored
