"""Reading what the server keeps (protocol §6)."""

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.errors import invalid
from rockdove.core.msgid import first_msgid, timestamp_ms
from rockdove.core.ports import Store
from rockdove.core.records import GROUPS_END, Query, Spans, Summary, within
from rockdove.core.rules.posting import find_member, no_user, not_member
from rockdove.core.rules.reading import DeleteForMe
from rockdove.core.services.history import downwards, shown, upwards
from rockdove.core.services.pending import Pending
from rockdove.core.services.requests import ANSWER_BYTES, find_conversation, find_user, no_page_token, page_limit, parse
from rockdove.wire import codec, names
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import HIDE_SEQS, SEARCH_TEXT_BYTES

if TYPE_CHECKING:
    from rockdove.core.session import Session

SUMMARY_BYTES: Final = 384  # of a Conversation beside its last message, at most: names are short
_NUMBER: Final = re.compile("[0-9a-f]{1,16}")
_MAX_SEQ: Final = (1 << 63) - 1  # what a store can compare


class SyncService:
    """Answers Sync requests. Answers fit into max_frame_bytes: what does not fit comes on the next page."""

    def __init__(self, store: Store, directory: Directory, fanout: Fanout, max_frame_bytes: int) -> None:
        self._store = store
        self._directory = directory
        self._fanout = fanout
        self._room = max_frame_bytes - ANSWER_BYTES

    async def serve(self, session: "Session", payload: bytes) -> bytes | Pending:
        """Response.payload to a SYNC request, or what is to be stored first. Raises Refusal."""
        sync = parse(pb.Sync, payload)
        match sync.WhichOneof("op"):
            case "conversations":
                return await self._conversations(session, sync.conversations)
            case "pull":
                return await self._pull(session, sync.pull)
            case "search":
                return await self._search(session, sync.search)
            case "readers":
                return await self._readers(session, sync.readers)
            case "hide":
                return await self._hide(session, sync.hide)
        raise invalid("this Sync holds no operation that is known here")

    async def _conversations(self, session: "Session", query: pb.ListConversations) -> bytes:
        limit = page_limit(query.limit)
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
        conversation = await find_conversation(self._directory, session, query.chat, query.peer)
        spans = await self._store.visible(session.user, conversation)
        if not spans:
            raise not_member(query.peer)
        limit = page_limit(query.limit)
        after, before = min(query.after, _MAX_SEQ), min(query.before, _MAX_SEQ)
        is_downwards = bool(before and not after)
        looked_at: Spans = ()
        while looked_at != spans:
            looked_at = spans
            if is_downwards:
                messages = await downwards(self._store, conversation, spans, before, limit + 1)
            else:
                messages = await upwards(self._store, conversation, spans, after, before, limit + 1)
            if conversation < GROUPS_END:  # meanwhile he may have been put out, and the log gone on
                spans = await self._store.visible(session.user, conversation)
        kept = self._fitting(await shown(self._store, session.user, conversation, messages[:limit]))
        more = len(kept) < len(messages)
        if is_downwards:
            kept.reverse()
        # Records are Messages already; a repeated field is each of them behind its key.
        return _items(kept) + (b"\x10\x01" if more else b"")

    async def _search(self, session: "Session", search: pb.Search) -> bytes:
        if not search.text.strip() or len(search.text.encode()) > SEARCH_TEXT_BYTES:
            raise invalid(f"`text` is what to search for: 1 to {SEARCH_TEXT_BYTES} bytes of it")
        if any(kind not in pb.MessageType.values() for kind in search.types):
            raise invalid("`types` holds a message type that is not known here")
        conversation = sender = 0
        if search.peer:
            conversation = await find_conversation(self._directory, session, search.chat, search.peer)
        if getattr(search, "from"):
            sender = await self._user(session, getattr(search, "from"))
        before = _msgid_of(search.until) if search.until > 0 else _MAX_SEQ
        if search.after:
            before = min(before, _read_number(search.after))
        query = Query(search.text, conversation, sender, _msgid_of(search.since), before, frozenset(search.types))
        limit = page_limit(search.limit)
        matches, go_on = await self._store.search(session.user, query, limit)
        kept = self._fitting([match.record for match in matches])
        if len(kept) < len(matches):
            go_on = matches[len(kept) - 1].msgid
        following = f"{go_on:x}".encode() if go_on else b""
        return _items(kept) + (b"\x12%b%b" % (codec.varint(len(following)), following) if following else b"")

    async def _readers(self, session: "Session", query: pb.ListReaders) -> bytes:
        conversation = await find_conversation(self._directory, session, pb.GROUP_CHAT, query.peer)
        await find_member(self._store, conversation, session.user)
        last_seq = await self._store.last_seq(conversation)
        visible = await self._store.visible(session.user, conversation)  # later: of what is stored now, he sees this
        if not within(visible, query.seq) or query.seq > last_seq:
            raise invalid(f"seq {query.seq} is no message that you can see")
        after = await self._user(session, query.after) if query.after else 0
        limit = page_limit(query.limit)
        marks = await self._store.read_marks(conversation, query.seq, after, limit + 1)
        page = [name for _, name in marks.users[:limit]]
        following = page[-1] if len(marks.users) > limit else ""
        return pb.Readers(count=marks.count, total=marks.total, users=page, next=following).SerializeToString()

    async def _hide(self, session: "Session", hide: pb.Hide) -> Pending:
        conversation = await find_conversation(self._directory, session, hide.chat, hide.peer)
        if len(hide.seqs) > HIDE_SEQS:
            raise invalid(f"{len(hide.seqs)} seqs, at most {HIDE_SEQS} are taken at once")
        if not hide.seqs and not hide.through:
            raise invalid("say which messages to delete: `seqs`, or all up to `through`")
        if 0 in hide.seqs:
            raise invalid("seq 0 is no message: seqs begin with 1")
        frame = codec.event(pb.SYNC, pb.Sync(hide=hide).SerializeToString())
        return Pending(
            DeleteForMe(session.user, conversation, tuple(hide.seqs), hide.through),
            tell=partial(self._fanout.to_user, session.user, frame, session.outbound.device),
        )

    async def _user(self, session: "Session", name: str) -> int:
        if not names.is_name(name):
            raise no_user(name)
        return (await find_user(self._directory, session, name, active=False)).id

    def _fitting(self, records: list[bytes]) -> list[bytes]:
        """As many as fit into an answer, but at least one."""
        left = self._room
        for count, record in enumerate(records):
            left -= len(record) + 4
            if left < 0 and count:
                return records[:count]
        return records


def _items(records: list[bytes]) -> bytes:
    """Records as a repeated field 1 of Messages."""
    return b"".join(b"\x0a%b%b" % (codec.varint(len(record)), record) for record in records)


def _page_token(last: Summary) -> str:
    return f"{last.last_msgid:x}.{last.conversation:x}"


def _read_page_token(token: str) -> tuple[int, int] | None:
    if not token:
        return None
    msgid, _, conversation = token.partition(".")
    return _read_number(msgid), _read_number(conversation)


def _msgid_of(at_ms: int) -> int:
    """The lowest msgid of that time, or of the last one that msgids reach."""
    return first_msgid(min(at_ms, timestamp_ms(_MAX_SEQ)))


def _read_number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or (number := int(text, 16)) > _MAX_SEQ:
        raise no_page_token()
    return number


def _conversation(summary: Summary) -> pb.Conversation:
    return pb.Conversation(
        chat=pb.GROUP_CHAT if summary.conversation < GROUPS_END else pb.SINGLE,
        peer=summary.peer,
        last_seq=summary.last_seq,
        acked_seq=summary.acked_seq,
        read_seq=summary.read_seq,
        peer_read_seq=summary.peer_read_seq,
        unread=summary.unread,
        last=pb.Message.FromString(summary.last) if summary.last else None,
        name=summary.name,
        left=summary.left,
    )
