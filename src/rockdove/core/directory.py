"""Tenants and users by name, remembered until somebody changes them."""

from typing import Final

from rockdove.core.ports import Accounts
from rockdove.core.records import Tenant, User

REMEMBERED: Final = 100_000  # users; beyond that all are looked up again


class Directory:
    """A cache in front of the accounts. Names that do not exist are looked up each time."""

    __slots__ = ("_accounts", "_changes", "_tenants", "_users")

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._tenants: dict[tuple[str, str], Tenant] = {}
        self._users: dict[tuple[int, str], User] = {}
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

    def forget(self) -> None:
        """Something was changed: look everything up again."""
        self._changes += 1
        self._tenants.clear()
        self._users.clear()
