"""Carrying out what rules have decided, within a transaction."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import asyncpg

from rockdove.core.records import (
    Append,
    DropJoinRequest,
    Effect,
    EndMembers,
    Group,
    HideMessages,
    KickDevice,
    MoveRead,
    NoteEdit,
    PutContact,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Rewrite,
    counts,
    single_conversation,
)
from rockdove.store.postgres.chunk import DELETE, INSERT, LOCATED, folded, unfolded
from rockdove.store.postgres.documents import PUT_DOCUMENT, tokens_of
from rockdove.wire import im_pb2 as pb

_GROUP: Final = (
    *("conversation", "tenant", "id", "name", "owner", "created_ms"),
    *("join_policy", "members_invite", "only_admins_post", "history_for_new"),
    *("announcement", "avatar_url", "size", "version", "muted_until_ms", "dissolved"),
)
_CONTACT: Final = ("account", "peer", "state", "blocked", "remark", "greeting", "updated_ms", "version")


def _upsert(table: str, columns: Sequence[str], keys: int) -> str:
    """Insert a row, or replace the one with the same key, which is made of the first columns."""
    values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    new = ", ".join(f"{column} = excluded.{column}" for column in columns[keys:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
        f" ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {new}"
    )


_PUT_GROUP: Final = _upsert("chat_group", _GROUP, 1)
_PUT_MEMBERS: Final = (
    "INSERT INTO group_member (conversation, account, role, joined_ms, after_seq, muted_until_ms)"
    " SELECT $1::bigint, unnest($2::integer[]), $3::smallint, $4::bigint, $5::bigint, $6::bigint"
    " ON CONFLICT (conversation, account) DO UPDATE SET role = excluded.role, joined_ms = excluded.joined_ms,"
    " after_seq = excluded.after_seq, muted_until_ms = excluded.muted_until_ms"
)
_PUT_CONTACT: Final = _upsert("contact", _CONTACT, 2)
_PUT_JOIN_REQUEST: Final = _upsert("join_request", ("conversation", "account", "asked_ms"), 2)


class Effects:
    """Writes effects, in bulk by kind; notes of which conversations the rights have changed."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        append: Callable[[Sequence[Append]], Coroutine[Any, Any, None]],
        move: Callable[[Sequence[MoveRead]], Coroutine[Any, Any, None]],
    ) -> None:
        """`append` stores notices, `move` read cursors."""
        self._connection = connection
        self.changed: set[int] = set()  # conversations
        self._carriers: dict[type[Effect], Callable[[list[Any]], Coroutine[Any, Any, None]]] = {
            PutGroup: self._put_groups,
            PutMembers: self._put_members,
            EndMembers: self._end_members,
            PutJoinRequest: self._put_join_requests,
            DropJoinRequest: self._drop_join_requests,
            PutContact: self._put_contacts,
            Append: append,
            Rewrite: self._rewrite,
            NoteEdit: self._note_edits,
            MoveRead: move,
            HideMessages: self._hide_messages,
            KickDevice: self._kick_devices,
        }

    async def carry_out(self, effects: Iterable[Effect]) -> None:
        """In order."""
        for kind, some in groupby(effects, type):
            await self._carriers[kind](list(some))

    async def _write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """For each row."""
        await self._connection.executemany(statement, list(rows))

    async def _change_rights(self, conversations: Iterable[int]) -> None:
        changed = sorted(set(conversations))
        await self._connection.execute("SELECT raise_versions($1)", changed)
        self.changed.update(changed)

    # -- groups

    async def _put_groups(self, effects: Sequence[PutGroup]) -> None:
        await self._write(_PUT_GROUP, (_row(effect.group) for effect in effects))
        await self._change_rights(effect.group.conversation for effect in effects)

    async def _put_members(self, effects: Sequence[PutMembers]) -> None:
        """A new member has read what was there before; if he sees it all, earlier times say nothing more."""
        await self._change_rights(effect.conversation for effect in effects)
        await self._write(
            "INSERT INTO member (account, conversation, read_seq)"
            " SELECT unnest($2::integer[]), id, last_seq FROM conversation WHERE id = $1"
            " ON CONFLICT (account, conversation) DO UPDATE SET read_seq = greatest(member.read_seq, excluded.read_seq)"
            " WHERE NOT EXISTS (SELECT FROM group_member g WHERE g.conversation = $1 AND g.account = member.account)",
            ((effect.conversation, effect.users) for effect in effects),
        )
        await self._write(
            "DELETE FROM former_member WHERE conversation = $1 AND account = ANY ($2) AND after_seq >= $3",
            ((effect.conversation, effect.users, effect.after_seq) for effect in effects),
        )
        await self._write(_PUT_MEMBERS, effects)

    async def _end_members(self, effects: Sequence[EndMembers]) -> None:
        await self._change_rights(effect.conversation for effect in effects)
        await self._write(
            "WITH gone AS (DELETE FROM group_member WHERE conversation = $1 AND account = ANY ($2) RETURNING *)"
            " INSERT INTO former_member (account, conversation, after_seq, through_seq)"
            " SELECT account, conversation, after_seq, $3 FROM gone WHERE after_seq < $3",
            effects,
        )

    async def _put_join_requests(self, effects: Sequence[PutJoinRequest]) -> None:
        requests = [effect.request for effect in effects]
        await self._write(_PUT_JOIN_REQUEST, ((r.conversation, r.user, r.asked_ms) for r in requests))

    async def _drop_join_requests(self, effects: Sequence[DropJoinRequest]) -> None:
        await self._write(
            "DELETE FROM join_request WHERE conversation = $1 AND account = $2",
            ((effect.conversation, effect.user) for effect in effects),
        )

    # -- people

    async def _put_contacts(self, effects: Sequence[PutContact]) -> None:
        contacts = [effect.contact for effect in effects]
        await self._change_rights(single_conversation(contact.user, contact.peer) for contact in contacts)
        await self._write(
            _PUT_CONTACT,
            ((c.user, c.peer, c.state, c.blocked, c.remark, c.greeting, c.updated_ms, c.version) for c in contacts),
        )

    async def _kick_devices(self, effects: Sequence[KickDevice]) -> None:
        await self._write(
            "UPDATE device SET kicked_ms = greatest(kicked_ms, $1) WHERE id = $2",
            ((effect.at_ms, effect.device) for effect in effects),
        )

    # -- messages

    async def _rewrite(self, effects: Sequence[Rewrite]) -> None:
        """A message that is rewritten has a chunk of its own from now on."""
        for effect in effects:
            row = await self._connection.fetchrow(LOCATED, effect.msgid)
            if row is None:
                continue
            messages = unfolded(row)
            at = next(index for index, message in enumerate(messages) if message.msgid == effect.msgid)
            old, content = messages[at], pb.Message.FromString(effect.record)
            new = old._replace(kept=effect.record, whole=True, counted=counts(effect.record) and not content.removed)
            await self._connection.execute(DELETE, old.conversation, messages[-1].seq)
            await self._write(INSERT, [folded(part) for part in (messages[:at], [new], messages[at + 1 :]) if part])
            tokens = tokens_of(old.conversation, content)
            await self._connection.execute(PUT_DOCUMENT, old.msgid, old.conversation, tokens)

    async def _note_edits(self, effects: Sequence[NoteEdit]) -> None:
        await self._write(
            "INSERT INTO edit VALUES ($1, $2) ON CONFLICT DO NOTHING", ((effect.msgid, effect.edit) for effect in effects)
        )

    async def _hide_messages(self, effects: Sequence[HideMessages]) -> None:
        for effect in effects:
            key = effect.user, effect.conversation
            await self._connection.execute(
                "INSERT INTO hidden (account, conversation, seq) SELECT $1, $2, unnest($3::bigint[]) ON CONFLICT DO NOTHING",
                *(*key, effect.seqs),
            )
            await self._connection.execute(
                "UPDATE member SET cleared_seq = greatest(cleared_seq, $3) WHERE account = $1 AND conversation = $2",
                *(*key, effect.through),
            )
            await self._connection.execute(
                "DELETE FROM hidden WHERE account = $1 AND conversation = $2 AND seq <="
                " (SELECT cleared_seq FROM member WHERE account = $1 AND conversation = $2)",
                *key,
            )


def _row(group: Group) -> tuple[Any, ...]:
    policy = group.policy
    return (
        *(group.conversation, group.tenant, group.id, group.name, group.owner, group.created_ms),
        *(policy.join, policy.members_invite, policy.only_admins_post, policy.history_for_new),
        *(group.announcement, group.avatar_url, group.size, group.version, group.muted_until_ms, group.dissolved),
    )
