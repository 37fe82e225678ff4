"""What is stored, as the core and the stores see it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple
from zlib import crc32

from rockdove.core.msgid import timestamp_field
from rockdove.wire import codec

FOREVER: Final = -1  # Tenant.retention_days: messages are kept
NO_RETENTION: Final = 0  # Tenant.retention_days: a message goes when every device has acknowledged it

DEFAULT_NAME: Final = "default"  # org and appkey of the tenant that exists from the start


@dataclass(frozen=True, slots=True)
class Tenant:
    """One application of one organisation; tenants never see each other (protocol §1)."""

    id: int
    org: str
    appkey: str
    retention_days: int = FOREVER  # FOREVER, NO_RETENTION or a number of days
    strangers: bool = True  # may users who are not friends write to each other?
    password_cost: str = "standard"  # a name in auth.password.COSTS
    messages_per_second: int = 0  # of one connection; 0 is no limit
    token_secret: bytes = b""  # signs this tenant's app tokens (JWT, HS256)


class UserState(IntEnum):
    """May this user log in, and be written to?"""

    ACTIVE = 0
    DISABLED = 1  # cannot log in; messages still arrive for later
    REMOVED = 2  # gone for good; the name is never given to somebody else


@dataclass(frozen=True, slots=True)
class User:
    """A user of one tenant. `id` is unique across tenants, from 1 to 2**31 - 1."""

    id: int
    tenant: int
    name: str
    state: UserState = UserState.ACTIVE
    password_hash: str = ""  # argon2, encoded; "" where only app tokens let this user in
    credential_version: int = 0  # grows when the password changes: older resume tokens are void


@dataclass(frozen=True, slots=True)
class Device:
    """One installation of a client (protocol §1). `id` is unique in the store."""

    id: int
    last_seqid: int  # highest seqid stored for it, 0 if none


# ---------------------------------------------------------------- conversations

USER_BITS: Final = 32
USER_MASK: Final = (1 << USER_BITS) - 1


def single_conversation(one: int, other: int) -> int:
    """The id of the conversation of two users (the same user twice: notes to self).

    Both user ids are in it, the smaller one above: no table is needed to find the conversation or its members.
    Ids below 2**32 are left for groups.
    """
    return one << USER_BITS | other if one < other else other << USER_BITS | one


def single_members(conversation: int) -> tuple[int, int]:
    """The two users of a single conversation, smaller id first."""
    return conversation >> USER_BITS, conversation & USER_MASK


def peer_of(conversation: int, user: int) -> int:
    """The other user of a single conversation; the user itself in notes to self."""
    low, high = conversation >> USER_BITS, conversation & USER_MASK
    return high if user == low else low


# ---------------------------------------------------------------- messages


class Outcome(IntEnum):
    """What became of a draft."""

    STORED = 0
    RETRY = 1  # stored earlier under the same key: `msgid` and `seq` are those of then
    CONFLICT = 2  # the key was used for other content: nothing stored


class Draft:
    """A message on its way into the store, and then what became of it. One object per message: keep it lean."""

    __slots__ = (
        "body",
        "conversation",
        "device",
        "msgid",
        "origin",
        "outcome",
        "record",
        "sender",
        "sender_field",
        "seq",
        "seqid",
        "tenant",
    )

    def __init__(
        self,
        tenant: int,
        conversation: int,
        sender: int,
        sender_field: bytes,
        device: int,
        seqid: int,
        body: bytes,
        origin: Any,
    ) -> None:
        self.tenant = tenant
        self.conversation = conversation
        self.sender = sender  # user id
        self.sender_field = sender_field  # codec.sender_field of its name
        self.device = device  # device id
        self.seqid = seqid  # 0: no de-duplication
        self.body = body  # canonical Message bytes without the server's fields
        self.origin = origin  # whom to answer; the store does not look
        self.msgid = 0  # given before the commit; a retry gets its first one back
        # The store fills these; they hold once `done` was called without an error.
        self.seq = 0
        self.record = b""  # what is pushed; only of STORED
        self.outcome = Outcome.STORED

    def place(self, seq: int) -> None:
        """Give it its place in the conversation: now the record that will be pushed is complete."""
        self.seq = seq
        self.record = codec.record(self.body, self.sender_field, self.msgid, seq, timestamp_field(self.msgid))

    def sent(self) -> bytes:
        """The frame that answers the sender."""
        return codec.sent(self.seqid, self.msgid, self.seq, timestamp_field(self.msgid))

    @property
    def digest(self) -> int:
        """`digest_of` its content."""
        return digest_of(self.body)


def digest_of(body: bytes) -> int:
    """Tells a retry from other content under the same key, even after the record is gone."""
    return crc32(body)


class Earlier(NamedTuple):
    """A message that was stored under a (device, seqid) key."""

    msgid: int
    seq: int
    digest: int  # of its content


class Batch:
    """What one turn of the loop wants durable, in the order in which it was asked for."""

    __slots__ = ("cursors", "messages", "now_ms", "reads", "seen")

    def __init__(self) -> None:
        self.messages: list[Draft] = []
        self.cursors: dict[tuple[int, int], int] = {}  # (device id, conversation) -> seq; never moves back
        self.reads: dict[tuple[int, int], int] = {}  # (user id, conversation) -> seq; never moves back
        self.seen: set[int] = set()  # devices that are here now
        self.now_ms = 0

    def __bool__(self) -> bool:
        return bool(self.messages or self.cursors or self.reads or self.seen)


class Stored(NamedTuple):
    """A message read back from its log."""

    seq: int
    msgid: int
    sender: int  # user id
    device: int  # device id of the sender
    record: bytes  # the Message, as it is pushed


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device stands in a conversation."""

    cursor: int  # highest seq that this device has acknowledged
    delivered: int  # highest seq that any device of the same user has acknowledged


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a user's list."""

    conversation: int
    peer: str  # name of the other user
    last_seq: int
    acked_seq: int
    read_seq: int
    peer_read_seq: int
    unread: int
    last_msgid: int
    last: bytes  # record of the newest message; empty when it has expired


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
class AccountChanges:
    """Which accounts changed, perhaps by another process, since the position asked about."""

    position: int
    tenants: frozenset[int]
    users: frozenset[int]
