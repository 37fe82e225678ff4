"""Tenants, users and groups by name, remembered until somebody changes them."""

from typing import Final

from rockdove.core.ports import Accounts, Store
from rockdove.core.records import Tenant, User

REMEMBERED: Final = 100_000  # users, and as many groups; beyond that all are looked up again


class Directory:
    """A cache in front of the accounts. Names that do not exist are looked up each time."""

    __slots__ = ("_accounts", "_changes", "_groups", "_store", "_tenants", "_users")

    def __init__(self, accounts: Accounts, store: Store) -> None:
        self._accounts = accounts
        self._store = store
        self._tenants: dict[tuple[str, str], Tenant] = {}
        self._users: dict[tuple[int, str], User] = {}
        self._groups: dict[tuple[int, str], int] = {}
        self._changes = 0  # seen so far: what was asked for before one of them is not remembered after it

    async def tenant(self, org: str, appkey: str) -> Tenant | None:
        """The tenant of that name."""
        changes = self._changes
        tenant = self._tenants.get((org, appkey)) or await self._accounts.tenant(org, appkey)
        if tenant is not None and changes == self._changes:
            self._tenants[org, appkey] = tenant
        return tenant

    async def user(self, tenant: int, name: str) -> User | None:
        """The user of that name, removed ones included."""
        changes = self._changes
        user = self._users.get((tenant, name)) or await self._accounts.user(tenant, name)
        if user is not None and changes == self._changes:
            if len(self._users) >= REMEMBERED:
                self._users.clear()
            self._users[tenant, name] = user
        return user

    async def group(self, tenant: int, group_id: str) -> int:
        """The conversation of the group with that id, also of a dissolved one; 0 if there is none. It never changes."""
        conversation = self._groups.get((tenant, group_id))
        if conversation is None:
            group = await self._store.group_named(tenant, group_id)
            if group is None:
                return 0
            if len(self._groups) >= REMEMBERED:
                self._groups.clear()
            conversation = self._groups[tenant, group_id] = group.conversation
        return conversation

    def forget(self) -> None:
        """Something was changed: look everything up again."""
        self._changes += 1
        self._tenants.clear()
        self._users.clear()
