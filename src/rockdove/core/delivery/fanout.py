"""A committed message to the sessions of everyone in the conversation (protocol §5)."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.ring import Ring
from rockdove.core.delivery.run import Run, run_of
from rockdove.core.delivery.window import Stream
from rockdove.core.msgid import timestamp_ms
from rockdove.core.records import (
    GROUPS_END,
    Append,
    Change,
    Draft,
    DraftRun,
    EndMembers,
    HideMessages,
    PutGroup,
    PutMembers,
    peer_of,
    single_members,
)
from rockdove.core.registry import Inbox, Registry
from rockdove.wire import codec

if TYPE_CHECKING:
    from rockdove.core.session import Session


REMIND_MS: Final = 600_000  # older messages were found by heartbeats long ago


class Fanout:
    """Finds who gets what: among the sessions of this node, and by the ring those of others."""

    def __init__(self, registry: Registry, ring: Ring | None = None) -> None:
        """Without a `ring` there is no other node."""
        self._registry = registry
        self._ring = ring
        self.on_unknown: Callable[[int], None] = lambda _: None  # who is in this group is not known: read it
        self.on_joined: Callable[[int, int], None] = lambda _user, _group: None  # somebody who is here came into a group

    # -- what is stored

    def messages(self, drafts: Sequence[Draft], now_ms: int) -> None:
        """A run was stored by this node: push it to every device of the conversation but the sender's own."""
        if self._ring is not None:
            for draft in drafts:
                self._ring.message(draft)
        self.push(run_of(drafts), drafts[0].group_version, now_ms)

    def run(self, run: DraftRun, now_ms: int) -> None:
        """Likewise."""
        if self._ring is not None:
            self._ring.run(run)
        told = Run(run.conversation, run.first_seq, run.msgids, run.records, run.sender, run.device)
        self.push(told, run.group_version, now_ms)

    def remind(self, draft: Draft, now_ms: int) -> None:
        """A message was found to be stored, perhaps by a node that died before it told anybody: whoever lacks it reads it."""
        if now_ms - timestamp_ms(draft.msgid) < REMIND_MS:
            if self._ring is not None:
                self._ring.reminder(draft)
            self.owe(draft.conversation, draft.seq)

    def push(self, run: Run, group_version: int, now_ms: int) -> None:
        """Push stored messages to the sessions of this node."""
        conversation, inboxes = run.conversation, self._registry.inboxes
        if conversation < GROUPS_END:
            self._push_to(self._registry.group(conversation), run, group_version, now_ms)
            return
        low, high = single_members(conversation)
        if low in inboxes:
            for session in inboxes[low].sessions:
                session.outbound.deliver(run, now_ms)
        if high in inboxes and high != low:
            for session in inboxes[high].sessions:
                session.outbound.deliver(run, now_ms)

    def _push_to(self, members: Collection[Inbox], run: Run, group_version: int, now_ms: int) -> None:
        if members and self.knows(run.conversation, group_version):
            for inbox in members:
                for session in inbox.sessions:
                    session.outbound.deliver(run, now_ms)

    def change(self, change: Change, now_ms: int) -> Iterator[None]:
        """A change was stored by this node. Who came gets its notices, who went the one that tells of it (protocol §7).

        May pause after each step: thousands may be told.
        """
        joined, parted, notices = list[int](), list[int](), list[Draft]()
        conversation = version = 0
        for effect in change.effects:
            if isinstance(effect, Append):
                notices.append(effect.draft)
            elif isinstance(effect, PutMembers):
                conversation = effect.conversation
                joined += effect.users
            elif isinstance(effect, EndMembers):
                conversation = effect.conversation
                parted += effect.users
            elif isinstance(effect, PutGroup):
                conversation, version = effect.group.conversation, effect.group.version
            elif isinstance(effect, HideMessages):
                if self._ring is not None:
                    self._ring.sight(effect.user, effect.conversation)
                self.look_again(effect.user, effect.conversation)
        if conversation:
            if self._ring is not None:
                self._ring.group_change(conversation, version, joined, parted, notices)
            yield from self.group_change(conversation, version, joined, parted, notices, now_ms)

    def group_change(
        self,
        conversation: int,
        version: int,
        joined: Collection[int],
        parted: Collection[int],
        notices: Sequence[Draft],
        now_ms: int,
    ) -> Iterator[None]:
        """Among the sessions of this node: who came, the notices, who went. `version`: of the group after it; 0: as before.

        May pause after each step; before the first one it is known who is in the group now.
        """
        registry = self._registry
        if not registry.advance(conversation, version):
            self._news_missed(conversation)
        readers = {*joined, *parted}  # who comes or goes reads as much of the log as he may see
        others = [inbox for inbox in registry.group(conversation) if inbox.user not in readers]
        if parted and registry.overtaken(conversation, version):
            self.on_unknown(conversation)  # they may have come back since
        else:
            registry.parted(parted, conversation)
        for user in registry.joined(joined, conversation, version):
            self.on_joined(user, conversation)
        for notice in notices:
            self._push_to(others, run_of([notice]), version, now_ms)
            yield
        for user in readers:  # also of whom we know as a member, we may have missed that he had gone
            self.look_again(user, conversation)
            yield

    def look_again(self, user: int, conversation: int) -> None:
        """What the user may see of the conversation is not what it was."""
        for session in self._registry.sessions(user):
            session.outbound.look_again(conversation)

    def knows(self, conversation: int, group_version: int) -> bool:
        """Whether it is known who is in the group as of that version; if not, it will be read. 0: no group, or one node."""
        if group_version > self._registry.version(conversation) and self._registry.group(conversation):
            self._news_missed(conversation)
            return False
        return True

    def _news_missed(self, conversation: int) -> None:
        """Who is in this group, and since when, is to be read: nothing more is pushed before it was read what each may see."""
        for inbox in self._registry.group(conversation):
            self.look_again(inbox.user, conversation)
        self.on_unknown(conversation)

    def owe(self, conversation: int, seq: int) -> None:
        """This message is to be read by whoever here has not got it."""
        for session in self._sessions(conversation):
            session.outbound.owe_message(conversation, seq)

    # -- what is not kept

    def to_user(self, user: int, frame: bytes, but_device: int = 0) -> None:
        """Push news to a user's devices that are online now."""
        if self._ring is not None:
            self._ring.to_user(user, frame, but_device)
        self.to_user_here(user, frame, but_device)

    def to_user_here(self, user: int, frame: bytes, but_device: int = 0) -> None:
        """Likewise, but only on this node."""
        for session in self._registry.sessions(user):
            if session.outbound.device != but_device:
                session.outbound.notify(frame)

    def to_conversation(self, conversation: int, frame: bytes, but_device: int = 0, group_version: int = 0) -> None:
        """Push a transient message to whoever of the conversation is online now; `group_version` is that of now."""
        if self._ring is not None:
            self._ring.to_conversation(conversation, frame, but_device, group_version)
        self.to_conversation_here(conversation, frame, but_device, group_version)

    def to_conversation_here(self, conversation: int, frame: bytes, but_device: int = 0, group_version: int = 0) -> None:
        """Likewise, but only on this node. To nobody, if it is not known who may have it."""
        if not self.knows(conversation, group_version):
            return
        for session in self._sessions(conversation):
            if session.outbound.device != but_device:
                session.outbound.notify(frame)

    def _sessions(self, conversation: int) -> Iterator["Session"]:
        if conversation < GROUPS_END:
            for inbox in self._registry.group(conversation):
                yield from inbox.sessions
        else:
            for user in set(single_members(conversation)):
                yield from self._registry.sessions(user)

    def end_session(self, user: int, device: str, code: int, reason: str) -> None:
        """End the session of a device, wherever it is."""
        if self._ring is not None:
            self._ring.end_session(user, device, code, reason)
        self.end_session_here(user, device, code, reason)

    def end_session_here(self, user: int, device: str, code: int, reason: str) -> None:
        """Likewise, but only on this node."""
        session = self._registry.of_device(user, device)
        if session is not None:
            session.end(code, reason)

    # -- receipts

    def delivered(self, stream: Stream) -> None:
        """Tell the sender that the first device of the receiver has acknowledged, in single chat (protocol §6 DELIVERED)."""
        inbox, conversation, seq = stream.inbox, stream.conversation, stream.acked_foreign
        if conversation < GROUPS_END or seq <= inbox.delivered.get(conversation, 0):
            return
        inbox.note_delivered(conversation, seq)
        if self._ring is not None:
            self._ring.delivered(inbox.user, conversation, seq)
        sender = peer_of(conversation, inbox.user)
        if self._ring is not None or self._registry.sessions(sender):
            self.to_user(sender, codec.delivered(inbox.name, seq))
