"""Contacts in the PostgreSQL database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rockdove.core.records import Contact, ContactState
from rockdove.store.postgres.tables import Tables

COLUMNS: Final = "c.account, c.peer, c.state, c.blocked, c.remark, c.greeting, c.updated_ms, c.version"


class Contacts(Tables):
    """Every user's list."""

    async def contact(self, user: int, peer: int) -> Contact:
        row = await self._rows.row(f"SELECT {COLUMNS} FROM contact c WHERE c.account = $1 AND c.peer = $2", user, peer)
        return contact_of(row) if row else Contact(user, peer)

    async def contact_version(self, user: int) -> int:
        row = await self._rows.row("SELECT coalesce(max(version), 0) FROM contact WHERE account = $1", user)
        return int(row[0])

    async def contact_count(self, user: int) -> int:
        row = await self._rows.row(
            "SELECT count(*) FROM contact WHERE account = $1 AND (state <> $2 OR blocked)", user, ContactState.NONE
        )
        return int(row[0])

    async def contacts(self, user: int, since: int, limit: int) -> Sequence[tuple[str, Contact]]:
        rows = await self._rows.fetch(
            f"SELECT a.name, {COLUMNS} FROM contact c JOIN account a ON a.id = c.peer WHERE c.account = $1 AND c.version > $2"
            " ORDER BY c.version LIMIT $3",
            *(user, since, limit),
        )
        return [(name, contact_of(row)) for name, *row in rows]

    async def contacts_between(self, pairs: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], Contact]:
        rows = await self._rows.fetch(
            f"SELECT {COLUMNS} FROM contact c JOIN unnest($1::integer[], $2::integer[]) AS asked (account, peer)"
            " USING (account, peer)",
            *([user for user, _ in pairs], [peer for _, peer in pairs]),
        )
        found = {(contact.user, contact.peer): contact for contact in map(contact_of, rows)}
        return {pair: found.get(pair) or Contact(*pair) for pair in pairs}

    async def sides_towards(self, peer: int, users: Collection[int]) -> Mapping[int, Contact]:
        rows = await self._rows.fetch(
            f"SELECT {COLUMNS} FROM contact c WHERE c.peer = $1 AND c.account = ANY ($2)", peer, list(users)
        )
        return {contact.user: contact for contact in map(contact_of, rows)}

    async def friends(self, user: int) -> Sequence[int]:
        rows = await self._rows.fetch(
            "SELECT peer FROM contact WHERE account = $1 AND state = $2 AND NOT blocked", user, ContactState.FRIEND
        )
        return [peer for (peer,) in rows]


def contact_of(row: Any) -> Contact:
    """The record for COLUMNS."""
    user, peer, state, *rest = row
    return Contact(user, peer, ContactState(state), *rest)
