"""Reading what the server keeps (protocol §6)."""

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from rockdove.core.directory import Directory
from rockdove.core.errors import invalid, not_found
from rockdove.core.ports import Store
from rockdove.core.records import Summary, User, single_conversation
from rockdove.wire import codec, names
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import PAGE, PAGE_MAX

if TYPE_CHECKING:
    from rockdove.core.session import Session

SUMMARY_BYTES: Final = 192  # of a Conversation beside its last message, at most: names are short
_MAX_SEQ: Final = (1 << 63) - 1  # what a store can compare
ANSWER_BYTES: Final = 256  # of the frame around the items, at most


class SyncService:
    """Answers Pull and ListConversations. Answers fit into max_frame_bytes: what does not fit comes on the next page."""

    def __init__(self, store: Store, directory: Directory, max_frame_bytes: int) -> None:
        self._store = store
        self._directory = directory
        self._room = max_frame_bytes - ANSWER_BYTES

    async def serve(self, session: "Session", payload: bytes) -> bytes:
        """Response.payload to a SYNC request. Raises Refusal."""
        try:
            sync = pb.Sync.FromString(payload)
        except DecodeError:
            raise invalid("the payload does not parse as a Sync") from None
        operation = sync.WhichOneof("op")
        if operation == "conversations":
            return await self._conversations(session, sync.conversations)
        if operation == "pull":
            return await self._pull(session, sync.pull)
        raise invalid("this Sync holds no operation that is known here")

    async def _conversations(self, session: "Session", query: pb.ListConversations) -> bytes:
        limit = _page(query.limit)
        before = _read_page_token(query.after)
        summaries = await self._store.summaries(session.user, session.outbound.device, before, limit + 1)
        answer = pb.Conversations()
        left = self._room
        for count, summary in enumerate(summaries):
            left -= len(summary.last) + SUMMARY_BYTES
            if count == limit or (left < 0 and count):
                last = summaries[count - 1]
                answer.next = _page_token(last)
                break
            answer.items.append(_conversation(summary))
        return answer.SerializeToString()

    async def _pull(self, session: "Session", query: pb.Pull) -> bytes:
        peer = await find_peer(self._directory, session, query.chat, query.peer)
        conversation = single_conversation(session.user, peer.id)
        limit = _page(query.limit)
        after, before = min(query.after, _MAX_SEQ), min(query.before, _MAX_SEQ)
        downwards = bool(before and not after)
        if downwards:
            messages = list(await self._store.newest(conversation, before, limit + 1))
            messages.reverse()
        else:
            messages = list(await self._store.messages(conversation, after, before, limit + 1))
        kept = list[bytes]()
        left = self._room
        for message in messages[:limit]:
            left -= len(message.record) + 4
            if left < 0 and kept:
                break
            kept.append(message.record)
        more = len(kept) < len(messages)
        if downwards:
            kept.reverse()
        # Records are Messages already; a repeated field is each of them behind its key.
        items = b"".join(b"\x0a%b%b" % (codec.varint(len(record)), record) for record in kept)
        return items + (b"\x10\x01" if more else b"")


async def find_peer(directory: Directory, session: "Session", chat: int, peer: str) -> User:
    """The other user of a single conversation, as a request names it. Raises Refusal."""
    if chat not in pb.Chat.values():
        raise invalid(f"chat {chat} is not known here")
    if not names.is_name(peer):
        raise invalid(f"`peer` is not a legal name: use {names.RULE}")
    if chat == pb.GROUP_CHAT:
        raise not_found(f"there is no group {peer!r} that you are a member of: check the id")
    user = await directory.user(session.tenant.id, peer)
    if user is None:  # the talk with a removed user can still be read
        raise not_found(f"there is no user {peer!r}: check the name")
    return user


def _page(limit: int) -> int:
    return min(limit or PAGE, PAGE_MAX)


def _page_token(last: Summary) -> str:
    return f"{last.last_msgid:x}.{last.conversation:x}"


def _read_page_token(token: str) -> tuple[int, int] | None:
    if not token:
        return None
    try:
        msgid, conversation = (int(part, 16) for part in token.split("."))
    except ValueError:
        msgid = -1
    if not 0 <= msgid <= _MAX_SEQ or not 0 <= conversation <= _MAX_SEQ:
        raise invalid("`after` is not a page token: use `next` of the previous answer")
    return msgid, conversation


def _conversation(summary: Summary) -> pb.Conversation:
    return pb.Conversation(
        chat=pb.SINGLE,
        peer=summary.peer,
        last_seq=summary.last_seq,
        acked_seq=summary.acked_seq,
        read_seq=summary.read_seq,
        peer_read_seq=summary.peer_read_seq,
        unread=summary.unread,
        last=pb.Message.FromString(summary.last) if summary.last else None,
    )
