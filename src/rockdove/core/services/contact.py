"""Friends, requests and blocks (protocol §7)."""

from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.directory import Directory
from rockdove.core.empty import EMPTY
from rockdove.core.errors import invalid
from rockdove.core.ports import Store
from rockdove.core.records import Contact, User
from rockdove.core.registry import Registry
from rockdove.core.rules.contact import AddContact, AnswerContact, BlockContact, ContactRule, RemoveContact
from rockdove.core.services.pending import Pending
from rockdove.core.services.requests import (
    ANSWER_BYTES,
    ITEM_BYTES,
    check_name,
    check_text,
    find_user,
    no_page_token,
    page_limit,
    parse,
)
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import DISPLAY_NAME_BYTES, GREETING_BYTES

if TYPE_CHECKING:
    from rockdove.core.session import Session

_MAX_VERSION: Final = (1 << 63) - 1  # what a store can compare


class ContactService:
    """Changes and lists the roster."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        registry: Registry,
        fanout: Fanout,
        presence: PresenceNews,
        max_frame_bytes: int,
    ) -> None:
        self._store = store
        self._directory = directory
        self._registry = registry
        self._fanout = fanout
        self._presence = presence
        self._room = max_frame_bytes - ANSWER_BYTES

    async def serve(self, session: "Session", payload: bytes) -> bytes | Pending:
        """Response.payload to a CONTACT request, or what is to be stored first. Raises Refusal."""
        contact = parse(pb.Contact, payload)
        operation = contact.WhichOneof("op")
        if operation == "list":
            return await self._list(session, contact.list)
        if operation == "add":
            return await self._add(session, contact.add)
        if operation == "answer":
            return await self._answer(session, contact.answer)
        if operation == "remove":
            peer = await self._peer(session, contact.remove.user)
            return self._cut_off(session, peer, RemoveContact(session.user, peer.id, peer.name))
        if operation == "block":
            peer = await self._peer(session, contact.block.user, active=True)
            return self._cut_off(session, peer, BlockContact(session.user, peer.id, peer.name, blocked=True))
        if operation == "unblock":
            peer = await self._peer(session, contact.unblock.user)
            return self._pending(session, peer, BlockContact(session.user, peer.id, peer.name, blocked=False))
        raise invalid("this Contact holds no operation that is known here")

    async def _peer(self, session: "Session", name: str, *, active: bool = False) -> User:
        """The other one; `active` as for `find_user`. Raises Refusal."""
        check_name("user", name)
        peer = await find_user(self._directory, session, name, active=active)
        if peer.id == session.user:
            raise invalid("that is you: name another user")
        return peer

    # -- changes

    async def _add(self, session: "Session", add: pb.ContactAdd) -> Pending:
        check_text("greeting", add.greeting, GREETING_BYTES)
        check_text("remark", add.remark, DISPLAY_NAME_BYTES)
        peer = await self._peer(session, add.user, active=True)
        return self._pending(session, peer, AddContact(session.user, peer.id, peer.name, add.greeting, add.remark))

    async def _answer(self, session: "Session", answer: pb.ContactAnswer) -> Pending:
        check_text("reason", answer.reason, GREETING_BYTES)
        peer = await self._peer(session, answer.user, active=answer.accept)
        rule = AnswerContact(session.user, peer.id, peer.name, answer.reason, accept=answer.accept)
        return self._pending(session, peer, rule)

    def _cut_off(self, session: "Session", peer: User, rule: ContactRule) -> Pending:
        """What may end somebody's permission to write: from here on every message between the two asks for it anew."""
        for user in (session.user, peer.id):
            for live in self._registry.sessions(user):
                live.routes = EMPTY
        return self._pending(session, peer, rule)

    def _pending(self, session: "Session", peer: User, rule: ContactRule) -> Pending:
        owner = session.name

        def tell() -> None:
            for before, after, other in zip(rule.before, rule.after, (peer.name, owner), strict=True):
                if after != before:
                    event = pb.Contact(event=_item(other, after))
                    self._fanout.to_user(after.user, codec.event(pb.CONTACT, event.SerializeToString()))
            self._presence.related(rule.before, rule.after, (owner, peer.name))

        return Pending(rule, tell=tell)

    # -- the list

    async def _list(self, session: "Session", query: pb.ListContacts) -> bytes:
        limit = page_limit(query.limit)
        version = max(min(query.since, _MAX_VERSION), _read_page_token(query.after))
        found = await self._store.contacts(session.user, version, limit + 1)
        answer = pb.ContactList()
        left = self._room
        for count, (name, contact) in enumerate(found):
            item = _item(name, contact)
            left -= item.ByteSize() + ITEM_BYTES
            if count == limit or (left < 0 and count):
                answer.next = str(version)
                break
            version = contact.version
            if query.since or item.state != pb.ContactItem.NONE:
                answer.items.append(item)
        answer.version = version
        return answer.SerializeToString()


def _item(name: str, contact: Contact) -> pb.ContactItem:
    return pb.ContactItem(
        user=name,
        state=pb.ContactItem.BLOCKED if contact.blocked else pb.ContactItem.State.Name(contact.state),
        remark=contact.remark,
        greeting=contact.greeting,
        updated_at=contact.updated_ms,
    )


def _read_page_token(token: str) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 20 and int(token) <= _MAX_VERSION):
        raise no_page_token()
    return int(token)
