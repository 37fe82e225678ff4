"""Tenants and users in memory."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rockdove.core.records import DEFAULT_NAME, AccountChanges, Profile, Tenant, User, UserState


class MemoryAccounts:
    """`core.ports.Accounts` without a file. Starts, like a new data directory, with one tenant."""

    def __init__(self) -> None:
        self._tenants = {1: Tenant(1, DEFAULT_NAME, DEFAULT_NAME, token_secret=secrets.token_urlsafe(32).encode())}
        self._users: dict[int, User] = {}
        self._user_ids: dict[tuple[int, str], int] = {}
        self._profiles: dict[int, Profile] = {}  # by user
        self._changes: list[tuple[int, int]] = []  # (tenant, user), the user 0 for the tenant itself; position = index + 1
        self._signing_key = secrets.token_bytes(32)

    async def tenants(self) -> Sequence[Tenant]:
        return sorted(self._tenants.values(), key=lambda tenant: (tenant.org, tenant.appkey))

    async def tenant(self, org: str, appkey: str) -> Tenant | None:
        return next((tenant for tenant in self._tenants.values() if (tenant.org, tenant.appkey) == (org, appkey)), None)

    async def add_tenant(self, tenant: Tenant) -> Tenant | None:
        if await self.tenant(tenant.org, tenant.appkey):
            return None
        added = replace(tenant, id=len(self._tenants) + 1)
        self._tenants[added.id] = added
        self._changes.append((added.id, 0))
        return added

    async def set_tenant(self, tenant: Tenant) -> None:
        present = self._tenants[tenant.id]
        self._tenants[tenant.id] = replace(tenant, org=present.org, appkey=present.appkey)
        self._changes.append((tenant.id, 0))

    async def user(self, tenant: int, name: str) -> User | None:
        return self._users.get(self._user_ids.get((tenant, name), 0))

    async def ids_named(self, tenant: int, user_names: Collection[str], *, removed: bool) -> Mapping[str, int]:
        found = {name: self._user_ids[tenant, name] for name in user_names if (tenant, name) in self._user_ids}
        return {name: user for name, user in found.items() if removed or self._users[user].state is not UserState.REMOVED}

    async def user_by_id(self, user: int) -> User | None:
        return self._users.get(user)

    async def users(self, tenant: int, after: str, limit: int) -> Sequence[User]:
        names = sorted(name for of, name in self._user_ids if of == tenant and name > after)
        users = (self._users[self._user_ids[tenant, name]] for name in names)
        return [user for user in users if user.state is not UserState.REMOVED][:limit]

    async def add_users(self, tenant: int, names_and_hashes: Sequence[tuple[str, str]], now_ms: int) -> Sequence[str]:  # noqa: ARG002
        seen: set[str] = set()
        taken = []
        for name, _ in names_and_hashes:
            if name in seen or (tenant, name) in self._user_ids:
                taken.append(name)
            seen.add(name)
        if taken:
            return taken
        for name, password_hash in names_and_hashes:
            user = User(len(self._users) + 1, tenant, name, password_hash=password_hash)
            self._users[user.id] = user
            self._user_ids[tenant, name] = user.id
            self._changes.append((tenant, user.id))
        return []

    async def set_user(self, user: int, *, state: UserState | None = None, password_hash: str | None = None) -> None:
        present = self._users[user]
        if state is UserState.REMOVED:
            password_hash = ""
            self._profiles.pop(user, None)
        self._users[user] = present._replace(
            state=present.state if state is None else state,
            password_hash=present.password_hash if password_hash is None else password_hash,
            credential_version=present.credential_version + (password_hash is not None),
        )
        self._changes.append((present.tenant, user))

    async def profiles(self, tenant: int, names: Sequence[str]) -> Sequence[Profile]:
        return [self._profile(user) for user in await self.users(tenant, "", len(self._users)) if user.name in names]

    async def find_profiles(self, tenant: int, prefix: str, limit: int) -> Sequence[Profile]:
        folded = prefix.casefold()
        profiles = [self._profile(user) for user in await self.users(tenant, "", len(self._users))]
        return [p for p in profiles if any(word.casefold().startswith(folded) for word in (p.name, p.nickname))][:limit]

    async def set_profile(self, profile: Profile) -> None:
        self._profiles[profile.user] = profile

    def _profile(self, user: User) -> Profile:
        return self._profiles.get(user.id) or Profile(user.id, user.name)

    async def changes(self, position: int) -> AccountChanges:
        changed = self._changes[position:] if position >= 0 else []
        return AccountChanges(
            len(self._changes),
            frozenset(tenant for tenant, user in changed if not user),
            frozenset(user for _, user in changed if user),
        )

    async def signing_key(self) -> bytes:
        return self._signing_key
