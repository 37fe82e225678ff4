"""Groups in the SQLite file."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rockdove.core.records import (
    DropJoinRequest,
    EndMembers,
    Group,
    GroupPolicy,
    Join,
    JoinRequest,
    Member,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Role,
)
from rockdove.store.sqlite.log import Log
from rockdove.store.sqlite.tables import Tables

KNOWN_GROUPS: Final = 20_000  # kept in memory
KNOWN_MEMBERS: Final = 100_000
_ROLES: Final = tuple(Role)  # by value: thousands are read at once

_COLUMNS: Final = (
    "conversation, tenant, id, name, owner, created_ms, join_policy, members_invite, only_admins_post, history_for_new,"
    " announcement, avatar_url, size, version, muted_until_ms, dissolved"
)
_GROUP: Final = f"SELECT {_COLUMNS} FROM chat_group"
_PUT_GROUP: Final = (
    f"INSERT INTO chat_group ({_COLUMNS}) VALUES ({', '.join('?' * 16)}) ON CONFLICT (conversation) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[3:])
)
_MEMBER: Final = "m.conversation, m.user, m.role, m.joined_ms, m.after_seq, m.muted_until_ms"
_PRESENT: Final = f"SELECT {_MEMBER} FROM chat_group g JOIN group_member m ON m.conversation = g.conversation"


class Groups(Tables):
    """Groups, their members, and who asks to join. Every post looks at two rows: those used lately are kept in memory."""

    def __init__(self, connection: sqlite3.Connection, log: Log) -> None:
        super().__init__(connection, log)
        self._known_groups: dict[int, Group | None] = {}
        self._known_members: dict[tuple[int, int], Member | None] = {}

    def _forget_groups(self) -> None:
        """What is known may have been rolled back."""
        self._known_groups.clear()
        self._known_members.clear()

    # -- reads

    async def group(self, conversation: int) -> Group | None:
        known = self._known_groups
        if conversation in known:
            return known[conversation]
        if len(known) >= KNOWN_GROUPS:
            known.clear()
        row = self._connection.execute(f"{_GROUP} WHERE conversation = ?", (conversation,)).fetchone()
        found = known[conversation] = _group(row) if row else None
        return found

    async def group_named(self, tenant: int, group_id: str) -> Group | None:
        row = self._connection.execute(f"{_GROUP} WHERE tenant = ? AND id = ?", (tenant, group_id)).fetchone()
        return _group(row) if row else None

    async def new_group(self) -> int:
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chat_group'").fetchone()
        return row[0] + 1 if row else 1

    async def member(self, conversation: int, user: int) -> Member | None:
        known = self._known_members
        key = conversation, user
        if key in known:
            return known[key]
        if len(known) >= KNOWN_MEMBERS:
            known.clear()
        row = self._connection.execute(
            f"{_PRESENT} WHERE g.conversation = ? AND m.user = ? AND NOT g.dissolved", key
        ).fetchone()
        found = known[key] = _member(row) if row else None
        return found

    async def roles_among(self, conversation: int, users: Collection[int]) -> Mapping[int, Role]:
        table, value = _table(users)
        rows = self._connection.execute(
            "SELECT m.user, m.role FROM chat_group g JOIN group_member m ON m.conversation = g.conversation"
            f" WHERE g.conversation = ?2 AND NOT g.dissolved AND m.user IN (SELECT value FROM {table})",
            (value, conversation),
        )
        return {user: _ROLES[role] for user, role in rows}

    async def groups_of(self, user: int) -> Sequence[tuple[int, int]]:
        return self._connection.execute(
            "SELECT g.conversation, g.version FROM group_member m JOIN chat_group g ON g.conversation = m.conversation"
            " WHERE m.user = ? AND NOT g.dissolved ORDER BY g.conversation",
            (user,),
        ).fetchall()

    async def groups(self, user: int, after: int, limit: int) -> Sequence[tuple[Group, Member]]:
        rows = self._connection.execute(
            f"SELECT {', '.join(f'g.{column}' for column in _COLUMNS.split(', '))}, {_MEMBER}"
            " FROM group_member m JOIN chat_group g ON g.conversation = m.conversation"
            " WHERE m.user = ? AND m.conversation > ? AND NOT g.dissolved ORDER BY m.conversation LIMIT ?",
            (user, after, limit),
        )
        return [(_group(row[:16]), _member(row[16:])) for row in rows]

    async def members(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, Member]]:
        rows = self._connection.execute(
            f"SELECT u.name, {_MEMBER} FROM chat_group g JOIN group_member m ON m.conversation = g.conversation"
            " JOIN user u ON u.id = m.user WHERE g.conversation = ? AND m.user > ? AND NOT g.dissolved"
            " ORDER BY m.user LIMIT ?",
            (conversation, after, limit),
        )
        return [(name, _member(row)) for name, *row in rows]

    async def admins(self, conversation: int) -> Sequence[int]:
        rows = self._connection.execute(
            f"{_PRESENT} WHERE g.conversation = ? AND m.role <> ? AND NOT g.dissolved ORDER BY m.user",
            (conversation, Role.MEMBER),
        )
        return [_member(row).user for row in rows]

    async def join_request(self, conversation: int, user: int) -> JoinRequest | None:
        row = self._connection.execute(
            "SELECT conversation, user, asked_ms FROM join_request WHERE conversation = ? AND user = ?", (conversation, user)
        ).fetchone()
        return JoinRequest(*row) if row else None

    async def askers_among(self, conversation: int, users: Collection[int]) -> Collection[int]:
        table, value = _table(users)
        rows = self._connection.execute(
            f"SELECT user FROM join_request WHERE conversation = ?2 AND user IN (SELECT value FROM {table})",
            (value, conversation),
        )
        return {user for (user,) in rows}

    async def join_requests(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, JoinRequest]]:
        rows = self._connection.execute(
            "SELECT u.name, r.conversation, r.user, r.asked_ms FROM join_request r JOIN user u ON u.id = r.user"
            " WHERE r.conversation = ? AND r.user > ? ORDER BY r.user LIMIT ?",
            (conversation, after, limit),
        )
        return [(name, JoinRequest(*row)) for name, *row in rows]

    # -- effects

    def _put_groups(self, effects: Sequence[PutGroup]) -> None:
        self._connection.executemany(_PUT_GROUP, [_row(effect.group) for effect in effects])
        for effect in effects:
            group = effect.group
            self._known_groups[group.conversation] = group
            if group.dissolved:  # nobody is a member any more
                self._known_members.clear()

    def _put_members(self, effects: Sequence[PutMembers]) -> None:
        for effect in effects:
            self._put_alike(*effect)

    def _put_alike(
        self, conversation: int, users: Sequence[int], role: Role, joined_ms: int, after_seq: int, muted_until_ms: int
    ) -> None:
        """For a new one nothing older is unread; where he sees it all, earlier times say nothing more."""
        execute, (table, value) = self._connection.execute, _table(users)
        execute(
            f"INSERT INTO member (user, conversation, read_seq) SELECT value, ?2, ?3 FROM {table} WHERE true"
            " ON CONFLICT DO UPDATE SET read_seq = max(read_seq, excluded.read_seq) WHERE NOT EXISTS"
            " (SELECT 1 FROM group_member g WHERE g.conversation = excluded.conversation AND g.user = excluded.user)",
            (value, conversation, self._log.last_seq(conversation)),
        )
        execute(
            f"DELETE FROM former_member WHERE conversation = ?2 AND after_seq >= ?3 AND user IN (SELECT value FROM {table})",
            (value, conversation, after_seq),
        )
        execute(
            "INSERT OR REPLACE INTO group_member (user, conversation, role, joined_ms, after_seq, muted_until_ms)"
            f" SELECT value, ?2, ?3, ?4, ?5, ?6 FROM {table}",
            (value, conversation, role, joined_ms, after_seq, muted_until_ms),
        )
        self._forget_members(conversation, users)

    def _end_members(self, effects: Sequence[EndMembers]) -> None:
        for conversation, users, through in effects:
            execute, (table, value) = self._connection.execute, _table(users)
            theirs = f"group_member WHERE conversation = ?2 AND user IN (SELECT value FROM {table})"
            execute(
                "INSERT INTO former_member (user, conversation, after_seq, through_seq)"
                f" SELECT user, conversation, after_seq, ?3 FROM {theirs} AND after_seq < ?3",
                (value, conversation, through),
            )
            execute(f"DELETE FROM {theirs}", (value, conversation))
            self._forget_members(conversation, users)

    def _forget_members(self, conversation: int, users: Sequence[int]) -> None:
        for user in users:
            self._known_members.pop((conversation, user), None)

    def _put_join_requests(self, effects: Sequence[PutJoinRequest]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO join_request (conversation, user, asked_ms) VALUES (?, ?, ?)",
            [(effect.request.conversation, effect.request.user, effect.request.asked_ms) for effect in effects],
        )

    def _drop_join_requests(self, effects: Sequence[DropJoinRequest]) -> None:
        self._connection.executemany(
            "DELETE FROM join_request WHERE conversation = ? AND user = ?",
            [(effect.conversation, effect.user) for effect in effects],
        )


def _table(users: Collection[int]) -> tuple[str, str | int]:
    """A table of them in SQL, with the column `value`, and its parameter ?1.

    A statement for each of many takes four times as long; so does a list of one in JSON.
    """
    if len(users) == 1:
        return "(SELECT ?1 AS value)", next(iter(users))
    return "json_each(?1)", json.dumps(list(users))


def _row(group: Group) -> tuple[Any, ...]:
    policy = group.policy
    return (
        *(group.conversation, group.tenant, group.id, group.name, group.owner, group.created_ms),
        *(policy.join, policy.members_invite, policy.only_admins_post, policy.history_for_new),
        *(group.announcement, group.avatar_url, group.size, group.version, group.muted_until_ms, group.dissolved),
    )


def _group(row: Sequence[Any]) -> Group:
    conversation, tenant, group_id, name, owner, created_ms, *policy = row[:10]
    announcement, avatar_url, size, version, muted_until_ms, dissolved = row[10:]
    return Group(
        *(conversation, tenant, group_id, name, owner, created_ms),
        _policy(*policy),
        *(announcement, avatar_url, size, version, muted_until_ms),
        dissolved=bool(dissolved),
    )


def _policy(join: int, members_invite: int, only_admins_post: int, history_for_new: int) -> GroupPolicy:
    return GroupPolicy(Join(join), bool(members_invite), bool(only_admins_post), bool(history_for_new))


def _member(row: Sequence[Any]) -> Member:
    conversation, user, role, *rest = row
    return Member(conversation, user, _ROLES[role], *rest)
