"""What a client tells its application, one class per kind of news."""

from dataclasses import dataclass

from rockdove.client.errors import Refused
from rockdove.client.message import Message, Sent
from rockdove.wire import im_pb2 as pb


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
    """The server no longer has the messages with `after` < seq < `before` (protocol §5)."""

    chat: int
    peer: str
    after: int
    before: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A device of the peer has your messages up to `seq`."""

    chat: int
    peer: str
    seq: int


@dataclass(frozen=True, slots=True)
class Read:
    """`user` has read up to `seq`. It is you, when you did so on another device."""

    chat: int
    peer: str
    seq: int
    user: str


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """Somebody came, went or is typing. `state` is a Presence.State."""

    user: str
    state: int
    last_seen_ms: int
    text: str
    chat: int
    peer: str


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """News of a contact, as the server tells it."""

    item: pb.ContactItem


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to a message which an earlier run of the program left in the outbox file."""

    message: Message  # without msgid and seq
    result: Sent | Refused


Event = (
    Connected | Reconnecting | MessageReceived | MessagesMissing | Delivered | Read | PresenceChanged | ContactChanged | Settled
)
