"""What a device missed, conversation by conversation in turns (protocol §5 Backlog)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.window import Stream
from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Scheduler, Store
from rockdove.core.records import GROUPS_END, OPEN, Stored, next_span
from rockdove.wire import codec
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
        stream = await self._stream(conversation)
        span = next_span(stream.visible, stream.position)
        if span is None:  # no member any more
            del self.owed[conversation]
            return True
        limit = min(BACKLOG_TURN, max(outbound.window.room, 0) + _again(stream))
        if limit > 0:
            after, through = span
            if after > stream.position:
                outbound.window.leap(stream, after)
            self.owed[conversation] = False
            stream.fall_behind()  # what arrives while the store is read waits behind it
            messages, hidden = await self._read(stream, after, through, limit)
            if not outbound.live:
                return False
            outbound.give_up(stream, after, messages[0].seq if messages else through + 1, self._scheduler.now_ms())
            if stream.position != after or stream.stale:  # by an ack, or because all of it is to come again
                return True
            at_end = len(messages) < limit
            room = max(outbound.window.room, 0) + _again(stream)
            if len(messages) > room:  # others took some of it
                if not room:
                    return False
                messages, at_end = messages[:room], False
            self._push(stream, messages, hidden)
            if at_end and through != OPEN:
                outbound.window.leap(stream, through)  # to the next span, if there is one
            elif at_end and not self.owed[conversation]:
                del self.owed[conversation]
                outbound.catch_up(stream, self._scheduler.now_ms())
                return True
        self.owed[conversation] = self.owed.pop(conversation)  # to the end of the queue
        return limit > 0

    async def _read(self, stream: Stream, after: int, through: int, limit: int) -> tuple[Sequence[Stored], frozenset[int]]:
        """Messages with `after` < seq <= `through`, and which of them the user has hidden."""
        stream.reading = True
        try:
            before = 0 if through == OPEN else through + 1
            messages = await self._store.messages(stream.conversation, after, before, limit)
            hidden = await self._hidden(stream, messages)
            await self._look_for_the_end(stream)
        finally:
            stream.reading = False
        return messages, hidden

    def _push(self, stream: Stream, messages: Sequence[Stored], hidden: frozenset[int]) -> None:
        outbound = self._outbound
        foreign = [message for message in messages if message.device != outbound.device]
        for message in messages:
            if message.device != outbound.device:
                break
            outbound.skip(stream, message.seq)
        if foreign:
            seqs, msgids, senders, _, records = zip(*foreign, strict=True)
            if hidden:
                records = tuple(
                    codec.tombstone(record) if seq in hidden else record for seq, record in zip(seqs, records, strict=True)
                )
            own = [message.seq for message in foreign if message.sender == outbound.user] if outbound.user in senders else ()
            outbound.push(stream, seqs, msgids, own, codec.pushes(records, msgids), self._scheduler.now_ms())
            stream.position = messages[-1].seq  # what follows the last one was sent by this device
        if outbound.waiting_bytes > FLUSH_BYTES:
            outbound.write_out()

    async def _hidden(self, stream: Stream, messages: Sequence[Stored]) -> frozenset[int]:
        if not stream.hides or not messages:
            return frozenset()
        return await self._store.hidden(self._outbound.user, stream.conversation, messages[0].seq - 1, messages[-1].seq)

    async def _look_for_the_end(self, stream: Stream) -> None:
        """The messages may be of a commit not reported yet, in which the user left the group or was put out."""
        if stream.conversation < GROUPS_END and stream.visible != await self._store.visible(
            self._outbound.user, stream.conversation
        ):
            stream.stale = True

    async def _stream(self, conversation: int) -> Stream:
        """The stream, which knows what its user may see."""
        outbound = self._outbound
        inbox, stream = outbound.inbox, outbound.window.streams.get(conversation)
        while stream is None or stream.stale:
            seatings = inbox.seatings
            place = await self._store.position(outbound.user, outbound.device, conversation)
            if stream is None:
                inbox.note_delivered(conversation, place.delivered)
                stream = Stream(inbox, outbound.device, conversation, place.cursor, place.visible, hides=place.hides)
                outbound.window.open(stream)
            stream.visible, stream.hides = place.visible, place.hides
            stream.stale = seatings != inbox.seatings  # changed while the store was read
        return stream


class NoBacklog:
    """That of who is owed nothing, most of the time nearly everybody; and of a connection which is gone."""

    __slots__ = ()

    owed: Final[dict[int, bool]] = {}

    def carry_on(self) -> None:
        """There is nothing to push."""


NO_BACKLOG: Final = NoBacklog()


def _again(stream: Stream | None) -> int:
    """How many of the stream's next messages are pushed again, and so take no room in the window."""
    if stream is None or not stream.unacked or stream.unacked[-1] <= stream.position:
        return 0
    return sum(seq > stream.position for seq in stream.unacked)
