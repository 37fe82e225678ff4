"""Tenants and users in the SQLite file."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rockdove.core.records import AccountChanges, Profile, Tenant, User, UserState
from rockdove.store.sqlite.database import transaction

_SETTINGS: Final = (
    *("retention_days", "strangers", "password_cost", "messages_per_second"),
    *("recall_seconds", "edit_seconds", "token_secret"),
)
_TENANT: Final = f"SELECT id, org, appkey, {', '.join(_SETTINGS)} FROM tenant"
_USER: Final = "SELECT id, tenant, name, state, password_hash, credential_version FROM user"
_PROFILE: Final = (
    "SELECT u.id, u.name, ifnull(p.nickname, ''), ifnull(p.avatar_url, ''), ifnull(p.ext, '{}')"
    " FROM user u LEFT JOIN profile p ON p.user = u.id"
)
_LAST_CHARACTER: Final = "\U0010ffff"
_NOTHING: Final[frozenset[int]] = frozenset()


class SqliteAccounts:
    """`core.ports.Accounts` on a connection of `open_database`. No method suspends.

    Writes raise StoreUnavailable or StoreFailed, and note in the same transaction whom they changed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._position = -1  # the newest change as of `_data_version`; -1: look
        self._data_version = -1

    async def tenants(self) -> Sequence[Tenant]:
        return [_tenant(row) for row in self._connection.execute(f"{_TENANT} ORDER BY org, appkey")]

    async def tenant(self, org: str, appkey: str) -> Tenant | None:
        row = self._connection.execute(f"{_TENANT} WHERE org = ? AND appkey = ?", (org, appkey)).fetchone()
        return _tenant(row) if row else None

    async def add_tenant(self, tenant: Tenant) -> Tenant | None:
        with transaction(self._connection):
            row = self._connection.execute(
                f"INSERT INTO tenant (org, appkey, {', '.join(_SETTINGS)})"
                f" VALUES (?, ?{', ?' * len(_SETTINGS)}) ON CONFLICT DO NOTHING RETURNING id",
                (tenant.org, tenant.appkey, *_settings(tenant)),
            ).fetchone()
            if row:
                self._note_tenant(row[0])
        return await self.tenant(tenant.org, tenant.appkey) if row else None

    async def set_tenant(self, tenant: Tenant) -> None:
        with transaction(self._connection):
            self._connection.execute(
                f"UPDATE tenant SET {', '.join(f'{column} = ?' for column in _SETTINGS)} WHERE id = ?",
                (*_settings(tenant), tenant.id),
            )
            self._note_tenant(tenant.id)

    async def user(self, tenant: int, name: str) -> User | None:
        row = self._connection.execute(f"{_USER} WHERE tenant = ? AND name = ?", (tenant, name)).fetchone()
        return _user(row) if row else None

    async def ids_named(self, tenant: int, user_names: Collection[str], *, removed: bool) -> Mapping[str, int]:
        rows = self._connection.execute(
            "SELECT u.name, u.id FROM json_each(?1) n CROSS JOIN user u ON u.tenant = ?2 AND u.name = n.value"
            " WHERE ?3 OR u.state <> ?4",
            (json.dumps(list(user_names)), tenant, removed, UserState.REMOVED),
        )
        return dict(rows.fetchall())

    async def user_by_id(self, user: int) -> User | None:
        row = self._connection.execute(f"{_USER} WHERE id = ?", (user,)).fetchone()
        return _user(row) if row else None

    async def users(self, tenant: int, after: str, limit: int) -> Sequence[User]:
        rows = self._connection.execute(
            f"{_USER} WHERE tenant = ? AND name > ? AND state <> ? ORDER BY name LIMIT ?",
            (tenant, after, UserState.REMOVED, limit),
        )
        return [_user(row) for row in rows]

    async def add_users(self, tenant: int, names_and_hashes: Sequence[tuple[str, str]], now_ms: int) -> Sequence[str]:
        try:
            with transaction(self._connection):
                (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM user").fetchone()
                stored = self._connection.executemany(
                    "INSERT INTO user (tenant, name, password_hash, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    ((tenant, name, password_hash, now_ms) for name, password_hash in names_and_hashes),
                ).rowcount
                if stored < len(names_and_hashes):
                    raise _NameTaken
                self._connection.execute(
                    "INSERT INTO account_change (tenant, user) SELECT tenant, id FROM user WHERE id > ? ORDER BY id", (last,)
                )
                self._position = -1
        except _NameTaken:
            return await self._taken(tenant, [name for name, _ in names_and_hashes])
        return []

    async def set_user(self, user: int, *, state: UserState | None = None, password_hash: str | None = None) -> None:
        if state is UserState.REMOVED:
            password_hash = ""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE user SET state = coalesce(?, state), password_hash = coalesce(?, password_hash),"
                " credential_version = credential_version + ? WHERE id = ?",
                (state, password_hash, password_hash is not None, user),
            )
            if state is UserState.REMOVED:
                self._connection.execute("DELETE FROM profile WHERE user = ?", (user,))
            self._connection.execute(
                "INSERT INTO account_change (tenant, user) SELECT tenant, id FROM user WHERE id = ?", (user,)
            )
            self._position = -1

    async def profiles(self, tenant: int, names: Sequence[str]) -> Sequence[Profile]:
        found = []
        for name in sorted(set(names)):
            row = self._connection.execute(
                f"{_PROFILE} WHERE u.tenant = ? AND u.name = ? AND u.state <> ?", (tenant, name, UserState.REMOVED)
            ).fetchone()
            if row:
                found.append(_profile(row))
        return found

    async def find_profiles(self, tenant: int, prefix: str, limit: int) -> Sequence[Profile]:
        # Each query reads `limit` entries of its index, however many match: of more, which ones is left to the indexes.
        first = prefix.casefold()
        asked = (tenant, first, first + _LAST_CHARACTER, UserState.REMOVED, limit)
        found: dict[str, Profile] = {}
        for tenant_column, folded in (("u.tenant", "lower(u.name)"), ("p.tenant", "p.folded")):
            rows = self._connection.execute(
                f"{_PROFILE} WHERE {tenant_column} = ? AND {folded} >= ? AND {folded} < ? AND u.state <> ?"
                f" ORDER BY {folded} LIMIT ?",
                asked,
            )
            found |= {row[1]: _profile(row) for row in rows}
        return [found[name] for name in sorted(found)[:limit]]

    async def set_profile(self, profile: Profile) -> None:
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO profile (user, tenant, nickname, folded, avatar_url, ext)"
                " SELECT id, tenant, ?, ?, ?, ? FROM user WHERE id = ?",
                (
                    profile.nickname,
                    profile.nickname.casefold(),
                    profile.avatar_url,
                    json.dumps(dict(profile.ext)),
                    profile.user,
                ),
            )

    async def changes(self, position: int) -> AccountChanges:
        # The version first: a change that slips in after it is seen next time.
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()  # moves when others write
        if self._position < 0 or version != self._data_version:
            (self._position,) = self._connection.execute("SELECT coalesce(max(position), 0) FROM account_change").fetchone()
            self._data_version = version
        if position in {-1, self._position}:
            return AccountChanges(self._position, _NOTHING, _NOTHING)
        rows = self._connection.execute(
            "SELECT tenant, user FROM account_change WHERE position > ? AND position <= ?", (position, self._position)
        ).fetchall()
        return AccountChanges(
            self._position,
            frozenset(tenant for tenant, user in rows if not user),
            frozenset(user for _, user in rows if user),
        )

    async def signing_key(self) -> bytes:
        (key,) = self._connection.execute("SELECT value FROM setting WHERE name = 'signing_key'").fetchone()
        return bytes(key)

    def _note_tenant(self, tenant: int) -> None:
        self._connection.execute("INSERT INTO account_change (tenant, user) VALUES (?, 0)", (tenant,))
        self._position = -1

    async def _taken(self, tenant: int, names: Sequence[str]) -> Sequence[str]:
        seen: set[str] = set()
        taken = []
        for name in names:
            if name in seen or await self.user(tenant, name):
                taken.append(name)
            seen.add(name)
        return taken


class _NameTaken(Exception):
    """Rolls the transaction back."""


def _tenant(row: tuple[Any, ...]) -> Tenant:
    identity, org, appkey, retention_days, strangers, *rest = row
    return Tenant(identity, org, appkey, retention_days, bool(strangers), *rest)


def _settings(tenant: Tenant) -> tuple[Any, ...]:
    return tuple(getattr(tenant, column) for column in _SETTINGS)


def _user(row: tuple[int, int, str, int, str, int]) -> User:
    identity, tenant, name, state, password_hash, credential_version = row
    return User(identity, tenant, name, UserState(state), password_hash, credential_version)


def _profile(row: tuple[int, str, str, str, str]) -> Profile:
    user, name, nickname, avatar_url, ext = row
    return Profile(user, name, nickname, avatar_url, tuple(json.loads(ext).items()))
