"""What one may read about groups (protocol §7)."""

from typing import TYPE_CHECKING

from rockdove.core.directory import Directory
from rockdove.core.ports import Accounts, Store
from rockdove.core.records import Group, Role
from rockdove.core.rules.group import find_admin, find_shown
from rockdove.core.rules.posting import find_member
from rockdove.core.services.requests import ANSWER_BYTES, check_name, find_group, fitting, no_page_token, page_limit
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names

if TYPE_CHECKING:
    from rockdove.core.session import Session


class GroupQueries:
    """Answers info, members, list and requests. Answers fit into max_frame_bytes: what does not fit is on the next page."""

    def __init__(self, store: Store, accounts: Accounts, directory: Directory, max_frame_bytes: int) -> None:
        self._store = store
        self._accounts = accounts
        self._directory = directory
        self._room = max_frame_bytes - ANSWER_BYTES

    async def conversation(self, session: "Session", group_id: str) -> int:
        """The group of that id, as a request names it; it may be dissolved. Raises Refusal."""
        check_name("id", group_id)
        return await find_group(self._directory, session, group_id)

    async def owner(self, group: Group) -> str:
        """The name of the group's owner."""
        owner = await self._accounts.user_by_id(group.owner)
        assert owner is not None, "users are never deleted"
        return owner.name

    async def info(self, session: "Session", query: pb.GroupRef) -> bytes:
        """A GroupInfo."""
        conversation = await self.conversation(session, query.id)
        group, member = await find_shown(self._store, conversation, session.user)
        return group_info(group, await self.owner(group), member.role if member else None).SerializeToString()

    async def members(self, session: "Session", query: pb.GroupMembersQuery) -> bytes:
        """GroupMembers."""
        conversation = await self.conversation(session, query.id)
        await find_member(self._store, conversation, session.user)
        limit = page_limit(query.limit)
        found = await self._store.members(conversation, await self._after_user(session, query.after), limit + 1)
        items = (
            pb.GroupMember(
                user=name,
                role=pb.GroupRole.Role.Name(member.role),
                joined_at=member.joined_ms,
                muted_until=member.muted_until_ms,
            )
            for name, member in found
        )
        kept, more = fitting(items, self._room, limit)
        return pb.GroupMembers(items=kept, next=kept[-1].user if more else "").SerializeToString()

    async def requests(self, session: "Session", query: pb.GroupRequestsQuery) -> bytes:
        """GroupRequests."""
        conversation = await self.conversation(session, query.id)
        await find_admin(self._store, conversation, session.user)
        limit = page_limit(query.limit)
        found = await self._store.join_requests(conversation, await self._after_user(session, query.after), limit + 1)
        items = (pb.GroupRequest(id=query.id, user=name, asked_at=request.asked_ms) for name, request in found)
        kept, more = fitting(items, self._room, limit)
        return pb.GroupRequests(items=kept, next=kept[-1].user if more else "").SerializeToString()

    async def mine(self, session: "Session", query: pb.ListGroups) -> bytes:
        """A GroupList of the user's own groups."""
        after = await self._directory.group(session.tenant.id, query.after) if names.is_name(query.after) else 0
        if query.after and not after:
            raise no_page_token()
        limit = page_limit(query.limit)
        found = await self._store.groups(session.user, after, limit + 1)
        items = [group_info(group, await self.owner(group), member.role) for group, member in found]
        kept, more = fitting(items, self._room, limit)
        return pb.GroupList(items=kept, next=kept[-1].id if more else "").SerializeToString()

    async def _after_user(self, session: "Session", token: str) -> int:
        if not token:
            return 0
        user = await self._directory.user(session.tenant.id, token) if names.is_name(token) else None
        if user is None:
            raise no_page_token()
        return user.id


def group_info(group: Group, owner: str, role: Role | None) -> pb.GroupInfo:
    """A group as somebody with that role sees it; None is somebody outside, who does not see what is announced."""
    policy = group.policy
    return pb.GroupInfo(
        id=group.id,
        name=group.name,
        owner=owner,
        size=group.size,
        policy=pb.GroupPolicy(
            join=pb.GroupPolicy.Join.Name(policy.join),
            members_invite=policy.members_invite,
            only_admins_post=policy.only_admins_post,
            history_for_new=policy.history_for_new,
        ),
        announcement="" if role is None else group.announcement,
        avatar_url=group.avatar_url,
        created_at=group.created_ms,
        version=group.version,
        muted_until=group.muted_until_ms,
        role=pb.GroupRole.Role.Name(role or Role.MEMBER),
        member=role is not None,
    )
