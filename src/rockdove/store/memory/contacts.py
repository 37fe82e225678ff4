"""Contacts in memory."""

from collections.abc import Collection, Mapping, Sequence

from rockdove.core.ports import Accounts
from rockdove.core.records import Contact, ContactState


class MemoryContacts:
    """Every user's list of contacts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._contacts: dict[int, dict[int, Contact]] = {}  # by user and peer

    def _put_contact(self, contact: Contact) -> None:
        self._contacts.setdefault(contact.user, {})[contact.peer] = contact

    def _list(self, user: int) -> list[Contact]:
        """By version."""
        return sorted(self._contacts.get(user, {}).values(), key=lambda contact: contact.version)

    async def contact(self, user: int, peer: int) -> Contact:
        return self._contacts.get(user, {}).get(peer) or Contact(user, peer)

    async def contact_version(self, user: int) -> int:
        return max((contact.version for contact in self._list(user)), default=0)

    async def contact_count(self, user: int) -> int:
        return sum(contact.blocked or contact.state is not ContactState.NONE for contact in self._list(user))

    async def contacts(self, user: int, since: int, limit: int) -> Sequence[tuple[str, Contact]]:
        found = []
        for contact in [contact for contact in self._list(user) if contact.version > since][:limit]:
            peer = await self._accounts.user_by_id(contact.peer)
            assert peer is not None
            found.append((peer.name, contact))
        return found

    async def contacts_between(self, pairs: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], Contact]:
        return {pair: await self.contact(*pair) for pair in pairs}

    async def sides_towards(self, peer: int, users: Collection[int]) -> Mapping[int, Contact]:
        return {user: self._contacts[user][peer] for user in users if peer in self._contacts.get(user, {})}

    async def friends(self, user: int) -> Sequence[int]:
        return [c.peer for c in self._list(user) if c.state is ContactState.FRIEND and not c.blocked]
