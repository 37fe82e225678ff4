"""Names that the user may want to write, for completion and mentions."""

import asyncio
from contextlib import suppress
from typing import Final, TypeVar

from rockdove.client import Client, Group, Peer, RockdoveError

_Item = TypeVar("_Item")

_CAPACITY: Final = 2000  # of each kind


class Acquaintances:
    """Users and groups that were heard of; those heard of first are forgotten first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._users: dict[str, None] = {}
        self._groups: dict[Group, None] = {}

    @property
    def users(self) -> list[str]:
        """By name."""
        return sorted(self._users)

    @property
    def groups(self) -> list[Group]:
        """By id."""
        return sorted(self._groups, key=str)

    def knows(self, user: str) -> bool:
        """Whether this user was heard of."""
        return user in self._users

    def add(self, *peers: Peer) -> None:
        """These were heard of."""
        for peer in peers:
            if isinstance(peer, Group):
                _remember(self._groups, peer)
            elif peer and peer != self._client.user:
                _remember(self._users, peer)

    def forget(self, group: Group) -> None:
        """The user is no member any more."""
        self._groups.pop(group, None)

    async def learn(self, patience_seconds: float) -> None:
        """Ask the server for contacts and groups; what does not come in time is done without."""
        with suppress(RockdoveError, TimeoutError):
            async with asyncio.timeout(patience_seconds):
                self.add(*(contact.user for contact in (await self._client.contacts.list()).contacts))
                async for info in self._client.groups.mine():
                    self.add(info.group)

    async def learn_members(self, group: Group) -> None:
        """The same with the members of a group."""
        count = 0
        async for member in self._client.groups.members(group):
            self.add(member.user)
            count += 1
            if count == _CAPACITY:
                return


def _remember(known: dict[_Item, None], item: _Item) -> None:
    known.pop(item, None)
    known[item] = None
    if len(known) > _CAPACITY:
        del known[next(iter(known))]
