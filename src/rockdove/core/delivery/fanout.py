"""A committed message to the sessions of everyone in the conversation (protocol §5)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rockdove.core.delivery.window import Stream
from rockdove.core.records import (
    GROUPS_END,
    Append,
    Change,
    Draft,
    EndMember,
    HideMessages,
    PutMember,
    peer_of,
    single_members,
)
from rockdove.core.registry import Registry
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session


class Fanout:
    """Finds who gets what, among the sessions of this node."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # -- what is stored

    def message(self, draft: Draft, now_ms: int) -> None:
        """Push a stored message to every device of the conversation but the sender's own; the frame is built once."""
        registry = self._registry
        conversation, seq, msgid, sender, device = draft.conversation, draft.seq, draft.msgid, draft.sender, draft.device
        frame = codec.push(draft.record, msgid)
        if conversation < GROUPS_END:
            for inbox in registry.group(conversation):
                for session in inbox.sessions:
                    session.outbound.deliver(conversation, seq, msgid, frame, sender, device, now_ms)
            return
        low, high = single_members(conversation)
        for session in registry.sessions(low):
            session.outbound.deliver(conversation, seq, msgid, frame, sender, device, now_ms)
        if high != low:
            for session in registry.sessions(high):
                session.outbound.deliver(conversation, seq, msgid, frame, sender, device, now_ms)

    def change(self, change: Change, now_ms: int) -> None:
        """Push the notices of a stored change. Who came gets them, and who went gets the one that tells of it (protocol §7)."""
        gone = list[EndMember]()
        for effect in change.effects:
            if isinstance(effect, Append):
                self.message(effect.draft, now_ms)
            elif isinstance(effect, PutMember):
                member = effect.member
                if self._registry.joined(member.user, member.conversation):
                    self._look_again(member.user, member.conversation)
            elif isinstance(effect, EndMember):
                gone.append(effect)
            elif isinstance(effect, HideMessages):
                self._look_again(effect.user, effect.conversation)
        for end in gone:
            self._registry.parted(end.user, end.conversation)
            self._look_again(end.user, end.conversation)

    def _look_again(self, user: int, conversation: int) -> None:
        """What the user may see of the conversation is not what it was."""
        for session in self._registry.sessions(user):
            session.outbound.look_again(conversation)

    # -- what is not kept

    def to_user(self, user: int, frame: bytes, but_device: int = 0) -> None:
        """Push news to a user's devices that are here now."""
        for session in self._registry.sessions(user):
            if session.outbound.device != but_device:
                session.outbound.notify(frame)

    def to_conversation(self, conversation: int, frame: bytes, but_device: int = 0) -> None:
        """Push a transient message, or news, to whoever of the conversation is here now."""
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

    # -- receipts

    def delivered(self, stream: Stream) -> None:
        """Tell the sender that the first device of the receiver has acknowledged, in single chat (protocol §6 DELIVERED)."""
        inbox, conversation, seq = stream.inbox, stream.conversation, stream.acked_foreign
        if conversation < GROUPS_END or seq <= inbox.delivered.get(conversation, 0):
            return
        inbox.delivered[conversation] = seq
        senders = self._registry.sessions(peer_of(conversation, inbox.user))
        if senders:
            receipt = pb.Receipt(kind=pb.Receipt.DELIVERED, peer=inbox.name, seq=seq, user=inbox.name)
            frame = codec.event(pb.RECEIPT, receipt.SerializeToString())
            for session in senders:
                session.outbound.notify(frame)
