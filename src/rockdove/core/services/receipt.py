"""Read marks (protocol §6)."""

from functools import partial
from typing import TYPE_CHECKING

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.errors import invalid
from rockdove.core.records import GROUPS_END, peer_of
from rockdove.core.rules.reading import MarkRead
from rockdove.core.services.pending import Pending
from rockdove.core.services.requests import find_conversation, parse
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session


class ReceiptService:
    """Moves read cursors."""

    def __init__(self, directory: Directory, fanout: Fanout) -> None:
        self._directory = directory
        self._fanout = fanout

    async def serve(self, session: "Session", payload: bytes) -> Pending:
        """Move the read cursor of the user, never back; then tell the others. Raises Refusal."""
        receipt = parse(pb.Receipt, payload)
        if receipt.kind not in pb.Receipt.Kind.values():
            raise invalid(f"receipt kind {receipt.kind} is not known here")
        if receipt.kind != pb.Receipt.READ:
            raise invalid("DELIVERED receipts are sent by the server only")
        conversation = await find_conversation(self._directory, session, receipt.chat, receipt.peer)
        rule = MarkRead(session.user, conversation, receipt.seq)
        return Pending(rule, tell=partial(self._tell, session, conversation, receipt, rule))

    def _tell(self, session: "Session", conversation: int, receipt: pb.Receipt, rule: MarkRead) -> None:
        """The reader's other devices, and in single chat the peer, hear how far the user has read."""
        if not rule.moved:
            return
        news = pb.Receipt(kind=pb.Receipt.READ, chat=receipt.chat, peer=receipt.peer, seq=receipt.seq, user=session.name)
        self._push(session.user, news, session.outbound.device)
        if conversation >= GROUPS_END and (peer := peer_of(conversation, session.user)) != session.user:
            news.peer = session.name
            self._push(peer, news)

    def _push(self, user: int, receipt: pb.Receipt, but_device: int = 0) -> None:
        self._fanout.to_user(user, codec.event(pb.RECEIPT, receipt.SerializeToString()), but_device)
