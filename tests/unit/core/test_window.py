"""The window against the shortest model of protocol §5 Ack and Window."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rockdove.core.delivery.window import NEVER, Stream, Window
from rockdove.core.records import EVERYTHING
from rockdove.core.registry import Inbox
from rockdove.wire.limits import REPUSH_MS

LIMIT = 5
CONVERSATIONS = (11, 22, 33)


class WindowMachine(RuleBasedStateMachine):
    """Messages by (conversation, seq); a msgid is 1000 times the conversation and the seq."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(LIMIT)
        inbox = Inbox(1, "bob")
        self.streams = {c: Stream(inbox, 7, c, 0, EVERYTHING, hides=False) for c in CONVERSATIONS}
        self.window.streams.update(self.streams)
        self.last = dict.fromkeys(CONVERSATIONS, 0)
        self.unacked: list[tuple[int, int]] = []
        self.own: set[tuple[int, int]] = set()
        self.pushed_once: set[tuple[int, int]] = set()
        self.now_ms = 1_000

    conversations = st.sampled_from(CONVERSATIONS)

    @rule(conversation=conversations, foreign=st.booleans())
    def next_message(self, conversation: int, foreign: bool) -> None:
        """The next of the log, pushed again after a rewind."""
        stream = self.streams[conversation]
        seq = stream.position + 1
        if (conversation, seq) in self.own:
            self.window.skip(stream, seq)
            return
        again = (conversation, seq) in self.unacked
        if not again and self.window.room <= 0:
            return
        before = [place for place in self.unacked if place[0] == conversation]
        first = self.window.push(stream, seq, conversation * 1000 + seq, foreign, self.now_ms)
        assert first == (not before)
        if not again:
            self.unacked.append((conversation, seq))
            self.last[conversation] = max(self.last[conversation], seq)
        self.pushed_once.add((conversation, seq))

    @rule(conversation=conversations)
    def own_message(self, conversation: int) -> None:
        stream = self.streams[conversation]
        if stream.position == self.last[conversation]:
            seq = self.last[conversation] = stream.position + 1
            self.own.add((conversation, seq))
            moved = self.window.skip(stream, seq)
            assert moved == (not any(place[0] == conversation for place in self.unacked))

    @rule(conversation=conversations, by=st.integers(1, 5))
    def leap(self, conversation: int, by: int) -> None:
        """What follows is not for this user to see."""
        stream = self.streams[conversation]
        if stream.position == self.last[conversation]:
            self.own.update((conversation, stream.position + n) for n in range(1, by + 1))
            self.last[conversation] += by
            self.window.leap(stream, self.last[conversation])

    @precondition(lambda self: self.unacked)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        conversation, seq = data.draw(st.sampled_from(self.unacked))
        self._acked(self.window.ack(conversation * 1000 + seq, self.now_ms), conversation, seq)

    @rule()
    def ack_the_oldest(self) -> None:
        stream = self.window.ack(0, self.now_ms)
        if self.unacked:
            self._acked(stream, *self.unacked[0])
        else:
            assert stream is None

    def _acked(self, stream: Stream | None, conversation: int, seq: int) -> None:
        assert stream is self.streams[conversation]
        self.unacked = [place for place in self.unacked if place[0] != conversation or place[1] > seq]

    @precondition(lambda self: self.unacked)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The log has lost what the device acknowledged elsewhere; what follows was pushed, and is not due."""
        conversation, seq = data.draw(st.sampled_from(self.unacked))
        stream = self.streams[conversation]
        self.window.give_up(stream, seq + 1, self.now_ms)
        self._acked(stream, conversation, seq)
        assert stream.position >= max((seq for of, seq in self.unacked if of == conversation), default=seq)

    @rule(msgid=st.integers(1, 10**6))
    def ack_of_something_else(self, msgid: int) -> None:
        if divmod(msgid, 1000) not in self.unacked:
            assert self.window.ack(msgid, self.now_ms) is None

    @rule(ms=st.sampled_from([1, 1_000, REPUSH_MS - 1, REPUSH_MS]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms
        for stream in self.window.rewind(self.now_ms):
            oldest = min(seq for conversation, seq in self.unacked if conversation == stream.conversation)
            assert stream.position == oldest - 1
            assert not stream.caught_up
            assert stream.repush_ms == self.now_ms + REPUSH_MS

    @invariant()
    def no_more_than_the_limit(self) -> None:
        assert self.window.room == LIMIT - len(self.unacked) >= 0

    @invariant()
    def the_cursor_is_before_the_oldest_unacknowledged(self) -> None:
        for conversation, stream in self.streams.items():
            unacked = [seq for of, seq in self.unacked if of == conversation]
            assert list(stream.unacked) == unacked
            if unacked:
                assert stream.cursor == unacked[0] - 1
                assert self.now_ms <= stream.repush_ms <= self.now_ms + REPUSH_MS
            else:
                assert stream.repush_ms == NEVER
                assert stream.cursor <= self.last[conversation]
                assert all((conversation, seq) in self.own for seq in range(stream.cursor + 1, self.last[conversation] + 1))

    @invariant()
    def the_next_repush_is_known(self) -> None:
        assert self.window.next_repush_ms == min(stream.repush_ms for stream in self.streams.values())


TestWindow = WindowMachine.TestCase


def test_the_highest_acknowledged_message_of_somebody_else_is_known() -> None:
    window = Window(10)
    stream = Stream(Inbox(1, "bob"), 7, 11, 0, EVERYTHING, hides=False)
    window.streams[11] = stream
    for seq, foreign in enumerate([True, True, False, False], 1):
        window.push(stream, seq, seq * 100, foreign, 0)
    window.ack(400, 0)
    assert stream.acked_foreign == 2
    assert stream.cursor == 4
