"""How two users stand to each other, and who may change that (protocol §7)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rockdove.core.errors import Refusal, not_found
from rockdove.core.ports import View
from rockdove.core.records import Contact, ContactState, PutContact, single_conversation
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import CONTACTS

NONE, REQUESTED, INVITED, FRIEND = ContactState

Sides = tuple[Contact, Contact]  # the acting user's, and the other's


async def sees(view: View, viewer: int, subject: int) -> bool:
    """Whether `viewer` may know about the presence of `subject`."""
    if viewer == subject:
        return True
    return see_each_other(await view.contact(viewer, subject), await view.contact(subject, viewer))


def see_each_other(one: Contact, other: Contact) -> bool:
    """Whether two users, whose sides these are, know about each other's presence: friends, and neither blocked."""
    return one.state is other.state is FRIEND and not one.blocked and not other.blocked


class ContactRule(ABC):
    """Alters what is between two different users. A side that stays as it was has no effect.

    `before` and `after` are the sides as they were decided on last, for those who tell the news.
    """

    before: Sides
    after: Sides

    def __init__(self, user: int, peer: int, peer_name: str) -> None:
        """`user` acts on `peer`."""
        self.conversation = single_conversation(user, peer)
        self._user = user
        self._peer = peer
        self._peer_name = peer_name

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[PutContact]:  # noqa: ARG002
        """Raises Refusal."""
        self.before = await view.contact(self._user, self._peer), await view.contact(self._peer, self._user)
        sides = []
        for old, new in zip(self.before, self.alter(*self.before), strict=True):
            if new == old:
                sides.append(old)
                continue
            if _stands_in_list(new) and not _stands_in_list(old):
                await self._check_room(view, new.user)
            sides.append(new._replace(updated_ms=now_ms, version=await view.contact_version(new.user) + 1))
        mine, theirs = self.after = sides[0], sides[1]
        return [PutContact(side) for side in (mine, theirs) if side not in self.before]

    @abstractmethod
    def alter(self, mine: Contact, theirs: Contact) -> Sides:
        """The two sides as they shall be. Raises Refusal."""

    async def _check_room(self, view: View, user: int) -> None:
        if await view.contact_count(user) >= CONTACTS:
            whose = "your contact list is full: remove somebody" if user == self._user else f"{self._peer_name!r} takes no more"
            raise Refusal(pb.FAILED_PRECONDITION, f"{whose}; {CONTACTS} contacts and requests is the limit")

    def _check_not_blocked(self, mine: Contact) -> None:
        if mine.blocked:
            raise Refusal(pb.FAILED_PRECONDITION, f"you have blocked {self._peer_name!r}: unblock first")


class AddContact(ContactRule):
    """Ask to be friends; who was asked by the other is friends with him at once."""

    def __init__(self, user: int, peer: int, peer_name: str, greeting: str, remark: str) -> None:
        super().__init__(user, peer, peer_name)
        self._greeting = greeting
        self._remark = remark

    def alter(self, mine: Contact, theirs: Contact) -> Sides:
        self._check_not_blocked(mine)
        mine = mine._replace(remark=self._remark)
        if mine.state is FRIEND:
            return mine, theirs
        if mine.state is INVITED or (theirs.state is REQUESTED and not theirs.blocked):
            return _befriended(mine), _befriended(theirs)
        mine = mine._replace(state=REQUESTED, greeting="")
        if theirs.blocked:  # who is blocked cannot tell
            return mine, theirs
        return mine, theirs._replace(state=INVITED, greeting=self._greeting)


class AnswerContact(ContactRule):
    """Accept or decline what the other has asked."""

    def __init__(self, user: int, peer: int, peer_name: str, reason: str, *, accept: bool) -> None:
        """`reason` is given to the other with a refusal, where a request has its greeting."""
        super().__init__(user, peer, peer_name)
        self._reason = reason
        self._accept = accept

    def alter(self, mine: Contact, theirs: Contact) -> Sides:
        if self._accept:
            self._check_not_blocked(mine)
            if mine.state is FRIEND:
                return mine, theirs
            if mine.state is not INVITED:
                raise not_found(f"{self._peer_name!r} has not asked to be your contact: send a contact request")
            return _befriended(mine), _befriended(theirs)
        if mine.state is not INVITED:
            return mine, theirs
        return _ended(mine), _ended(theirs)._replace(greeting=self._reason)


class RemoveContact(ContactRule):
    """No friends any more, no request either way."""

    def alter(self, mine: Contact, theirs: Contact) -> Sides:
        return _ended(mine), _ended(theirs)


class BlockContact(ContactRule):
    """Block or unblock the other, who does not hear of it. What is between the two lives on beneath."""

    def __init__(self, user: int, peer: int, peer_name: str, *, blocked: bool) -> None:
        super().__init__(user, peer, peer_name)
        self._blocked = blocked

    def alter(self, mine: Contact, theirs: Contact) -> Sides:
        return mine._replace(blocked=self._blocked), theirs


def _stands_in_list(contact: Contact) -> bool:
    return contact.blocked or contact.state is not NONE


def _befriended(contact: Contact) -> Contact:
    return contact._replace(state=FRIEND, greeting="")


def _ended(contact: Contact) -> Contact:
    if contact.state is NONE:
        return contact
    return contact._replace(state=NONE, greeting="", remark=contact.remark if contact.blocked else "")
