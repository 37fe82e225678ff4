"""Friends, requests and blocks (protocol §7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from rockdove.client.asking import Ask, pages
from rockdove.wire import im_pb2 as pb


class ContactState(IntEnum):
    """Where a friendship stands, as this user sees it."""

    NONE = pb.ContactItem.NONE
    REQUESTED = pb.ContactItem.REQUESTED  # asked, and not answered yet
    INVITED = pb.ContactItem.INVITED  # was asked: accept or decline
    FRIEND = pb.ContactItem.FRIEND
    BLOCKED = pb.ContactItem.BLOCKED


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody in this user's list. The remark is only for this user; the greeting came with the request."""

    user: str
    state: int  # a ContactState; an int, because a newer server may know more of them
    remark: str
    greeting: str
    updated_ms: int  # since the Unix epoch


@dataclass(frozen=True, slots=True)
class Roster:
    """Contacts, and the `version` to ask with for what has changed since."""

    contacts: tuple[Contact, ...]
    version: int


def read_contact(wire: pb.ContactItem) -> Contact:
    """A contact from the wire."""
    return Contact(wire.user, int(wire.state), wire.remark, wire.greeting, wire.updated_at)


class Contacts:
    """`client.contacts`. Every verb raises Refused; each may be repeated without harm."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def add(self, user: str, *, greeting: str = "", remark: str = "") -> None:
        """Ask somebody to be friends: greeting up to 512 bytes, remark up to 128. Of a friend it changes the remark."""
        await self._ask(pb.Contact(add=pb.ContactAdd(user=user, greeting=greeting, remark=remark)))

    async def accept(self, user: str) -> None:
        """Say yes to a request."""
        await self._ask(pb.Contact(answer=pb.ContactAnswer(user=user, accept=True)))

    async def decline(self, user: str, *, reason: str = "") -> None:
        """Say no to a request."""
        await self._ask(pb.Contact(answer=pb.ContactAnswer(user=user, reason=reason)))

    async def remove(self, user: str) -> None:
        """End a friendship, withdraw a request or decline one."""
        await self._ask(pb.Contact(remove=pb.ContactRef(user=user)))

    async def block(self, user: str) -> None:
        """Get nothing more from `user`, who can't tell that from not being friends."""
        await self._ask(pb.Contact(block=pb.ContactRef(user=user)))

    async def unblock(self, user: str) -> None:
        """Everything is as it was before the block."""
        await self._ask(pb.Contact(unblock=pb.ContactRef(user=user)))

    async def list(self, since: int = 0) -> Roster:
        """All contacts; or those that changed after the version `since`, the ones that are NONE now included."""
        version = since

        async def page(after: str) -> tuple[Iterable[pb.ContactItem], str]:
            nonlocal version
            query = pb.ListContacts(since=since, after=after)
            answer = pb.ContactList.FromString(await self._ask(pb.Contact(list=query)))
            version = max(version, answer.version)
            return answer.items, answer.next

        return Roster(tuple([read_contact(item) async for item in pages(page)]), version)
