"""What a client tells its application, one class per kind of news."""

from dataclasses import dataclass

from rockdove.client.contacts import Contact
from rockdove.client.errors import Refused
from rockdove.client.groups import JoinRequest
from rockdove.client.message import Message, Sent
from rockdove.client.peer import Group, Peer
from rockdove.client.presence import Status


@dataclass(frozen=True, slots=True)
class Connected:
    """Logged in. `epoch_changed`: the server's store was restored, reload what you keep of it (protocol §3)."""

    session: str
    epoch_changed: bool = False


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is gone, the next try is `delay_seconds` away. `code` is a DisconnectCode, None without one."""

    delay_seconds: float
    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message for this device: each once, those of one conversation in the order of their seq."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessagesMissing:
    """The messages with `after` < seq < `before` are not to be had: expired, or of a time when you were no member (§5)."""

    peer: Peer
    after: int
    before: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A device of the peer has your messages up to `seq`."""

    peer: Peer
    seq: int


@dataclass(frozen=True, slots=True)
class Read:
    """`user` has read up to `seq`. It is you, when you did so on another device."""

    peer: Peer
    seq: int
    user: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """You have deleted messages on another device: those with these `seqs`, and all up to `through`."""

    peer: Peer
    seqs: tuple[int, ...]
    through: int


@dataclass(frozen=True, slots=True)
class Typing:
    """`user` is writing in this conversation. Nobody tells when he stops: forget it after some seconds."""

    peer: Peer
    user: str


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """Somebody came, went, or has something else to say about it."""

    status: Status


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A request, an answer, or a change that you made on another device."""

    contact: Contact


@dataclass(frozen=True, slots=True)
class JoinRequested:
    """Somebody asks to join a group of which you are an admin."""

    request: JoinRequest


@dataclass(frozen=True, slots=True)
class JoinRefused:
    """You asked to join this group, and an admin said no."""

    group: Group
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to a message which an earlier run of the program left in the outbox file."""

    message: Message  # without msgid and seq
    result: Sent | Refused


Event = (
    Connected
    | Reconnecting
    | MessageReceived
    | MessagesMissing
    | Delivered
    | Read
    | Deleted
    | Typing
    | PresenceChanged
    | ContactChanged
    | JoinRequested
    | JoinRefused
    | Settled
)
