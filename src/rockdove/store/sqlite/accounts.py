"""Tenants and users in the SQLite file."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from rockdove.core.records import AccountChanges, Tenant, User, UserState
from rockdove.store.sqlite.database import transaction

_TENANT: Final = (
    "SELECT id, org, appkey, retention_days, strangers, password_cost, messages_per_second, token_secret FROM tenant"
)
_USER: Final = "SELECT id, tenant, name, state, password_hash, credential_version FROM user"
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
                "INSERT INTO tenant (org, appkey, retention_days, strangers, password_cost, messages_per_second, token_secret)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                (tenant.org, tenant.appkey, *_settings(tenant)),
            ).fetchone()
            if row:
                self._note_tenant(row[0])
        return await self.tenant(tenant.org, tenant.appkey) if row else None

    async def set_tenant(self, tenant: Tenant) -> None:
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE tenant SET retention_days = ?, strangers = ?, password_cost = ?, messages_per_second = ?,"
                " token_secret = ? WHERE id = ?",
                (*_settings(tenant), tenant.id),
            )
            self._note_tenant(tenant.id)

    async def user(self, tenant: int, name: str) -> User | None:
        row = self._connection.execute(f"{_USER} WHERE tenant = ? AND name = ?", (tenant, name)).fetchone()
        return _user(row) if row else None

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
            self._connection.execute(
                "INSERT INTO account_change (tenant, user) SELECT tenant, id FROM user WHERE id = ?", (user,)
            )
            self._position = -1

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


def _tenant(row: tuple[int, str, str, int, int, str, int, bytes]) -> Tenant:
    identity, org, appkey, retention_days, strangers, password_cost, messages_per_second, token_secret = row
    return Tenant(identity, org, appkey, retention_days, bool(strangers), password_cost, messages_per_second, token_secret)


def _settings(tenant: Tenant) -> tuple[int, bool, str, int, bytes]:
    return tenant.retention_days, tenant.strangers, tenant.password_cost, tenant.messages_per_second, tenant.token_secret


def _user(row: tuple[int, int, str, int, str, int]) -> User:
    identity, tenant, name, state, password_hash, credential_version = row
    return User(identity, tenant, name, UserState(state), password_hash, credential_version)
