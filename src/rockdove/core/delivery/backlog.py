"""What a device missed, conversation by conversation in turns (protocol §5 Backlog)."""

from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.window import NEVER, Stream
from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Scheduler, Store
from rockdove.wire.limits import BACKLOG_TURN

if TYPE_CHECKING:
    from rockdove.core.delivery.outbound import Outbound

TURNS: Final = 20  # at a stretch: what a device sent itself takes no room in its window, and may be long
FLUSH_BYTES: Final = 64 * 1024  # written out before more is read, so that a slow reader is noticed in time


class Backlog:
    """Carries the backlog of one session on, as far as its window and its reading allow."""

    __slots__ = ("_outbound", "_running", "_scheduler", "_store", "owed")

    def __init__(self, outbound: "Outbound", store: Store, scheduler: Scheduler) -> None:
        self._outbound = outbound
        self._store = store
        self._scheduler = scheduler
        self._running = False
        self.owed: dict[int, bool] = {}  # conversations in the order of their turns; True: grew since it was read

    def owe(self, conversation: int) -> None:
        """There is something in this conversation that the device has not got."""
        self.owed[conversation] = True

    def carry_on(self) -> None:
        """Push what may be pushed now."""
        if self.owed and not self._running and self._may_push():
            self._running = True
            self._scheduler.spawn(self._run())

    def _may_push(self) -> bool:
        outbound = self._outbound
        if not outbound.live or outbound.paused:
            return False
        streams = outbound.window.streams
        return outbound.window.room > 0 or any(_again(streams.get(conversation)) for conversation in self.owed)

    async def _run(self) -> None:
        try:
            fruitless = 0  # turns since something was pushed
            for _ in range(TURNS):
                if fruitless >= len(self.owed) or not self._may_push():
                    return
                fruitless = 0 if await self._turn(next(iter(self.owed))) else fruitless + 1
            self._scheduler.soon(self.carry_on)  # others first
        except StoreUnavailable:
            pass  # the next heartbeat tries again
        finally:
            self._running = False
            self._outbound.write_out()  # the store may have taken longer than the turn that began this

    async def _turn(self, conversation: int) -> bool:
        """One conversation's turn. Returns whether it could use it."""
        outbound = self._outbound
        window = outbound.window
        stream = window.streams.get(conversation) or await self._open(conversation)
        limit = min(BACKLOG_TURN, max(window.room, 0) + _again(stream))
        if limit > 0:
            self.owed[conversation] = False
            stream.caught_up = False  # what arrives while the store is read waits behind it
            position = stream.position
            messages = await self._store.messages(conversation, position, 0, limit)
            if not outbound.live:
                return False
            if stream.position != position:  # by an ack, or because all of it is to come again
                return True
            outbound.give_up(stream, position, messages[0].seq if messages else NEVER)
            at_end = len(messages) < limit
            room = max(window.room, 0) + _again(stream)
            if len(messages) > room:  # others took some of it
                if not room:
                    return False
                messages, at_end = messages[:room], False
            now_ms = self._scheduler.now_ms()
            for message in messages:
                if message.device == outbound.device:
                    outbound.skip(stream, message.seq)
                else:
                    outbound.push(stream, message.seq, message.msgid, message.record, message.sender, now_ms)
            if outbound.waiting_bytes > FLUSH_BYTES:
                outbound.write_out()
            if at_end and not self.owed[conversation]:
                stream.caught_up = True
                del self.owed[conversation]
                return True
        self.owed[conversation] = self.owed.pop(conversation)  # to the end of the queue
        return limit > 0

    async def _open(self, conversation: int) -> Stream:
        outbound = self._outbound
        place = await self._store.position(outbound.user, outbound.device, conversation)
        delivered = outbound.inbox.delivered
        delivered[conversation] = max(delivered.get(conversation, 0), place.delivered)
        stream = Stream(outbound.inbox, outbound.device, conversation, place.cursor)
        outbound.window.streams[conversation] = stream
        return stream


def _again(stream: Stream | None) -> int:
    """How many of the stream's next messages are pushed again, and so take no room in the window."""
    if stream is None or not stream.unacked or stream.unacked[-1] <= stream.position:
        return 0
    return sum(seq > stream.position for seq in stream.unacked)
