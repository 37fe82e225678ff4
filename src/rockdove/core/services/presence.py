"""Who is here, and who is typing (protocol §6)."""

from typing import TYPE_CHECKING

from rockdove.core.delivery.presence import PresenceNews, Shown
from rockdove.core.delivery.typing import TypingNews
from rockdove.core.directory import Directory
from rockdove.core.errors import Refusal, invalid
from rockdove.core.ports import Scheduler, Store
from rockdove.core.records import single_conversation
from rockdove.core.rules.contact import sees
from rockdove.core.rules.posting import WriteToGroup, WriteToUser
from rockdove.core.services.requests import check_chat, check_name, check_text, find_group, find_user, parse
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names
from rockdove.wire.limits import DISPLAY_NAME_BYTES, QUERY_NAMES, TYPING_GROUP_SIZE

if TYPE_CHECKING:
    from rockdove.core.session import Session


class PresenceService:
    """Takes what sessions say of themselves, and tells those who ask and may know."""

    def __init__(
        self, store: Store, directory: Directory, news: PresenceNews, typing: TypingNews, scheduler: Scheduler
    ) -> None:
        self._store = store
        self._directory = directory
        self._news = news
        self._typing = typing
        self._scheduler = scheduler

    async def serve(self, session: "Session", payload: bytes) -> bytes:
        """Response.payload to a PRESENCE request. Raises Refusal."""
        presence = parse(pb.Presence, payload)
        operation = presence.WhichOneof("op")
        if operation == "query":
            return await self._query(session, list(dict.fromkeys(presence.query.users)))
        if operation == "publish":
            await self._publish(session, presence.publish)
            return b""
        raise invalid("this Presence holds no operation that is known here")

    # -- publish

    async def _publish(self, session: "Session", publish: pb.Presence.Publish) -> None:
        if publish.state not in pb.Presence.State.values():
            raise invalid(f"presence state {publish.state} is not known here")
        if publish.state != pb.Presence.TYPING:
            check_text("text", publish.text, DISPLAY_NAME_BYTES)
            self._news.publish(session, publish.state, publish.text)
            return
        check_chat(publish.chat)
        check_name("peer", publish.peer)
        if publish.chat == pb.GROUP_CHAT:
            await self._type_in_group(session, publish.peer)
        else:
            await self._type_to_user(session, publish.peer)

    async def _type_to_user(self, session: "Session", name: str) -> None:
        peer = await find_user(self._directory, session, name)
        permit = WriteToUser(session.tenant, session.user, peer.id, name)
        try:
            await permit.check(self._store, self._scheduler.now_ms())
        except Refusal:
            return  # as when nobody is there to see it
        if peer.id != session.user:
            self._typing.note(session, single_conversation(session.user, peer.id))

    async def _type_in_group(self, session: "Session", group_id: str) -> None:
        conversation = await find_group(self._directory, session, group_id)
        await WriteToGroup(conversation, session.user).check(self._store, self._scheduler.now_ms())
        group = await self._store.group(conversation)
        if group is not None and group.size <= TYPING_GROUP_SIZE:
            self._typing.note(session, conversation, group_id, group.version)

    # -- query

    async def _query(self, session: "Session", users: list[str]) -> bytes:
        if len(users) > QUERY_NAMES:
            raise invalid(f"{len(users)} users, at most {QUERY_NAMES} can be asked for at once")
        if not all(map(names.is_name, users)):
            raise invalid(f"one of `users` is not a legal name: use {names.RULE}")
        seen = {name: user for name in users if (user := await self._seen(session, name))}
        shown = await self._news.shown_anywhere(seen.values())
        items = [
            await self._state(name, seen[name], shown[seen[name]]) if name in seen else pb.PresenceState(user=name)
            for name in users
        ]
        return pb.PresenceList(items=items).SerializeToString()

    async def _seen(self, session: "Session", name: str) -> int:
        """The id of the user; 0 for one whom the asking user may not see: he cannot tell him from one who does not exist."""
        user = await self._directory.user(session.tenant.id, name)
        return user.id if user is not None and await sees(self._store, session.user, user.id) else 0

    async def _state(self, name: str, user: int, shown: Shown) -> pb.PresenceState:
        if shown.state:
            last_seen = self._scheduler.now_ms()
        else:
            last_seen = max((device.last_seen_ms for device in await self._store.devices(user)), default=0)
        return pb.PresenceState(user=name, state=shown.state, text=shown.text, last_seen=last_seen)
