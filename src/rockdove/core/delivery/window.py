"""What was pushed to a device, and has it been acknowledged (protocol §5)."""

from collections import deque
from typing import TYPE_CHECKING, Final

from rockdove.core.records import Spans
from rockdove.wire.limits import REPUSH_MS

if TYPE_CHECKING:
    from rockdove.core.registry import Inbox

NEVER: Final = 1 << 62
Early = tuple[int, bytes, int, int]  # of a message: msgid, push frame, sender (user id), device id


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
        self.unacked: deque[int] = deque()
        self.caught_up = False  # nothing lies between `position` and the end of the log: a new message may be pushed
        self.reading = False  # the log is being read from `position` on
        self.early: dict[int, Early] = {}  # by seq: came before one that precedes it, or while the log was being read
        self.acked_foreign = 0  # highest acknowledged seq that somebody else had sent
        self.repush_ms = NEVER  # when the unacknowledged ones come again

    def fall_behind(self) -> None:
        """From here on the log is read."""
        self.caught_up = False
        self.early.clear()


class Window:
    """The pushes of one session that await their ack, oldest first."""

    __slots__ = ("_pushed", "limit", "streams")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.streams: dict[int, Stream] = {}  # by conversation
        self._pushed: dict[int, tuple[Stream, int, bool]] = {}  # by msgid: the seq, and whether somebody else sent it

    @property
    def room(self) -> int:
        """How many more messages may be pushed."""
        return self.limit - len(self._pushed)

    def push(self, stream: Stream, seq: int, msgid: int, foreign: bool, now_ms: int) -> bool:
        """Note that a message is on its way. One that is being pushed again keeps its place.

        Returns whether it is the first of its stream to await an ack: `repush_ms` was set.
        """
        stream.position = seq
        if msgid in self._pushed:
            return False
        first = not stream.unacked
        if first:
            stream.repush_ms = now_ms + REPUSH_MS
        stream.unacked.append(seq)
        self._pushed[msgid] = (stream, seq, foreign)
        return first

    def skip(self, stream: Stream, seq: int) -> bool:
        """Pass over a message that the device sent itself. Returns whether the cursor moved."""
        stream.position = seq
        if stream.unacked:
            return False
        stream.cursor = max(stream.cursor, seq)
        return True

    def leap(self, stream: Stream, seq: int) -> None:
        """Go on after `seq`: what lies before it is not for this user to see."""
        stream.position = seq
        if not stream.unacked:
            stream.cursor = max(stream.cursor, seq)

    def ack(self, msgid: int, now_ms: int) -> Stream | None:
        """The device has this message and all earlier ones of its conversation. Returns the stream whose cursor moved.

        A msgid of 0 stands for the oldest unacknowledged one (protocol §3). None: it was not pushed here, or was
        acknowledged before.
        """
        pushed = self._pushed
        if not msgid:
            if not pushed:
                return None
            msgid = next(iter(pushed))
        entry = pushed.pop(msgid, None)
        if entry is None:
            return None
        stream, seq, foreign = entry
        unacked = stream.unacked
        if foreign and seq > stream.acked_foreign:
            stream.acked_foreign = seq
        if unacked[0] == seq:
            unacked.popleft()
        else:
            self._ack_through(stream, seq)
        if stream.position < seq:  # acknowledged while it was about to be pushed again
            stream.position = seq
        self._acked(stream, now_ms)
        return stream

    def give_up(self, stream: Stream, before: int, now_ms: int) -> None:
        """Await no more acks of messages with a seq below `before`. What was pushed after them waits on, as after any ack."""
        stream.position = max(stream.position, stream.unacked[-1])
        self._ack_through(stream, before - 1)
        self._acked(stream, now_ms)

    def _acked(self, stream: Stream, now_ms: int) -> None:
        unacked = stream.unacked
        stream.cursor = max(stream.cursor, unacked[0] - 1 if unacked else stream.position)
        stream.repush_ms = now_ms + REPUSH_MS if unacked else NEVER

    def _ack_through(self, stream: Stream, seq: int) -> None:
        while stream.unacked and stream.unacked[0] <= seq:
            stream.unacked.popleft()
        earlier = [msgid for msgid, entry in self._pushed.items() if entry[0] is stream and entry[1] <= seq]
        for msgid in earlier:
            _, place, foreign = self._pushed.pop(msgid)
            if foreign and place > stream.acked_foreign:
                stream.acked_foreign = place

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
