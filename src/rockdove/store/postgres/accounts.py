"""Tenants and users in the PostgreSQL database."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import asyncpg

from rockdove.core.records import AccountChanges, Profile, Tenant, User, UserState
from rockdove.store.postgres.database import Database

_SETTINGS: Final = (
    *("retention_days", "strangers", "password_cost", "messages_per_second"),
    *("recall_seconds", "edit_seconds", "token_secret"),
)
_COLUMNS: Final = ", ".join(_SETTINGS)
_NUMBERED: Final = {column: f"${number}" for number, column in enumerate(_SETTINGS, 1)}  # $8 and $9 are free for others
_TENANT: Final = f"SELECT id, org, appkey, {_COLUMNS} FROM tenant"
_USER: Final = "SELECT id, tenant, name, state, password_hash, credential_version FROM account"
_PROFILE: Final = (
    "SELECT a.id, a.name, coalesce(p.nickname, ''), coalesce(p.avatar_url, ''), coalesce(p.ext, '{}')"
    " FROM account a LEFT JOIN profile p ON p.account = a.id"
)
_AT_ONCE: Final = 10_000  # users in one statement, so that none takes long
_LAST_CHARACTER: Final = "\U0010ffff"
_NOTHING: Final[frozenset[int]] = frozenset()


class PostgresAccounts:
    """`core.ports.Accounts` in a database that other processes change, too. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self) -> Sequence[Tenant]:
        return [Tenant(*row) for row in await self._database.fetch(f"{_TENANT} ORDER BY org, appkey")]

    async def tenant(self, org: str, appkey: str) -> Tenant | None:
        row = await self._database.row(f"{_TENANT} WHERE org = $1 AND appkey = $2", org, appkey)
        return Tenant(*row) if row else None

    async def add_tenant(self, tenant: Tenant) -> Tenant | None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                f"INSERT INTO tenant ({_COLUMNS}, org, appkey) VALUES ({', '.join(_NUMBERED.values())}, $8, $9)"
                f" ON CONFLICT DO NOTHING RETURNING id, org, appkey, {_COLUMNS}",
                *(*_settings(tenant), tenant.org, tenant.appkey),
            )
            if row:
                await _note(connection, "VALUES ($1::integer, 0)", row["id"])
        return Tenant(*row) if row else None

    async def set_tenant(self, tenant: Tenant) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                f"UPDATE tenant SET {', '.join(f'{column} = {number}' for column, number in _NUMBERED.items())} WHERE id = $8",
                *(*_settings(tenant), tenant.id),
            )
            await _note(connection, "VALUES ($1::integer, 0)", tenant.id)

    async def user(self, tenant: int, name: str) -> User | None:
        row = await self._database.row(f"{_USER} WHERE tenant = $1 AND name = $2", tenant, name)
        return _user(row) if row else None

    async def ids_named(self, tenant: int, user_names: Collection[str], *, removed: bool) -> Mapping[str, int]:
        rows = await self._database.fetch(
            "SELECT name, id FROM account WHERE tenant = $1 AND name = ANY ($2) AND ($3 OR state <> $4)",
            *(tenant, list(user_names), removed, UserState.REMOVED),
        )
        return dict(rows)

    async def user_by_id(self, user: int) -> User | None:
        row = await self._database.row(f"{_USER} WHERE id = $1", user)
        return _user(row) if row else None

    async def users(self, tenant: int, after: str, limit: int) -> Sequence[User]:
        rows = await self._database.fetch(
            f"{_USER} WHERE tenant = $1 AND name > $2 AND state <> $3 ORDER BY name LIMIT $4",
            *(tenant, after, UserState.REMOVED, limit),
        )
        return [_user(row) for row in rows]

    async def add_users(self, tenant: int, names_and_hashes: Sequence[tuple[str, str]], now_ms: int) -> Sequence[str]:
        # In the order of names: of two that add the same ones, neither waits for the other.
        people = sorted(names_and_hashes)
        added: list[int] = []
        try:
            async with self._database.transaction() as connection:
                for start in range(0, len(people), _AT_ONCE):
                    part = people[start : start + _AT_ONCE]
                    added += await _insert_users(connection, tenant, part, now_ms)
                    if len(added) < start + len(part):
                        raise _NameTaken
                for start in range(0, len(added), _AT_ONCE):
                    part_of_ids = added[start : start + _AT_ONCE]
                    await _note(connection, "SELECT $1::integer, unnest($2::integer[])", tenant, part_of_ids)
        except _NameTaken:
            return await self._taken(tenant, [name for name, _ in names_and_hashes])
        return []

    async def set_user(self, user: int, *, state: UserState | None = None, password_hash: str | None = None) -> None:
        if state is UserState.REMOVED:
            password_hash = ""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE account SET state = coalesce($2, state), password_hash = coalesce($3, password_hash),"
                " credential_version = credential_version + $4::integer WHERE id = $1",
                *(user, state, password_hash, int(password_hash is not None)),
            )
            if state is UserState.REMOVED:
                await connection.execute("DELETE FROM profile WHERE account = $1", user)
            await _note(connection, "SELECT tenant, id FROM account WHERE id = $1", user)

    async def profiles(self, tenant: int, names: Sequence[str]) -> Sequence[Profile]:
        rows = await self._database.fetch(
            f"{_PROFILE} WHERE a.tenant = $1 AND a.name = ANY ($2) AND a.state <> $3 ORDER BY a.name",
            *(tenant, names, UserState.REMOVED),
        )
        return [_profile(row) for row in rows]

    async def find_profiles(self, tenant: int, prefix: str, limit: int) -> Sequence[Profile]:
        # Each query reads `limit` entries of its index, however many match: of more, which ones is left to the indexes.
        first = prefix.casefold()
        asked = (tenant, first, first + _LAST_CHARACTER, UserState.REMOVED, limit)
        found: dict[str, Profile] = {}
        for tenant_column, folded in (("a.tenant", "lower(a.name)"), ("p.tenant", "p.folded")):
            rows = await self._database.fetch(
                f"{_PROFILE} WHERE {tenant_column} = $1 AND {folded} >= $2 AND {folded} < $3 AND a.state <> $4"
                f" ORDER BY {folded} LIMIT $5",
                *asked,
            )
            found |= {row["name"]: _profile(row) for row in rows}
        return [found[name] for name in sorted(found)[:limit]]

    async def set_profile(self, profile: Profile) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(  # locks the user: one who is being removed leaves no profile
                "INSERT INTO profile (account, tenant, nickname, folded, avatar_url, ext)"
                " SELECT id, tenant, $2, $3, $4, $5 FROM account WHERE id = $1 AND state <> $6 FOR SHARE"
                " ON CONFLICT (account) DO UPDATE SET (nickname, folded, avatar_url, ext)"
                " = (excluded.nickname, excluded.folded, excluded.avatar_url, excluded.ext)",
                *(profile.user, profile.nickname, profile.nickname.casefold()),
                *(profile.avatar_url, json.dumps(dict(profile.ext)), UserState.REMOVED),
            )

    async def changes(self, position: int) -> AccountChanges:
        (newest,) = await self._database.row("SELECT coalesce(max(position), 0) FROM account_change")
        if position in {-1, newest}:
            return AccountChanges(newest, _NOTHING, _NOTHING)
        rows = await self._database.fetch(
            "SELECT DISTINCT tenant, account FROM account_change WHERE position > $1 AND position <= $2", position, newest
        )
        return AccountChanges(
            newest,
            frozenset(tenant for tenant, user in rows if not user),
            frozenset(user for _, user in rows if user),
        )

    async def signing_key(self) -> bytes:
        (key,) = await self._database.row("SELECT value FROM setting WHERE name = 'signing_key'")
        return bytes(key)

    async def _taken(self, tenant: int, names: Sequence[str]) -> Sequence[str]:
        rows = await self._database.fetch("SELECT name FROM account WHERE tenant = $1 AND name = ANY ($2)", tenant, names)
        seen = {name for (name,) in rows}
        taken = []
        for name in names:
            if name in seen:
                taken.append(name)
            seen.add(name)
        return taken


class _NameTaken(Exception):
    """Rolls the transaction back."""


async def _insert_users(
    connection: asyncpg.Connection, tenant: int, people: Sequence[tuple[str, str]], now_ms: int
) -> list[int]:
    """The ids of those whose names were free."""
    rows = await connection.fetch(
        "INSERT INTO account (tenant, name, password_hash, created_ms)"
        " SELECT $1, name, password_hash, $4 FROM unnest($2::text[], $3::text[]) WITH ORDINALITY"
        " AS given (name, password_hash, place) ORDER BY place ON CONFLICT DO NOTHING RETURNING id",
        *(tenant, [name for name, _ in people], [password_hash for _, password_hash in people], now_ms),
    )
    return [identity for (identity,) in rows]


async def _note(connection: asyncpg.Connection, changed: str, *arguments: object) -> None:
    """Note as the last thing of a transaction what it changed: (tenant, user) as `changed` selects.

    One transaction at a time, until it ends: or a position might be seen while a lower one is yet to come.
    """
    await connection.execute("SELECT pg_advisory_xact_lock('account_change'::regclass::oid::bigint)")
    await connection.execute(f"INSERT INTO account_change (tenant, account) {changed}", *arguments)


def _settings(tenant: Tenant) -> tuple[Any, ...]:
    return tuple(getattr(tenant, column) for column in _SETTINGS)


def _user(row: asyncpg.Record) -> User:
    identity, tenant, name, state, password_hash, credential_version = row
    return User(identity, tenant, name, UserState(state), password_hash, credential_version)


def _profile(row: asyncpg.Record) -> Profile:
    user, name, nickname, avatar_url, ext = row
    return Profile(user, name, nickname, avatar_url, tuple(json.loads(ext).items()))
