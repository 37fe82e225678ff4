"""Groups in the PostgreSQL database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rockdove.core.records import Group, GroupPolicy, Join, JoinRequest, Member, Role
from rockdove.store.postgres.tables import Tables

COLUMNS: Final = (
    "g.conversation, g.tenant, g.id, g.name, g.owner, g.created_ms, g.join_policy, g.members_invite, g.only_admins_post,"
    " g.history_for_new, g.announcement, g.avatar_url, g.size, g.version, g.muted_until_ms, g.dissolved"
)
GROUP: Final = f"SELECT {COLUMNS} FROM chat_group g"
_MEMBER: Final = "m.conversation, m.account, m.role, m.joined_ms, m.after_seq, m.muted_until_ms"
PRESENT: Final = (
    f"SELECT {_MEMBER} FROM chat_group g JOIN group_member m ON m.conversation = g.conversation AND NOT g.dissolved"
)


class Groups(Tables):
    """Groups, their members, and who asks to join."""

    async def group(self, conversation: int) -> Group | None:
        row = await self._rows.row(f"{GROUP} WHERE g.conversation = $1", conversation)
        return group_of(row) if row else None

    async def group_named(self, tenant: int, group_id: str) -> Group | None:
        row = await self._rows.row(f"{GROUP} WHERE g.tenant = $1 AND g.id = $2", tenant, group_id)
        return group_of(row) if row else None

    async def new_group(self) -> int:
        row = await self._rows.row("SELECT nextval('group_conversation')")
        return int(row[0])

    async def member(self, conversation: int, user: int) -> Member | None:
        row = await self._rows.row(f"{PRESENT} WHERE g.conversation = $1 AND m.account = $2", conversation, user)
        return member_of(row) if row else None

    async def roles_among(self, conversation: int, users: Collection[int]) -> Mapping[int, Role]:
        rows = await self._rows.fetch(
            f"{PRESENT} WHERE g.conversation = $1 AND m.account = ANY ($2)", conversation, list(users)
        )
        return {member.user: member.role for member in map(member_of, rows)}

    async def groups_of(self, user: int) -> Sequence[tuple[int, int]]:
        rows = await self._rows.fetch(
            "SELECT g.conversation, g.version FROM group_member m JOIN chat_group g ON g.conversation = m.conversation"
            " WHERE m.account = $1 AND NOT g.dissolved ORDER BY g.conversation",
            user,
        )
        return [(conversation, version) for conversation, version in rows]

    async def groups(self, user: int, after: int, limit: int) -> Sequence[tuple[Group, Member]]:
        rows = await self._rows.fetch(
            f"SELECT {COLUMNS}, {_MEMBER} FROM group_member m JOIN chat_group g ON g.conversation = m.conversation"
            " WHERE m.account = $1 AND m.conversation > $2 AND NOT g.dissolved ORDER BY m.conversation LIMIT $3",
            *(user, after, limit),
        )
        return [(group_of(row[:16]), member_of(row[16:])) for row in map(tuple, rows)]

    async def members(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, Member]]:
        rows = await self._rows.fetch(
            f"SELECT a.name, {_MEMBER} FROM chat_group g JOIN group_member m ON m.conversation = g.conversation"
            " JOIN account a ON a.id = m.account WHERE g.conversation = $1 AND m.account > $2 AND NOT g.dissolved"
            " ORDER BY m.account LIMIT $3",
            *(conversation, after, limit),
        )
        return [(name, member_of(row)) for name, *row in rows]

    async def admins(self, conversation: int) -> Sequence[int]:
        rows = await self._rows.fetch(
            f"{PRESENT} WHERE g.conversation = $1 AND m.role <> $2 ORDER BY m.account", conversation, Role.MEMBER
        )
        return [member_of(row).user for row in rows]

    async def join_request(self, conversation: int, user: int) -> JoinRequest | None:
        row = await self._rows.row(
            "SELECT conversation, account, asked_ms FROM join_request WHERE conversation = $1 AND account = $2",
            *(conversation, user),
        )
        return JoinRequest(*row) if row else None

    async def askers_among(self, conversation: int, users: Collection[int]) -> Collection[int]:
        rows = await self._rows.fetch(
            "SELECT account FROM join_request WHERE conversation = $1 AND account = ANY ($2)", conversation, list(users)
        )
        return {user for (user,) in rows}

    async def join_requests(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, JoinRequest]]:
        rows = await self._rows.fetch(
            "SELECT a.name, r.conversation, r.account, r.asked_ms FROM join_request r JOIN account a ON a.id = r.account"
            " WHERE r.conversation = $1 AND r.account > $2 ORDER BY r.account LIMIT $3",
            *(conversation, after, limit),
        )
        return [(name, JoinRequest(*row)) for name, *row in rows]


def group_of(row: Sequence[Any]) -> Group:
    """The record for COLUMNS."""
    conversation, tenant, group_id, name, owner, created_ms, join, *policy, announcement, avatar_url = row[:12]
    return Group(
        *(conversation, tenant, group_id, name, owner, created_ms),
        GroupPolicy(Join(join), *policy),
        *(announcement, avatar_url, *row[12:]),
    )


def member_of(row: Sequence[Any]) -> Member:
    """The record for PRESENT."""
    conversation, user, role, *rest = row
    return Member(conversation, user, Role(role), *rest)
