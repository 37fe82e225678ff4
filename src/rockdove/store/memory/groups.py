"""Groups in memory."""

from collections.abc import Collection, Mapping, Sequence

from rockdove.core.ports import Accounts
from rockdove.core.records import OPEN, Group, JoinRequest, Member, Role


class MemoryGroups:
    """Groups, their members of now and of earlier, and who asks to join."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._groups: dict[int, Group] = {}  # by conversation
        self._members: dict[tuple[int, int], Member] = {}  # by conversation and user
        self._former: dict[tuple[int, int], list[tuple[int, int]]] = {}  # spans, by conversation and user
        self._join_requests: dict[tuple[int, int], JoinRequest] = {}  # by conversation and user

    # -- effects

    def _put_member(self, member: Member) -> bool:
        """Say whether he is a new one."""
        key = member.conversation, member.user
        new = key not in self._members
        self._members[key] = member
        self._former[key] = [span for span in self._former.get(key, ()) if span[0] < member.after_seq]
        return new

    def _end_member(self, conversation: int, user: int, through: int) -> None:
        member = self._members.pop((conversation, user), None)
        if member is not None and member.after_seq < through:
            self._former[conversation, user].append((member.after_seq, through))

    # -- reads

    async def group(self, conversation: int) -> Group | None:
        return self._groups.get(conversation)

    async def group_named(self, tenant: int, group_id: str) -> Group | None:
        return next((group for group in self._groups.values() if (group.tenant, group.id) == (tenant, group_id)), None)

    async def new_group(self) -> int:
        return max(self._groups, default=0) + 1

    async def member(self, conversation: int, user: int) -> Member | None:
        return self._members.get((conversation, user)) if self._lives(conversation) else None

    async def roles_among(self, conversation: int, users: Collection[int]) -> Mapping[int, Role]:
        found = {user: await self.member(conversation, user) for user in users}
        return {user: member.role for user, member in found.items() if member is not None}

    def _lives(self, conversation: int) -> bool:
        return conversation in self._groups and not self._groups[conversation].dissolved

    def _present(self, conversation: int) -> list[Member]:
        """By user id."""
        present = [member for member in self._members.values() if member.conversation == conversation]
        return sorted(present, key=lambda member: member.user) if self._lives(conversation) else []

    def _times(self, conversation: int, user: int) -> list[tuple[int, int]]:
        """From where to where the user was in the group."""
        times = list(self._former.get((conversation, user), ()))
        member = self._members.get((conversation, user))
        return [*times, (member.after_seq, OPEN)] if member else times

    def _ever_members(self, conversation: int) -> set[int]:
        return {user for of, user in (*self._members, *self._former) if of == conversation}

    async def join_request(self, conversation: int, user: int) -> JoinRequest | None:
        return self._join_requests.get((conversation, user))

    async def askers_among(self, conversation: int, users: Collection[int]) -> Collection[int]:
        return {user for user in users if (conversation, user) in self._join_requests}

    async def groups_of(self, user: int) -> Sequence[tuple[int, int]]:
        mine = sorted(conversation for conversation, member in self._members if member == user and self._lives(conversation))
        return [(conversation, self._groups[conversation].version) for conversation in mine]

    async def groups(self, user: int, after: int, limit: int) -> Sequence[tuple[Group, Member]]:
        mine = [conversation for conversation, _ in await self.groups_of(user) if conversation > after]
        return [(self._groups[conversation], self._members[conversation, user]) for conversation in mine[:limit]]

    async def members(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, Member]]:
        page = [member for member in self._present(conversation) if member.user > after][:limit]
        return [(await self._name(member.user), member) for member in page]

    async def admins(self, conversation: int) -> Sequence[int]:
        return [member.user for member in self._present(conversation) if member.role is not Role.MEMBER]

    async def join_requests(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, JoinRequest]]:
        page = sorted(user for of, user in self._join_requests if of == conversation and user > after)[:limit]
        return [(await self._name(user), self._join_requests[conversation, user]) for user in page]

    async def _name(self, user: int) -> str:
        found = await self._accounts.user_by_id(user)
        assert found is not None
        return found.name
