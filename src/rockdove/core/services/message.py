"""Sending (protocol §4)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from google.protobuf.message import Message

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.empty import EMPTY
from rockdove.core.errors import REUSED_SEQID, Refusal, StoreUnavailable, invalid
from rockdove.core.msgid import MsgidSource, timestamp_field
from rockdove.core.plain import FRAME_MARGIN, Route
from rockdove.core.ports import Permit, Rule, Scheduler, Store
from rockdove.core.records import GROUPS_END, Change, Draft, Outcome, digest_of, single_conversation
from rockdove.core.rules.amending import Edit, React, Recall
from rockdove.core.rules.posting import WriteToGroup, WriteToUser
from rockdove.core.services.content import EVERYONE, parse_message
from rockdove.core.services.requests import find_group, find_user
from rockdove.wire import codec, plain
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

ROUTES: Final = 1_000  # receivers that a session remembers


class FirstMessage:
    """Answers the first message of a session to a user: once it was permitted, later ones need not ask."""

    __slots__ = ("_receiver", "_routes", "_session")

    def __init__(self, session: "Session", receiver: bytes) -> None:
        self._session = session
        self._routes = session.routes  # not those that replace them when something changes meanwhile
        self._receiver = receiver

    def committed(self, drafts: Sequence[Draft]) -> None:
        """It is durable, or was found to be a retry, or was refused."""
        (draft,) = drafts
        if draft.outcome is Outcome.STORED:
            self._routes[self._receiver] = Route(draft.conversation, None)
        self._session.committed(drafts)

    def not_stored(self, draft: Draft) -> None:
        """It could not be stored."""
        self._session.not_stored(draft)


class MessageService:
    """Takes messages from sessions into the batch of this turn."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        fanout: Fanout,
        msgids: MsgidSource,
        scheduler: Scheduler,
        max_frame_bytes: int,
    ) -> None:
        self._store = store
        self._directory = directory
        self._fanout = fanout
        self._msgids = msgids
        self._scheduler = scheduler
        self._max_bytes = max_frame_bytes - FRAME_MARGIN  # a longer one could be taken, and then not be delivered

    async def send(self, session: "Session", request: pb.Request) -> bytes | None:
        """Send any message. None: it is in the batch, and the commit will answer; else the frame that answers.

        Raises Refusal; then nothing was stored. StoreUnavailable: it is to be sent again.
        """
        if not session.in_turn(request.seqid, self._scheduler.now_ms()):
            raise StoreUnavailable("a message before this one could not be stored")
        if session.rate is not None and not session.rate.allows(self._scheduler.now_ms()):
            raise Refusal(pb.RESOURCE_EXHAUSTED, f"at most {session.rate.per_second} messages a second: send this again later")
        message, content = parse_message(request.payload)
        body = codec.canonical(message)
        if len(body) > self._max_bytes:
            raise invalid(f"the message is {len(body)} bytes, at most {self._max_bytes} are allowed")
        transient = bool(request.opts) and not all(option.offline for option in request.opts)
        try:
            conversation, permit = await self._address(session, message)
        except Refusal as refusal:
            if transient:
                raise
            return await self._repeat(session, request.seqid, body, refusal)
        rule = self._rule(session, conversation, message.type, content, permit)
        if transient:
            if rule is not None:
                raise invalid("a change of an earlier message must be kept: send it without offline = false")
            group = await self._store.group(conversation) if conversation < GROUPS_END else None
            await permit.check(self._store, self._scheduler.now_ms())
            return self._pass_on(session, conversation, request.seqid, body, group.version if group else 0)
        session.uncommitted += 1
        if rule is None:
            self._take(session, message, session.draft(conversation, request.seqid, body, permit))
        else:
            draft = session.draft(conversation, request.seqid, body, None)  # the rule asks the permit
            session.commit.change(Change(rule, _answer_if_lost, draft=draft))
        return None

    async def _address(self, session: "Session", message: pb.Message) -> tuple[int, Permit]:
        """The conversation, and what must be asked before something is stored in it. Raises Refusal: there is none."""
        if message.chat == pb.GROUP_CHAT:
            group = await find_group(self._directory, session, message.to)
            return group, WriteToGroup(group, session.user, everyone=EVERYONE in message.mentions)
        receiver = await find_user(self._directory, session, message.to)
        permit = WriteToUser(session.tenant, session.user, receiver.id, receiver.name)
        return single_conversation(session.user, receiver.id), permit

    def _rule(self, session: "Session", conversation: int, kind: int, content: Message, permit: Permit) -> Rule | None:
        """What decides on a message that changes an earlier one; None for others."""
        tenant = session.tenant
        if isinstance(content, pb.Reaction):
            return React(conversation, session.user, content.msgid, permit)
        if isinstance(content, pb.Change):
            if kind == pb.EDIT:
                return Edit(conversation, session.user, content, permit, tenant.edit_seconds, self._max_bytes)
            return Recall(conversation, session.user, content.msgid, permit, tenant.recall_seconds)
        return None

    def _take(self, session: "Session", message: pb.Message, draft: Draft) -> None:
        if session.routes is EMPTY or len(session.routes) >= ROUTES:
            session.routes = {}
        receiver = plain.receiver(message.to.encode(), group=message.chat == pb.GROUP_CHAT)
        if message.chat == pb.SINGLE and not self._store.shared:
            draft.origin = FirstMessage(session, receiver)
        elif not message.mentions:  # the permit of a plain text, which is asked each time
            session.routes[receiver] = Route(draft.conversation, draft.permit)
        session.commit.send(draft)

    async def _repeat(self, session: "Session", seqid: int, body: bytes, refusal: Refusal) -> bytes:
        """Answer the retry of what was allowed when it was stored; else raise `refusal` (protocol §4 Retry is safe)."""
        earlier = await self._store.earlier(session.outbound.device, seqid) if seqid else None
        if earlier is None:
            raise refusal
        if earlier.digest != digest_of(body):
            raise Refusal(pb.ALREADY_EXISTS, REUSED_SEQID)
        return codec.sent(seqid, earlier.msgid, earlier.seq, timestamp_field(earlier.msgid))

    def _pass_on(self, session: "Session", conversation: int, seqid: int, body: bytes, group_version: int) -> bytes:
        """A transient message: to those online now, not stored."""
        (msgid,) = self._msgids.run(1, self._scheduler.now_ms())
        timestamp = timestamp_field(msgid)
        record = codec.record(body, session.sender_field, msgid, 0, timestamp)
        self._fanout.to_conversation(conversation, codec.push(record, 0), session.outbound.device, group_version)
        return codec.sent(seqid, msgid, 0, timestamp)


def _answer_if_lost(change: Change, error: Exception | None) -> None:
    """A change with a draft is answered through the draft, unless nothing was stored."""
    if error is not None and change.draft is not None:
        change.draft.origin.not_stored(change.draft)
