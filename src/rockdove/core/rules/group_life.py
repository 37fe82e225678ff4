"""How a group begins and ends (protocol §7)."""

from collections.abc import Sequence
from dataclasses import replace

from rockdove.core.errors import Refusal, denied
from rockdove.core.ports import View
from rockdove.core.records import Effect, Group, GroupPolicy, PutGroup, PutMembers, Role, Tenant
from rockdove.core.rules.group import Person, check_room, notice, notices, notices_for
from rockdove.core.rules.posting import check_reach_of_all, no_group, not_member
from rockdove.wire import im_pb2 as pb


class CreateGroup:
    """Found a group. Whoever does is its owner. `group` is what was made."""

    conversation = 0  # there is none yet
    group: Group

    def __init__(
        self,
        tenant: Tenant,
        owner: Person,
        group_id: str,
        name: str,
        policy: GroupPolicy,
        members: Sequence[Person],
        group_max_members: int,
    ) -> None:
        """`members` are others than the owner, each once."""
        self._tenant = tenant
        self._owner = owner
        self._id = group_id
        self._name = name
        self._policy = policy
        self._members = members
        self._group_max_members = group_max_members
        self.notices = notices_for(len(members))

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """Raises Refusal."""
        if await view.group_named(self._tenant.id, self._id) is not None:
            raise Refusal(pb.ALREADY_EXISTS, f"there is, or was, a group {self._id!r}: choose another id")
        group = Group(
            conversation=await view.new_group(),
            tenant=self._tenant.id,
            id=self._id,
            name=self._name,
            owner=self._owner.id,
            created_ms=now_ms,
            policy=self._policy,
        )
        check_room(group, 1 + len(self._members), self._group_max_members)
        await check_reach_of_all(view, self._tenant, self._owner.id, dict(self._members))
        self.group = replace(group, size=1 + len(self._members))
        return [
            PutGroup(self.group),
            PutMembers(group.conversation, [self._owner.id], Role.OWNER, now_ms, after_seq=0),
            PutMembers(group.conversation, [user.id for user in self._members], Role.MEMBER, now_ms, after_seq=0),
            *notices(group, msgids, ("group.created", "group.joined"), self._owner, self._members),
        ]


class DissolveGroup:
    """End a group for everyone."""

    notices = 1

    def __init__(self, actor: Person, conversation: int) -> None:
        self._actor = actor
        self.conversation = conversation

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        """Raises Refusal."""
        group = await view.group(self.conversation)
        assert group is not None
        if group.dissolved:
            if group.owner == self._actor.id:
                return []
            raise no_group(group.id)
        if group.owner != self._actor.id:
            if await view.member(self.conversation, self._actor.id) is None:
                raise not_member(group.id)
            raise denied("only the owner dissolves the group: leave it instead")
        return [
            notice(group, msgids[0], "group.dissolved", self._actor),
            PutGroup(replace(group, dissolved=True, size=0, version=group.version + 1)),
        ]
