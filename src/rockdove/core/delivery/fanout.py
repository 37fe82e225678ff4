"""A committed message to the sessions of everyone in the conversation (protocol §5)."""

from rockdove.core.delivery.window import Stream
from rockdove.core.records import Draft, peer_of, single_members
from rockdove.core.registry import Registry
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb


class Fanout:
    """Finds who gets what, among the sessions of this node."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def message(self, draft: Draft, now_ms: int) -> None:
        """Push a stored message to every device of the conversation but the sender's own; the frame is built once."""
        registry = self._registry
        conversation, seq, msgid, sender, device = draft.conversation, draft.seq, draft.msgid, draft.sender, draft.device
        frame = codec.push(draft.record, msgid)
        low, high = single_members(conversation)
        for session in registry.sessions(low):
            session.outbound.deliver(conversation, seq, msgid, frame, sender, device, now_ms)
        if high != low:
            for session in registry.sessions(high):
                session.outbound.deliver(conversation, seq, msgid, frame, sender, device, now_ms)

    def transient(self, conversation: int, frame: bytes, device: int) -> None:
        """Push a message that is not stored to whoever of the conversation is here now."""
        self._to_users(set(single_members(conversation)), frame, device)

    def delivered(self, stream: Stream) -> None:
        """Tell the sender that the first device of the receiver has acknowledged (protocol §6 DELIVERED)."""
        inbox, conversation, seq = stream.inbox, stream.conversation, stream.acked_foreign
        if seq <= inbox.delivered.get(conversation, 0):
            return
        inbox.delivered[conversation] = seq
        senders = self._registry.sessions(peer_of(conversation, inbox.user))
        if senders:
            receipt = pb.Receipt(kind=pb.Receipt.DELIVERED, peer=inbox.name, seq=seq, user=inbox.name)
            frame = codec.event(pb.RECEIPT, receipt.SerializeToString())
            for session in senders:
                session.outbound.notify(frame)

    def read(self, conversation: int, reader: int, reader_name: str, peer_name: str, seq: int, device: int) -> None:
        """Tell the reader's other devices and the peer how far the user has read (protocol §6)."""
        peer = peer_of(conversation, reader)
        self._receipt(reader, pb.Receipt(kind=pb.Receipt.READ, peer=peer_name, seq=seq, user=reader_name), device)
        if peer != reader:
            self._receipt(peer, pb.Receipt(kind=pb.Receipt.READ, peer=reader_name, seq=seq, user=reader_name), device)

    def _receipt(self, user: int, receipt: pb.Receipt, device: int) -> None:
        self._to_users({user}, codec.event(pb.RECEIPT, receipt.SerializeToString()), device)

    def _to_users(self, users: set[int], frame: bytes, but_device: int) -> None:
        for user in users:
            for session in self._registry.sessions(user):
                if session.outbound.device != but_device:
                    session.outbound.notify(frame)
