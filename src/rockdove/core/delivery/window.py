"""What was pushed to a device, and has it been acknowledged (protocol §5)."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rockdove.core.empty import EMPTY
from rockdove.core.records import Spans
from rockdove.wire.limits import REPUSH_MS

if TYPE_CHECKING:
    from rockdove.core.delivery.run import Run
    from rockdove.core.registry import Inbox

NEVER: Final = 1 << 62


class Stream:
    """One conversation on its way to one device.

    Everything up to `position` has been pushed to the device, or was sent by it. `unacked` holds the seqs pushed and
    not acknowledged. The cursor is the last seq before the first of these.
    """

    __slots__ = (
        "acked_foreign",
        "caught_up",
        "conversation",
        "cursor",
        "device",
        "early",
        "hides",
        "inbox",
        "msgids",
        "own",
        "position",
        "reading",
        "repush_ms",
        "stale",
        "unacked",
        "visible",
    )

    def __init__(self, inbox: "Inbox", device: int, conversation: int, cursor: int, visible: Spans, *, hides: bool) -> None:
        self.inbox = inbox
        self.device = device
        self.conversation = conversation
        self.cursor = cursor
        self.position = cursor
        self.visible = visible  # the seqs that the user may see
        self.hides = hides  # whether he has deleted some of them for himself
        self.stale = False  # whether this may have changed since
        self.unacked: list[int] = []  # upwards
        self.msgids: list[int] = []  # theirs
        self.own: list[int] = []  # those of them that the user has sent himself, from another device
        self.caught_up = False  # nothing lies between `position` and the end of the log: a new message may be pushed
        self.reading = False  # the log is being read from `position` on
        self.early: dict[int, Run] = {}  # by first seq: came before one that precedes it, or while the log was being read
        self.acked_foreign = 0  # highest acknowledged seq that somebody else had sent
        self.repush_ms = NEVER  # when the unacknowledged ones come again

    def fall_behind(self) -> None:
        """From here on the log is read."""
        self.caught_up = False
        self.early.clear()


class Window:
    """The pushes of one session that await their ack."""

    __slots__ = ("awaited", "limit", "streams")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.streams: dict[int, Stream] = EMPTY  # by conversation
        self.awaited: dict[int, Stream] = EMPTY  # by msgid, oldest first: where it stands in `msgids`

    def open(self, stream: Stream) -> None:
        """The session has another conversation."""
        if self.streams is EMPTY:
            self.streams, self.awaited = {}, {}
        self.streams[stream.conversation] = stream

    @property
    def room(self) -> int:
        """How many more messages may be pushed."""
        return self.limit - len(self.awaited)

    def push(self, stream: Stream, seqs: Sequence[int], msgids: Sequence[int], own: Sequence[int], now_ms: int) -> bool:
        """Note that messages are on their way; `seqs` go upwards, `own` are of the user. One pushed again keeps its place.

        Returns whether they are the first of their stream to await an ack: `repush_ms` was set.
        """
        stream.position = seqs[-1]
        first = not stream.unacked
        if first:
            stream.repush_ms = now_ms + REPUSH_MS
        elif seqs[0] <= stream.unacked[-1]:
            self._push_again(stream, seqs, msgids, own)
            return False
        stream.unacked += seqs
        stream.msgids += msgids
        if own:
            stream.own += own
        awaited = self.awaited
        for msgid in msgids:
            awaited[msgid] = stream
        return first

    def _push_again(self, stream: Stream, seqs: Sequence[int], msgids: Sequence[int], own: Sequence[int]) -> None:
        for seq, msgid in zip(seqs, msgids, strict=True):
            if msgid not in self.awaited:
                self.awaited[msgid] = stream
                at = bisect_left(stream.unacked, seq)
                stream.unacked.insert(at, seq)
                stream.msgids.insert(at, msgid)
                if seq in own:
                    stream.own.insert(bisect_left(stream.own, seq), seq)

    def skip(self, stream: Stream, seq: int) -> bool:
        """Pass over a message that the device sent itself. Returns whether the cursor moved."""
        stream.position = seq
        if stream.unacked:
            return False
        if seq > stream.cursor:
            stream.cursor = seq
        return True

    def leap(self, stream: Stream, seq: int) -> None:
        """Go on after `seq`: what lies before it is not for this user to see."""
        stream.position = seq
        if not stream.unacked:
            stream.cursor = max(stream.cursor, seq)

    def ack(self, stream: Stream, msgid: int, now_ms: int) -> None:
        """The device has this message, which awaits its ack in `stream`, and all earlier ones of the conversation."""
        unacked, msgids = stream.unacked, stream.msgids
        count = msgids.index(msgid) + 1
        seq = unacked[count - 1]
        if stream.own:
            self._acked_own(stream, unacked[:count])
        elif seq > stream.acked_foreign:
            stream.acked_foreign = seq
        for earlier in msgids[:count]:
            del self.awaited[earlier]
        del unacked[:count], msgids[:count]
        if stream.position < seq:  # acknowledged while it was about to be pushed again
            stream.position = seq
        cursor = unacked[0] - 1 if unacked else stream.position
        if cursor > stream.cursor:
            stream.cursor = cursor
        stream.repush_ms = now_ms + REPUSH_MS if unacked else NEVER

    def give_up(self, stream: Stream, before: int, now_ms: int) -> None:
        """Await no more acks of messages with a seq below `before`. What was pushed after them waits on, as after any ack."""
        stream.position = max(stream.position, stream.unacked[-1])
        self.ack(stream, stream.msgids[bisect_left(stream.unacked, before) - 1], now_ms)

    def _acked_own(self, stream: Stream, seqs: Sequence[int]) -> None:
        foreign = set(seqs).difference(stream.own)
        stream.acked_foreign = max(foreign, default=stream.acked_foreign)
        del stream.own[: bisect_left(stream.own, seqs[-1] + 1)]

    def rewind(self, now_ms: int) -> list[Stream]:
        """The streams that waited too long for an ack, set back to their oldest unacknowledged message."""
        late = [stream for stream in self.streams.values() if stream.repush_ms <= now_ms]
        for stream in late:
            stream.position = stream.unacked[0] - 1
            stream.fall_behind()
            stream.repush_ms = now_ms + REPUSH_MS
        return late

    @property
    def next_repush_ms(self) -> int:
        """When `rewind` will have something to do."""
        return min((stream.repush_ms for stream in self.streams.values()), default=NEVER)
