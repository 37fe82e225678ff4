"""Groups: founding, joining, leading and leaving them (protocol §7)."""

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rockdove.client.asking import Ask, pages
from rockdove.client.errors import Refused
from rockdove.client.peer import Group
from rockdove.wire import im_pb2 as pb

_PAGE: Final = 200


class Role(IntEnum):
    """What a member may do; each may act on those below."""

    MEMBER = pb.GroupRole.MEMBER
    ADMIN = pb.GroupRole.ADMIN
    OWNER = pb.GroupRole.OWNER


class Joining(IntEnum):
    """How one becomes a member."""

    INVITE = pb.GroupPolicy.INVITE
    APPROVAL = pb.GroupPolicy.APPROVAL  # an admin answers
    OPEN = pb.GroupPolicy.OPEN


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a group."""

    joining: int = Joining.INVITE
    members_invite: bool = False
    only_admins_post: bool = False
    history_for_new: bool = False  # who is added sees the messages from the beginning


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group as this user sees it. Times are ms since the Unix epoch."""

    group: Group
    name: str
    owner: str
    size: int
    policy: Policy
    announcement: str
    avatar_url: str
    created_ms: int
    version: int  # one higher with every change
    muted_until_ms: int  # everyone but the admins
    member: bool  # whether this user is one
    role: int  # of this user, a Role


@dataclass(frozen=True, slots=True)
class Member:
    """One of a group. Times are ms since the Unix epoch."""

    user: str
    role: int  # a Role
    joined_ms: int
    muted_until_ms: int


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Somebody who wants to join, and waits for an admin's answer since `asked_ms`."""

    group: Group
    user: str
    asked_ms: int


class Groups:
    """`client.groups`. Every verb raises Refused; each may be repeated without harm."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def create(self, name: str, members: Sequence[str] = (), *, policy: Policy | None = None, id: str = "") -> Group:  # noqa: A002
        """Found a group, with yourself as its owner. Without an `id` of your choice the group gets a random one.

        Raises Refused(ALREADY_EXISTS) when the chosen one is taken, be it by your own try whose answer was lost.
        """
        chosen = id or secrets.token_hex(8)
        creation = pb.GroupCreate(name=name, members=members, policy=_write_policy(policy or Policy()), id=chosen)
        try:
            await self._ask(pb.Group(create=creation))
        except Refused as refusal:
            # Nobody else can have drawn the same id: this was our own try, of a connection that broke before the answer.
            if id or refusal.code != pb.ALREADY_EXISTS:
                raise
        return Group(chosen)

    async def info(self, group: Group) -> GroupInfo:
        """What there is to know. Of a group that may be joined, those outside see all but the announcement."""
        return read_info(pb.GroupInfo.FromString(await self._ask(pb.Group(info=_ref(group)))))

    async def join(self, group: Group) -> None:
        """Join an open group; or ask to, where an admin must approve: then a notice or `JoinRefused` tells the answer."""
        await self._ask(pb.Group(join=_ref(group)))

    async def leave(self, group: Group) -> None:
        """Leave, or withdraw the request to join. An owner hands the group over first, or dissolves it."""
        await self._ask(pb.Group(leave=_ref(group)))

    async def invite(self, group: Group, users: Iterable[str]) -> None:
        """Make them members: all, or none of them when it is refused. Those who are in already are passed over."""
        await self._ask(pb.Group(invite=pb.GroupUsers(id=group.id, users=users)))

    async def kick(self, group: Group, users: Iterable[str], *, reason: str = "") -> None:
        """Put members out: all, or none of them when it is refused. For admins, about those below them."""
        await self._ask(pb.Group(kick=pb.GroupUsers(id=group.id, users=users, reason=reason)))

    async def dissolve(self, group: Group) -> None:
        """End the group for all. Its messages stay readable for those who saw them. For the owner."""
        await self._ask(pb.Group(dissolve=_ref(group)))

    async def update(
        self,
        group: Group,
        *,
        name: str | None = None,
        announcement: str | None = None,
        avatar_url: str | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Change what is given: name up to 128 bytes, announcement up to 4 KiB, URL up to 2 KiB. For admins."""
        update = pb.GroupUpdate(id=group.id, name=name, announcement=announcement, avatar_url=avatar_url)
        if policy:
            update.policy.CopyFrom(_write_policy(policy))
        await self._ask(pb.Group(update=update))

    async def set_role(self, group: Group, user: str, role: Role) -> None:
        """Make a member an admin, an admin a member; or somebody the owner, in your place. For the owner."""
        await self._ask(pb.Group(role=pb.GroupRole(id=group.id, user=user, role=role.value)))

    async def mute(self, group: Group, user: str | None, seconds: int) -> None:
        """Let `user` post nothing for that long, 0 to end it; None is everyone but the admins. For admins."""
        await self._ask(pb.Group(mute=pb.GroupMute(id=group.id, user=user or "", seconds=seconds)))

    async def members(self, group: Group) -> AsyncIterator[Member]:
        """All members, fetched in pages."""

        async def page(after: str) -> tuple[Iterable[pb.GroupMember], str]:
            query = pb.GroupMembersQuery(id=group.id, after=after, limit=_PAGE)
            answer = pb.GroupMembers.FromString(await self._ask(pb.Group(members=query)))
            return answer.items, answer.next

        async for item in pages(page):
            yield Member(item.user, int(item.role), item.joined_at, item.muted_until)

    async def mine(self) -> AsyncIterator[GroupInfo]:
        """The groups that you are a member of, fetched in pages."""

        async def page(after: str) -> tuple[Iterable[pb.GroupInfo], str]:
            query = pb.ListGroups(after=after, limit=_PAGE)
            answer = pb.GroupList.FromString(await self._ask(pb.Group(list=query)))
            return answer.items, answer.next

        async for item in pages(page):
            yield read_info(item)

    async def requests(self, group: Group) -> AsyncIterator[JoinRequest]:
        """Who waits for an answer, fetched in pages. For admins."""

        async def page(after: str) -> tuple[Iterable[pb.GroupRequest], str]:
            query = pb.GroupRequestsQuery(id=group.id, after=after, limit=_PAGE)
            answer = pb.GroupRequests.FromString(await self._ask(pb.Group(requests=query)))
            return answer.items, answer.next

        async for item in pages(page):
            yield JoinRequest(Group(item.id or group.id), item.user, item.asked_at)

    async def accept(self, group: Group, user: str) -> None:
        """Let somebody in who asked. For admins."""
        await self._ask(pb.Group(answer=pb.GroupAnswer(id=group.id, user=user, accept=True)))

    async def refuse(self, group: Group, user: str, *, reason: str = "") -> None:
        """Do not let somebody in who asked. For admins."""
        await self._ask(pb.Group(answer=pb.GroupAnswer(id=group.id, user=user, reason=reason)))


def read_info(wire: pb.GroupInfo) -> GroupInfo:
    """A group from the wire."""
    rules = wire.policy
    return GroupInfo(
        group=Group(wire.id),
        name=wire.name,
        owner=wire.owner,
        size=wire.size,
        policy=Policy(int(rules.join), rules.members_invite, rules.only_admins_post, rules.history_for_new),
        announcement=wire.announcement,
        avatar_url=wire.avatar_url,
        created_ms=wire.created_at,
        version=wire.version,
        muted_until_ms=wire.muted_until,
        member=wire.member,
        role=int(wire.role),
    )


def _ref(group: Group) -> pb.GroupRef:
    return pb.GroupRef(id=group.id)


def _write_policy(policy: Policy) -> pb.GroupPolicy:
    written = pb.GroupPolicy(
        members_invite=policy.members_invite,
        only_admins_post=policy.only_admins_post,
        history_for_new=policy.history_for_new,
    )
    written.join = policy.joining  # type: ignore[assignment]  # an open enum
    return written
