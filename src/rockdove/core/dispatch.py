"""RequestType to service, the only such place; whatever goes wrong becomes the right answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from rockdove.core.errors import NOT_STORED, OUR_FAULT, Refusal, StoreUnavailable
from rockdove.core.ports import Log
from rockdove.core.records import Change
from rockdove.core.services.message import MessageService
from rockdove.core.services.pending import Pending
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import OPTIONS

if TYPE_CHECKING:
    from rockdove.core.session import Session


class Service(Protocol):
    """Serves one type of request."""

    async def serve(self, session: "Session", payload: bytes) -> bytes | Pending:
        """Response.payload, or what is to be stored first. Raises Refusal."""


class Dispatch:
    """Serves one request of a session, which waits meanwhile, so that requests take effect in order (protocol §4)."""

    def __init__(self, message: MessageService, services: Mapping[int, Service], log: Log) -> None:
        """`services` by RequestType, all but MESSAGE."""
        self._message = message
        self._services = services
        self._log = log

    async def serve(self, session: "Session", request: pb.Request) -> None:
        """Carry `request` out and answer it; then the session goes on."""
        try:
            if len(request.opts) > OPTIONS:
                raise Refusal(pb.INVALID_ARGUMENT, f"opts has {len(request.opts)} entries, at most {OPTIONS} are read")
            if request.type == pb.MESSAGE:
                answer = await self._message.send(session, request)
                if answer is None:
                    session.go_on()
                else:
                    session.answer(answer)
                return
            service = self._services.get(request.type)
            if service is None:
                raise Refusal(pb.UNIMPLEMENTED, f"requests of type {request.type} are not served here")
            reply = await service.serve(session, request.payload)
            if isinstance(reply, bytes):
                session.answer(codec.response(request.seqid, reply))
            else:
                self._carry_out(session, request.seqid, reply)
        except Refusal as refusal:
            session.answer(codec.response(request.seqid, code=refusal.code, reason=refusal.reason))
        except StoreUnavailable:
            session.answer(codec.response(request.seqid, code=pb.UNAVAILABLE, reason=NOT_STORED))
        except Exception:
            self._log.exception("request_failed", type=request.type)
            session.answer(codec.response(request.seqid, code=pb.INTERNAL, reason=OUR_FAULT))

    def _carry_out(self, session: "Session", seqid: int, pending: Pending) -> None:
        def done(change: Change, error: Exception | None) -> None:
            if error is not None:
                session.answer(codec.response(seqid, code=pb.UNAVAILABLE, reason=NOT_STORED))
            elif change.refusal is not None:
                session.answer(codec.response(seqid, code=change.refusal.code, reason=change.refusal.reason))
            else:
                pending.tell()
                session.answer(codec.response(seqid, pending.answer()))

        session.commit.change(Change(pending.rule, done, notices=pending.notices))
