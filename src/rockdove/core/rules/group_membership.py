"""Who comes into a group, and who goes (protocol §7)."""

from collections.abc import Sequence
from dataclasses import replace

from rockdove.core.errors import Refusal, denied, not_found
from rockdove.core.ports import View
from rockdove.core.records import (
    DropJoinRequest,
    Effect,
    EndMembers,
    Group,
    Join,
    JoinRequest,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Role,
    Tenant,
)
from rockdove.core.rules.group import Person, check_above, check_room, find_admin, notices, notices_for
from rockdove.core.rules.posting import check_reach_of_all, find_living, find_member, not_member
from rockdove.wire import im_pb2 as pb


class JoinGroup:
    """Come into an open group, or ask to come in. `asked` is the new request, None if there is none."""

    notices = 1

    def __init__(self, actor: Person, conversation: int, group_max_members: int) -> None:
        self._actor = actor
        self.conversation = conversation
        self._group_max_members = group_max_members
        self.asked: JoinRequest | None = None

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """Raises Refusal."""
        self.asked = None
        group = await find_living(view, self.conversation)
        if await view.member(self.conversation, self._actor.id) is not None:
            return []
        if group.policy.join is Join.INVITE:
            raise denied("one comes into this group by invitation only: ask an admin for one")
        if group.policy.join is Join.OPEN:
            check_room(group, 1, self._group_max_members)
            return await _welcome(view, group, self._actor, [self._actor], now_ms, msgids)
        if await view.join_request(self.conversation, self._actor.id) is not None:
            return []
        self.asked = JoinRequest(self.conversation, self._actor.id, now_ms)
        return [PutJoinRequest(self.asked)]


class AnswerRequest:
    """Let somebody in who asked, or not. `refused` is the request that was turned down, None if none was."""

    notices = 1

    def __init__(self, actor: Person, conversation: int, asker: Person, group_max_members: int, *, accept: bool) -> None:
        self._actor = actor
        self.conversation = conversation
        self._asker = asker
        self._group_max_members = group_max_members
        self._accept = accept
        self.refused: JoinRequest | None = None

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """Raises Refusal."""
        group, _ = await find_admin(view, self.conversation, self._actor.id)
        asked = await view.join_request(self.conversation, self._asker.id)
        self.refused = None if self._accept else asked
        if self.refused is not None:
            return [DropJoinRequest(self.conversation, self._asker.id)]
        if not self._accept or await view.member(self.conversation, self._asker.id) is not None:
            return []
        if asked is None:
            raise not_found(f"{self._asker.name!r} has not asked to join: invite the user")
        check_room(group, 1, self._group_max_members)
        return await _welcome(view, group, self._actor, [self._asker], now_ms, msgids)


class InviteUsers:
    """Make users members, all or none."""

    def __init__(
        self, tenant: Tenant, actor: Person, conversation: int, users: Sequence[Person], text: str, group_max_members: int
    ) -> None:
        """`users` has each once; `text` is the reason, for everybody to read."""
        self._tenant = tenant
        self._actor = actor
        self.conversation = conversation
        self._users = users
        self._text = text
        self._group_max_members = group_max_members
        self.notices = notices_for(len(users))

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """Raises Refusal."""
        group, member = await find_member(view, self.conversation, self._actor.id)
        if member.role is Role.MEMBER and not group.policy.members_invite:
            raise denied("only admins invite into this group: ask one of them")
        present = await view.roles_among(self.conversation, [user.id for user in self._users])
        newcomers = [user for user in self._users if user.id not in present]
        if not newcomers:
            return []
        check_room(group, len(newcomers), self._group_max_members)
        await check_reach_of_all(view, self._tenant, self._actor.id, dict(newcomers))
        return await _welcome(view, group, self._actor, newcomers, now_ms, msgids, self._text)


class LeaveGroup:
    """Go, or withdraw the request to come in."""

    notices = 1

    def __init__(self, actor: Person, conversation: int) -> None:
        self._actor = actor
        self.conversation = conversation

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        """Raises Refusal."""
        group = await find_living(view, self.conversation)
        member = await view.member(self.conversation, self._actor.id)
        if member is None:
            if await view.join_request(self.conversation, self._actor.id) is not None:
                return [DropJoinRequest(self.conversation, self._actor.id)]
            if not await view.visible(self._actor.id, self.conversation):
                raise not_member(group.id)
            return []
        if member.role is Role.OWNER:
            raise Refusal(pb.FAILED_PRECONDITION, "you own the group: hand the group over or dissolve it")
        return await _farewell(view, group, "group.left", self._actor, [self._actor], msgids)


class KickUsers:
    """Put members out, all or none."""

    def __init__(self, actor: Person, conversation: int, users: Sequence[Person], text: str) -> None:
        """`users` has each once; `text` is the reason, for everybody to read."""
        self._actor = actor
        self.conversation = conversation
        self._users = users
        self._text = text
        self.notices = notices_for(len(users))

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        """Raises Refusal."""
        group, actor = await find_admin(view, self.conversation, self._actor.id)
        roles = await view.roles_among(self.conversation, [user.id for user in self._users])
        present = [user for user in self._users if user.id in roles]
        for user in present:
            check_above(actor, roles[user.id], user.name)
        if not present:
            return []
        return await _farewell(view, group, "group.kicked", self._actor, present, msgids, self._text)


async def _welcome(
    view: View, group: Group, actor: Person, users: Sequence[Person], now_ms: int, msgids: Sequence[int], text: str = ""
) -> list[Effect]:
    """`users` are members now. They see the log from the notice of it on, or all of it."""
    conversation = group.conversation
    after_seq = 0 if group.policy.history_for_new else await view.last_seq(conversation)
    ids = [user.id for user in users]
    askers = await view.askers_among(conversation, ids)
    return [
        *(DropJoinRequest(conversation, user) for user in askers),
        PutMembers(conversation, ids, Role.MEMBER, now_ms, after_seq),
        PutGroup(replace(group, size=group.size + len(users), version=group.version + 1)),
        *notices(group, msgids, ("group.joined", "group.joined"), actor, users, text),
    ]


async def _farewell(
    view: View, group: Group, kind: str, actor: Person, users: Sequence[Person], msgids: Sequence[int], text: str = ""
) -> list[Effect]:
    """`users` are members no more. The notices of it are the last that they see."""
    conversation = group.conversation
    news = notices(group, msgids, (kind, kind), actor, users, text)
    through = await view.last_seq(conversation) + len(news)
    return [
        *news,
        EndMembers(conversation, [user.id for user in users], through),
        PutGroup(replace(group, size=group.size - len(users), version=group.version + 1)),
    ]
