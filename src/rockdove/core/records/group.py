"""Groups and who is in them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What a member may do in a group; who stands higher may do more. The values are those of the wire."""

    MEMBER = 0
    ADMIN = 1
    OWNER = 2


class Join(IntEnum):
    """How one gets into a group. The values are those of the wire."""

    INVITE = 0
    APPROVAL = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """The rules that a group gave itself."""

    join: Join = Join.INVITE
    members_invite: bool = False
    only_admins_post: bool = False
    history_for_new: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group. It stays when it is dissolved, so that its id is never given again and its log can be read."""

    conversation: int  # from 1 to below GROUPS_END
    tenant: int
    id: str  # as the wire names it, unique in the tenant
    name: str  # for display
    owner: int  # user id
    created_ms: int
    policy: GroupPolicy = GroupPolicy()
    announcement: str = ""
    avatar_url: str = ""
    size: int = 0  # members
    version: int = 1  # grows with every change
    muted_until_ms: int = 0  # nobody but the admins may post before
    dissolved: bool = False


class Member(NamedTuple):
    """A present member of a group. Sees the log from after `after_seq` on."""

    conversation: int
    user: int
    role: Role
    joined_ms: int
    after_seq: int
    muted_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Somebody who waits for an admin's answer."""

    conversation: int
    user: int
    asked_ms: int
