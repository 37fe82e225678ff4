"""What other nodes tell this one: rings, and questions.

A ring may be missed, come twice or late, so nothing here is more than a reason to look, or to push what the store has anyway.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from rockdove.core import news_pb2 as news
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.delivery.run import Run
from rockdove.core.delivery.typing import TypingNews
from rockdove.core.errors import REPLACED
from rockdove.core.holding import Holding
from rockdove.core.lanes import Lanes
from rockdove.core.ports import Log, Scheduler
from rockdove.core.records import Draft
from rockdove.core.registry import Registry
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session


class Hearing:
    """Brings what was heard to the sessions of this node."""

    def __init__(
        self,
        registry: Registry,
        fanout: Fanout,
        presence: PresenceNews,
        typing: TypingNews,
        commit: Lanes,
        holding: Holding,
        scheduler: Scheduler,
        log: Log,
    ) -> None:
        self._registry = registry
        self._fanout = fanout
        self._presence = presence
        self._typing = typing
        self._commit = commit
        self._holding = holding
        self._scheduler = scheduler
        self._log = log
        self.heard = 0  # rings since the start
        self.on_gap: Callable[[], None] = lambda: None  # another node had no bus
        self._kinds: dict[str, Callable[[news.Item], None]] = {
            "stored": lambda item: self._stored(item.stored),
            "group_change": lambda item: self._group_change(item.group_change),
            "event": lambda item: self._event(item.event),
            "sight": lambda item: fanout.look_again(item.sight.user, item.sight.conversation),
            "delivered": lambda item: self._delivered(item.delivered),
            "session_end": lambda item: self._session_end(item.session_end),
            "presence": lambda item: self._told_presence(item.presence),
            "relation": lambda item: self._relation(item.relation),
            "typing": lambda item: self._typed(item.typing),
            "gap": lambda _: self.on_gap(),
        }

    # -- rings

    def ring(self, topic: str, data: bytes) -> None:
        """Somebody has rung. Never raises."""
        self.heard += 1
        try:
            items = news.News.FromString(data).items
        except DecodeError:
            self._log.warning("ring_unreadable", topic=topic)
            return
        for item in items:
            kind = item.WhichOneof("kind")
            if kind is None:
                continue  # of a newer version
            try:
                self._kinds[kind](item)
            except Exception:
                # What it would have brought comes with the next heartbeat.
                self._log.exception("ring_failed", kind=kind)

    def _stored(self, message: news.Stored) -> None:
        if not message.record:
            self._fanout.owe(message.conversation, message.seq)
            return
        run = Run(message.conversation, message.seq, [message.msgid], [message.record], message.sender, message.device)
        self._fanout.push(run, message.group_version, self._scheduler.now_ms())

    def _group_change(self, change: news.GroupChange) -> None:
        notices = [notice for notice in map(_draft, change.notices) if notice.record]
        told = self._fanout.group_change(
            change.conversation, change.version, change.joined, change.parted, notices, self._scheduler.now_ms()
        )
        for _ in told:
            pass  # at once: what other nodes ring next follows it
        if len(notices) < len(change.notices):
            self._fanout.owe(change.conversation, change.notices[-1].seq)

    def _event(self, event: news.Event) -> None:
        if event.WhichOneof("to") == "conversation":
            self._fanout.to_conversation_here(event.conversation, event.frame, event.but_device, event.group_version)
        else:
            self._fanout.to_user_here(event.user, event.frame, event.but_device)

    def _delivered(self, delivered: news.Delivered) -> None:
        for session in self._registry.sessions(delivered.user):
            session.outbound.inbox.note_delivered(delivered.conversation, delivered.seq)

    def _session_end(self, end: news.SessionEnd) -> None:
        self._fanout.end_session_here(end.user, end.device, end.code, end.reason)

    def _told_presence(self, told: news.Presence) -> None:
        self._presence.heard(told.who, told.whom, pb.PresenceState.FromString(told.state), told.node)

    def _relation(self, relation: news.Relation) -> None:
        self._presence.relate(relation.who, relation.whom, relation.name, visible=relation.visible)

    def _typed(self, typing: news.Typing) -> None:
        state = pb.PresenceState.FromString(typing.state)
        self._typing.heard(typing.conversation, typing.user, state, typing.group_version)

    # -- questions

    def question(self, topic: str, data: bytes, answer: Callable[[bytes], None]) -> None:
        """Somebody asks; what is not understood gets no answer. Never raises."""
        try:
            question = news.Question.FromString(data)
        except DecodeError:
            self._log.warning("question_unreadable", topic=topic)
            return
        kind = question.WhichOneof("kind")
        if kind == "replace":
            self._replace(question.replace, answer)
        elif kind == "holds":
            answer(news.Answer(held=self._holding.holds(question.holds)).SerializeToString())
        elif kind == "who":
            here = [here for user in question.who.users if (here := self._here(user)) is not None]
            answer(news.Answer(here=here).SerializeToString())

    def _replace(self, replace: news.Replace, answer: Callable[[bytes], None]) -> None:
        if self._holding.stays(replace):
            answer(news.Answer(held=True).SerializeToString())
            return
        session = self._registry.of_device(replace.user, replace.device)
        if session is not None and session.login < replace.login:
            self._scheduler.spawn(self._give_way(session, replace, answer))
        else:
            self._answer_when_settled(replace, answer)

    async def _give_way(self, session: "Session", replace: news.Replace, answer: Callable[[bytes], None]) -> None:
        if await self._holding.is_overtaken(session):
            session.end(pb.REPLACED, REPLACED)
        self._answer_when_settled(replace, answer)

    def _answer_when_settled(self, replace: news.Replace, answer: Callable[[bytes], None]) -> None:
        # What it had sent is stored first, also where it is gone already.
        lane = self._commit.of(replace.user)

        def answer_then() -> None:
            lane.write_cursors_of(replace.user)
            lane.then(lambda _: answer(b""))

        self._holding.when_settled(replace.user, replace.device, answer_then)

    def _here(self, user: int) -> news.Here | None:
        sessions = self._registry.sessions(user)
        if not sessions:
            return None
        shown = self._presence.shown(user)
        return news.Here(user=user, state=shown.state, text=shown.text, devices=[session.device_name for session in sessions])


def _draft(notice: news.Stored) -> Draft:
    """A notice that another node has stored, with its place and record."""
    draft = Draft(0, notice.conversation, 0, b"", 0, 0, b"", None)
    draft.msgid, draft.seq, draft.record = notice.msgid, notice.seq, notice.record
    return draft
