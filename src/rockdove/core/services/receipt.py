"""Read marks (protocol §6)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.errors import invalid
from rockdove.core.ports import Store
from rockdove.core.records import single_conversation
from rockdove.core.services.sync import find_peer
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session


class ReceiptService:
    """Moves read cursors."""

    def __init__(self, store: Store, directory: Directory, commit: GroupCommit, fanout: Fanout) -> None:
        self._store = store
        self._directory = directory
        self._commit = commit
        self._fanout = fanout

    async def serve(self, session: "Session", payload: bytes) -> Callable[[], None] | None:
        """Move the read cursor of the user, never back.

        Returns what to do once the move, which is now part of the batch, is durable: tell the others. None: nothing
        was to be moved. Raises Refusal.
        """
        try:
            receipt = pb.Receipt.FromString(payload)
        except DecodeError:
            raise invalid("the payload does not parse as a Receipt") from None
        if receipt.kind not in pb.Receipt.Kind.values():
            raise invalid(f"receipt kind {receipt.kind} is not known here")
        if receipt.kind != pb.Receipt.READ:
            raise invalid("DELIVERED receipts are sent by the server only")
        peer = await find_peer(self._directory, session, receipt.chat, receipt.peer)
        conversation = single_conversation(session.user, peer.id)
        last = await self._store.last_seq(conversation)
        if receipt.seq > last:
            raise invalid(f"seq {receipt.seq} is beyond the conversation's last, {last}")
        if receipt.seq <= await self._store.read_seq(session.user, conversation):
            return None
        self._commit.move_read(session.user, conversation, receipt.seq)
        device = session.outbound.device
        return lambda: self._fanout.read(conversation, session.user, session.name, peer.name, receipt.seq, device)
