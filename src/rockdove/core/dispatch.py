"""RequestType to service, the only such place; whatever goes wrong becomes the right answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rockdove.core.commit import GroupCommit
from rockdove.core.errors import Refusal, StoreUnavailable
from rockdove.core.ports import Log
from rockdove.core.services.message import MessageService
from rockdove.core.services.receipt import ReceiptService
from rockdove.core.services.sync import SyncService
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import OPTIONS

if TYPE_CHECKING:
    from rockdove.core.session import Session

NOT_STORED = "the server cannot store this now: send it again with the same seqid"
OUR_FAULT = "the server made a mistake with this request: it was logged"


class Dispatch:
    """Serves one request of a session, which waits meanwhile, so that requests take effect in order (protocol §4)."""

    def __init__(
        self, message: MessageService, sync: SyncService, receipt: ReceiptService, commit: GroupCommit, log: Log
    ) -> None:
        self._message = message
        self._commit = commit
        self._log = log
        self._sync = sync
        self._receipt = receipt

    async def serve(self, session: "Session", request: pb.Request) -> None:
        """Carry `request` out and answer it; then the session goes on."""
        try:
            if request.type == pb.MESSAGE:
                answer = await self._message.send(session, request)
                if answer is None:
                    session.go_on()
                else:
                    session.answer(answer)
                return
            if len(request.opts) > OPTIONS:
                raise Refusal(pb.INVALID_ARGUMENT, f"opts has {len(request.opts)} entries, at most {OPTIONS} are read")
            if request.type == pb.SYNC:
                session.answer(codec.response(request.seqid, await self._sync.serve(session, request.payload)))
            elif request.type == pb.RECEIPT:
                self._read(session, request.seqid, await self._receipt.serve(session, request.payload))
            else:
                raise Refusal(pb.UNIMPLEMENTED, f"requests of type {request.type} are not served here")
        except Refusal as refusal:
            session.answer(codec.response(request.seqid, code=refusal.code, reason=refusal.reason))
        except StoreUnavailable:
            session.answer(codec.response(request.seqid, code=pb.UNAVAILABLE, reason=NOT_STORED))
        except Exception:
            self._log.exception("request_failed", type=request.type)
            session.answer(codec.response(request.seqid, code=pb.INTERNAL, reason=OUR_FAULT))

    def _read(self, session: "Session", seqid: int, tell: Callable[[], None] | None) -> None:
        if tell is None:
            session.answer(codec.response(seqid))
            return

        def stored(error: Exception | None) -> None:
            if error is None:
                tell()
                session.answer(codec.response(seqid))
            else:
                session.answer(codec.response(seqid, code=pb.UNAVAILABLE, reason=NOT_STORED))

        self._commit.then(stored)
