"""The window against the shortest model of protocol §5 Ack and Window."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rockdove.core.delivery.window import NEVER, Stream, Window
from rockdove.core.records import EVERYTHING
from rockdove.core.registry import Inbox
from rockdove.wire.limits import REPUSH_MS

LIMIT = 5
CONVERSATIONS = (11, 22, 33)


def msgid_of(conversation: int, seq: int) -> int:
    return conversation * 1000 + seq


class WindowMachine(RuleBasedStateMachine):
    """Messages by (conversation, seq)."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(LIMIT)
        inbox = Inbox(1, "bob")
        self.streams = {c: Stream(inbox, 7, c, 0, EVERYTHING, hides=False) for c in CONVERSATIONS}
        for stream in self.streams.values():
            self.window.open(stream)
        self.last = dict.fromkeys(CONVERSATIONS, 0)
        self.unacked: list[tuple[int, int]] = []
        self.passed: set[tuple[int, int]] = set()  # sent by this device, or not for its user to see
        self.foreign: dict[tuple[int, int], bool] = {}  # sent by somebody else
        self.acked_foreign = dict.fromkeys(CONVERSATIONS, 0)
        self.now_ms = 1_000

    conversations = st.sampled_from(CONVERSATIONS)

    @rule(conversation=conversations, foreign=st.lists(st.booleans(), min_size=1, max_size=4))
    def next_messages(self, conversation: int, foreign: list[bool]) -> None:
        """The next of the log, together; after a rewind first those that were pushed before."""
        stream = self.streams[conversation]
        seqs: list[int] = []
        own: list[int] = []
        room = self.window.room
        for seq, is_foreign in enumerate(foreign, stream.position + 1):
            again = (conversation, seq) in self.unacked
            if (conversation, seq) in self.passed or (not again and room <= 0):
                break
            room -= not again
            seqs.append(seq)
            if not self.foreign.setdefault((conversation, seq), is_foreign):
                own.append(seq)
        if not seqs:
            if (conversation, stream.position + 1) in self.passed:
                self.window.skip(stream, stream.position + 1)
            return
        before = [place for place in self.unacked if place[0] == conversation]
        first = self.window.push(stream, seqs, [msgid_of(conversation, seq) for seq in seqs], own, self.now_ms)
        assert first == (not before)
        assert stream.position == seqs[-1]
        self.unacked += [(conversation, seq) for seq in seqs if (conversation, seq) not in self.unacked]
        self.last[conversation] = max(self.last[conversation], seqs[-1])

    @rule(conversation=conversations)
    def own_message(self, conversation: int) -> None:
        stream = self.streams[conversation]
        if stream.position == self.last[conversation]:
            seq = self.last[conversation] = stream.position + 1
            self.passed.add((conversation, seq))
            moved = self.window.skip(stream, seq)
            assert moved == (not any(place[0] == conversation for place in self.unacked))

    @rule(conversation=conversations, by=st.integers(1, 5))
    def leap(self, conversation: int, by: int) -> None:
        """What follows is not for this user to see."""
        stream = self.streams[conversation]
        if stream.position == self.last[conversation]:
            self.passed.update((conversation, stream.position + n) for n in range(1, by + 1))
            self.last[conversation] += by
            self.window.leap(stream, self.last[conversation])

    @precondition(lambda self: self.unacked)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        conversation, seq = data.draw(st.sampled_from(self.unacked))
        stream = self.window.awaited[msgid_of(conversation, seq)]
        assert stream is self.streams[conversation]
        self.window.ack(stream, msgid_of(conversation, seq), self.now_ms)
        self._acked(conversation, seq)

    def _acked(self, conversation: int, seq: int) -> None:
        acked = [place for place in self.unacked if place[0] == conversation and place[1] <= seq]
        self.unacked = [place for place in self.unacked if place not in acked]
        self.acked_foreign[conversation] = max(
            [self.acked_foreign[conversation], *(place[1] for place in acked if self.foreign[place])]
        )

    @precondition(lambda self: self.unacked)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The log has lost what the device acknowledged elsewhere; what follows was pushed, and is not due."""
        conversation, seq = data.draw(st.sampled_from(self.unacked))
        stream = self.streams[conversation]
        self.window.give_up(stream, seq + 1, self.now_ms)
        self._acked(conversation, seq)
        assert stream.position >= max((seq for of, seq in self.unacked if of == conversation), default=seq)

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
    def what_awaits_its_ack_is_found_by_msgid_oldest_first(self) -> None:
        assert list(self.window.awaited) == [msgid_of(*place) for place in self.unacked]

    @invariant()
    def the_cursor_is_before_the_oldest_unacknowledged(self) -> None:
        for conversation, stream in self.streams.items():
            unacked = [seq for of, seq in self.unacked if of == conversation]
            assert stream.unacked == unacked
            assert stream.msgids == [msgid_of(conversation, seq) for seq in unacked]
            assert stream.own == [seq for seq in unacked if not self.foreign[conversation, seq]]
            assert stream.acked_foreign == self.acked_foreign[conversation]
            if unacked:
                assert stream.cursor == unacked[0] - 1
                assert self.now_ms <= stream.repush_ms <= self.now_ms + REPUSH_MS
            else:
                assert stream.repush_ms == NEVER
                assert stream.cursor <= self.last[conversation]
                assert all((conversation, seq) in self.passed for seq in range(stream.cursor + 1, self.last[conversation] + 1))

    @invariant()
    def the_next_repush_is_known(self) -> None:
        assert self.window.next_repush_ms == min(stream.repush_ms for stream in self.streams.values())


TestWindow = WindowMachine.TestCase


def test_a_message_that_the_user_may_see_only_now_takes_its_place_among_those_that_come_again() -> None:
    window = Window(10)
    stream = Stream(Inbox(1, "bob"), 7, 11, 0, EVERYTHING, hides=False)
    window.open(stream)
    window.push(stream, [1], [100], [], 0)
    window.leap(stream, 2)
    window.push(stream, [3, 4], [300, 400], [4], 0)
    window.rewind(0)
    window.push(stream, [1, 2, 3, 4, 5], [100, 200, 300, 400, 500], [2, 4], 0)
    assert stream.unacked == [1, 2, 3, 4, 5]
    assert stream.msgids == [100, 200, 300, 400, 500]
    assert stream.own == [2, 4]
    window.ack(stream, 200, 0)
    assert (stream.cursor, stream.acked_foreign, window.room) == (2, 1, 7)
