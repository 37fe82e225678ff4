"""Tenants, users and their devices."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

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
    recall_seconds: int = 120  # how long a sender may recall a message
    edit_seconds: int = 900  # how long a sender may edit a message
    token_secret: bytes = b""  # signs this tenant's app tokens (JWT, HS256)


class UserState(IntEnum):
    """May this user log in, and be written to?"""

    ACTIVE = 0
    DISABLED = 1  # cannot log in; messages still arrive for later
    REMOVED = 2  # gone for good; the name is never given to somebody else


class User(NamedTuple):
    """A user of one tenant. `id` is unique across tenants, from 1 to 2**31 - 1."""

    id: int
    tenant: int
    name: str
    state: UserState = UserState.ACTIVE
    password_hash: str = ""  # argon2, encoded; "" where only app tokens let this user in
    credential_version: int = 0  # grows when the password changes: older resume tokens are void


class Device(NamedTuple):
    """One installation of a client (protocol §1). `id` is unique in the store."""

    id: int
    last_seqid: int  # highest seqid stored for it, 0 if none
    kicked_ms: int = 0  # when it was kicked last: older tokens are dead; 0 for never
    login: int = 0  # the number of its newest login; 0 in a store of one node
    holder: int = 0  # the number of the node where it had logged in before; 0 for none, and in a store of one node


Hold = tuple[int, int]  # a login's number, and that of its node


class DeviceState(NamedTuple):
    """A device in its user's list."""

    id: int
    name: str
    client: str  # what it called itself
    last_seen_ms: int


class Caller(NamedTuple):
    """Who logs in: all that a login looks for in the store."""

    user: User  # perhaps a removed one
    device: Device | None  # None for one that is new
    client: str  # what the device called itself
    has_conversations: bool  # of its user; False: it is owed nothing

    @property
    def kicked_ms(self) -> int:
        """When the device was kicked last, 0 for never."""
        return self.device.kicked_ms if self.device is not None else 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user tells others about himself."""

    user: int
    name: str  # of the user
    nickname: str = ""
    avatar_url: str = ""
    ext: tuple[tuple[str, str], ...] = ()  # by key


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """Which accounts changed, perhaps by another process, since the position asked about."""

    position: int
    tenants: frozenset[int]
    users: frozenset[int]
