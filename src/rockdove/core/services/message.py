"""Sending (protocol §4)."""

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError, Message

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.errors import REUSED_SEQID, Refusal, invalid, not_found
from rockdove.core.msgid import MsgidSource, timestamp_field
from rockdove.core.policy import may_write
from rockdove.core.ports import Scheduler, Store
from rockdove.core.records import Draft, digest_of, single_conversation
from rockdove.wire import codec, names
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import CONTENT_BYTES, MENTIONS, OPTIONS, TEXT_BYTES

if TYPE_CHECKING:
    from rockdove.core.session import Session

FRAME_MARGIN: Final = 640  # bytes that the server may put around a sender's Message, in a push or on a page
ROUTES: Final = 1_000  # permitted recipients that a session remembers

_CONTENTS: Final[dict[int, type[Message]]] = {
    pb.TXT: pb.MessageTxt,
    pb.IMAGE: pb.MessageImg,
    pb.FILE: pb.MessageFile,
    pb.AUDIO: pb.MessageFile,
    pb.VIDEO: pb.MessageFile,
    pb.LOCATION: pb.MessageLocation,
    pb.CUSTOM: pb.MessageCustom,
}


class MessageService:
    """Takes messages from sessions into the batch of this turn."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        commit: GroupCommit,
        fanout: Fanout,
        msgids: MsgidSource,
        scheduler: Scheduler,
        max_frame_bytes: int,
    ) -> None:
        self._store = store
        self._directory = directory
        self._commit = commit
        self._fanout = fanout
        self._msgids = msgids
        self._scheduler = scheduler
        self._max_bytes = max_frame_bytes - FRAME_MARGIN  # a longer one could be taken, and then not be delivered

    def send_text(self, session: "Session", seqid: int, body: bytes, to: bytes) -> bool:
        """The hot path: a legal text to somebody whom this session has written to before. False: take the long way."""
        conversation = session.routes.get(to)
        if conversation is None or session.rate is not None or len(body) > self._max_bytes:
            return False
        self._take(session, conversation, seqid, body)
        return True

    async def send(self, session: "Session", request: pb.Request) -> bytes | None:
        """Send any message. None: it is in the batch, and the commit will answer; else the frame that answers.

        Raises Refusal; then nothing was stored.
        """
        if session.rate is not None and not session.rate.allows(self._scheduler.now_ms()):
            raise Refusal(pb.RESOURCE_EXHAUSTED, f"at most {session.rate.per_second} messages a second: send this again later")
        if len(request.opts) > OPTIONS:
            raise invalid(f"opts has {len(request.opts)} entries, at most {OPTIONS} are read")
        message = _parse(request.payload)
        body = codec.canonical(message)
        if len(body) > self._max_bytes:
            raise invalid(f"the message is {len(body)} bytes, at most {self._max_bytes} are allowed")
        transient = bool(request.opts) and not all(option.offline for option in request.opts)
        receiver = await self._directory.user(session.tenant.id, message.to)
        try:
            user = may_write(session.tenant, session.user, message.to, receiver)
        except Refusal as refusal:
            if transient:
                raise
            return await self._repeat(session, request.seqid, body, refusal)
        conversation = single_conversation(session.user, user)
        if transient:
            return self._pass_on(session, conversation, request.seqid, body)
        if len(session.routes) >= ROUTES:
            session.routes.clear()
        session.routes[message.to.encode()] = conversation
        self._take(session, conversation, request.seqid, body)
        return None

    async def _repeat(self, session: "Session", seqid: int, body: bytes, refusal: Refusal) -> bytes:
        """Answer the retry of what was allowed when it was stored; else raise `refusal` (protocol §4 Retry is safe)."""
        earlier = await self._store.earlier(session.outbound.device, seqid) if seqid else None
        if earlier is None:
            raise refusal
        if earlier.digest != digest_of(body):
            raise Refusal(pb.ALREADY_EXISTS, REUSED_SEQID)
        return codec.sent(seqid, earlier.msgid, earlier.seq, timestamp_field(earlier.msgid))

    def _take(self, session: "Session", conversation: int, seqid: int, body: bytes) -> None:
        session.uncommitted += 1
        self._commit.send(
            Draft(
                session.tenant.id,
                conversation,
                session.user,
                session.sender_field,
                session.outbound.device,
                seqid,
                body,
                session,
            )
        )

    def _pass_on(self, session: "Session", conversation: int, seqid: int, body: bytes) -> bytes:
        """A transient message: to those online now, not stored."""
        (msgid,) = self._msgids.run(1, self._scheduler.now_ms())
        timestamp = timestamp_field(msgid)
        record = codec.record(body, session.sender_field, msgid, 0, timestamp)
        self._fanout.transient(conversation, codec.push(record, 0), session.outbound.device)
        return codec.sent(seqid, msgid, 0, timestamp)


def _parse(payload: bytes) -> pb.Message:
    """The Message in a request, within all limits of protocol §4. Raises Refusal."""
    try:
        message = pb.Message.FromString(payload)
    except DecodeError:
        raise invalid("the payload does not parse as a Message") from None
    if message.chat not in pb.Chat.values():
        raise invalid(f"chat {message.chat} is not known here")
    if not names.is_name(message.to):
        raise invalid(f"`to` is not a legal name: use {names.RULE}")
    if message.chat == pb.GROUP_CHAT:
        raise not_found(f"there is no group {message.to!r} that you are a member of: check the id")
    if len(message.mentions) > MENTIONS:
        raise invalid(f"{len(message.mentions)} mentions, at most {MENTIONS} are allowed")
    for name in message.mentions:
        if name != "@all" and not names.is_name(name):
            raise invalid(f"a mention is not a legal name: use {names.RULE}")
    _check_content(message)
    return message


def _check_content(message: pb.Message) -> None:
    content = _CONTENTS.get(message.type)
    if content is None:
        if message.type == pb.NOTICE:
            raise invalid("notices are written by the server only")
        if message.type in pb.MessageType.values():
            raise Refusal(pb.UNIMPLEMENTED, f"{pb.MessageType.Name(message.type)} is not spoken by this server")
        raise invalid(f"message type {message.type} is not known here")
    if len(message.payload) > CONTENT_BYTES:
        raise invalid(f"the content is {len(message.payload)} bytes, at most {CONTENT_BYTES} are allowed")
    try:
        parsed = content.FromString(message.payload)
    except DecodeError:
        raise invalid(f"the content does not parse as {content.DESCRIPTOR.name}") from None
    if isinstance(parsed, pb.MessageTxt) and (size := len(parsed.txt.encode())) > TEXT_BYTES:
        raise invalid(f"the text is {size} bytes, at most {TEXT_BYTES} are allowed")
