"""What is read back from the store."""

from dataclasses import dataclass
from typing import NamedTuple

from rockdove.core.records.conversation import EVERYTHING, OPEN, Spans


class Stored(NamedTuple):
    """A message read back from its log."""

    seq: int
    msgid: int
    sender: int  # user id
    device: int  # device id of the sender
    record: bytes  # the Message, as it is pushed


class Located(NamedTuple):
    """A message found by its msgid."""

    conversation: int
    seq: int
    sender: int  # user id; 0 for a notice
    record: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device stands in a conversation."""

    cursor: int  # highest seq that this device has acknowledged
    delivered: int  # highest seq that any device of the same user has acknowledged
    visible: Spans = EVERYTHING  # what the user may see
    hides: bool = False  # whether the user has hidden messages of it


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a user's list."""

    conversation: int
    peer: str  # name of the other user, or id of the group
    last_seq: int
    acked_seq: int
    read_seq: int
    peer_read_seq: int
    unread: int
    last_msgid: int
    last: bytes  # record of the newest message that the user may see; empty when it has expired
    name: str = ""  # of the group, for display
    left: bool = False  # no member any more, or the group was dissolved


@dataclass(frozen=True, slots=True)
class Span:
    """What the log of one conversation holds, for deciding what to cut."""

    conversation: int
    retention_days: int
    first_seq: int  # lowest seq still kept
    last_seq: int
    acked_by_all: int  # lowest cursor among the members' unexpired devices
    everyone_has_device: bool  # every member has logged in at least once


@dataclass(frozen=True, slots=True)
class ReadMarks:
    """Who has read a message of a group: a page of names, and the counts of all."""

    count: int  # of members who have read it, its sender not counted
    total: int  # of members who could have
    users: list[tuple[int, str]]  # (user id, name), by id


class Match(NamedTuple):
    """A message that a search has found."""

    msgid: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. All conditions hold together."""

    text: str
    conversation: int = 0  # 0: any
    sender: int = 0  # user id; 0: anybody
    since_msgid: int = 0  # inclusive
    before_msgid: int = OPEN  # exclusive
    types: frozenset[int] = frozenset()  # MessageTypes; empty: any
