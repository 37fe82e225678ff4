"""What clients saw, event by event: all that the checker gets to know.

A history is a list of events in the order in which one observer noted them: what a client did *before* it
reached the network, what it got after it came from there. A connection is a number, used once.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogsIn:
    """A device asks to come online. Left out of a history where nothing else happens until it is."""

    connection: int


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A device came online."""

    connection: int
    user: str
    device: str


@dataclass(frozen=True, slots=True)
class Invoked:
    """A device asks to send a message that is to be kept. A retry is invoked again, with the same seqid."""

    connection: int
    seqid: int
    conversation: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer OK. An invocation that is never answered has an unknown outcome."""

    connection: int
    seqid: int
    msgid: int
    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Any other answer."""

    connection: int
    seqid: int
    code: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message was pushed. `at_ms` is any steady clock."""

    connection: int
    msgid: int
    seq: int
    conversation: str
    sender: str
    content: bytes
    at_ms: int = 0
    removed: bool = False  # recalled
    edited: bytes = b""  # what it says by now, if it was edited

    def __str__(self) -> str:
        return f"{self.conversation} seq {self.seq} msgid {self.msgid} on connection {self.connection}"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A message was found in the log, by a request for it."""

    connection: int
    msgid: int
    seq: int
    conversation: str
    sender: str
    content: bytes
    removed: bool = False
    edited: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A device asks for a change of a group. A retry is asked again, with the same seqid."""

    connection: int
    seqid: int
    conversation: str
    request: bytes  # a serialized Group


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to that."""

    connection: int
    seqid: int
    code: int


@dataclass(frozen=True, slots=True)
class Acked:
    """A device acknowledges a message that was pushed on this connection."""

    connection: int
    msgid: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """A heartbeat leaves."""

    connection: int


@dataclass(frozen=True, slots=True)
class Ponged:
    """It was answered."""

    connection: int


@dataclass(frozen=True, slots=True)
class Killed:
    """The server is killed: what it only had in memory is gone."""


Event = LogsIn | LoggedIn | Invoked | Sent | Refused | Received | Pulled | Asked | Answered | Acked | Pinged | Ponged | Killed
