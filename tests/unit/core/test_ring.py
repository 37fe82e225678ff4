"""What one node rings, another one hears: nothing is lost on the way through bytes, and nothing strange does harm."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core import news_pb2 as news
from rockdove.core.delivery import ring as ring_module
from rockdove.core.delivery.ring import RECORD_BYTES, RING_BYTES, Ring
from rockdove.core.delivery.run import Run
from rockdove.core.errors import REPLACED, StoreUnavailable
from rockdove.core.hearing import Hearing
from rockdove.core.holding import CLEARLY_MS, Holding
from rockdove.core.records import Device, Draft, single_conversation
from rockdove.core.registry import Registry
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.protocol.virtual import Clock, Journal
from tests.unit.core.sessions import stands_in

GROUP, TALK = 7, single_conversation(1, 2)
Call = tuple[Any, ...]


class Bus:
    """Keeps what was rung."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, bytes]] = []

    def ring(self, topic: str, data: bytes) -> None:
        self.rung.append((topic, data))


class Recorder:
    """Stands for fan-out, presence and typing: keeps which of their methods were called."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fault = False

    def __getattr__(self, name: str) -> Callable[..., Iterable[None]]:
        def call(*arguments: Any, **named: Any) -> Iterable[None]:
            if self.fault:
                raise KeyError(name)
            self.calls.append((name, *(_plain(argument) for argument in arguments), *named.values()))
            return ()

        return call


def _plain(argument: Any) -> Any:
    if isinstance(argument, Draft):
        return argument.seq, argument.msgid, argument.record
    if isinstance(argument, Run):
        return argument.conversation, argument.first, *argument.msgids, argument.sender, argument.device, argument.frames
    if isinstance(argument, (list, tuple)) or hasattr(argument, "append"):
        return [_plain(each) for each in argument]
    return argument


class Lane:
    """The only lane of all users; a test says when its commits have returned."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Exception | None], None]] = []

    def of(self, _: int) -> "Lane":
        return self

    def write_cursors_of(self, user: int) -> None:
        """They are part of what the commits hold."""

    def then(self, call: Callable[[Exception | None], None]) -> None:
        self.waiting.append(call)

    def commits_return(self) -> None:
        while self.waiting:
            self.waiting.pop()(None)


class Devices:
    """A store in which the device has this login."""

    login = 5
    away = False

    async def device(self, *_: object) -> Device:
        if self.away:
            raise StoreUnavailable("the database is away")
        return Device(1, 0, 0, self.login, 2)


class Nodes:
    """A ring on one node, and the hearing of another."""

    def __init__(self) -> None:
        self.journal, self.bus, self.heard = Journal(), Bus(), Recorder()
        self.clock = Clock(self.journal.fault)
        self.registry = Registry()
        self.ring = Ring(self.bus, self.clock)  # type: ignore[arg-type]
        fanout: Any = self.heard
        self.lane = Lane()
        lanes: Any = self.lane
        self.store = Devices()
        store: Any = self.store
        self.holding = Holding(store, self.registry, fanout, self.clock)
        self.hearing = Hearing(self.registry, fanout, fanout, fanout, lanes, self.holding, self.clock, self.journal)

    def carry(self) -> list[str]:
        """Have all that was rung heard; the topics."""
        self.clock.settle()
        rung, self.bus.rung = self.bus.rung, []
        for topic, data in rung:
            self.hearing.ring(topic, data)
        return [topic for topic, _ in rung]

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def stored(conversation: int, seq: int, record: bytes, version: int = 0) -> Draft:
    draft = Draft(1, conversation, 3, b"", 5, 6, b"", None)
    draft.seq, draft.msgid, draft.record, draft.group_version = seq, seq << 40, record, version
    return draft


# ---------------------------------------------------------------- messages


@given(
    messages=st.lists(st.tuples(st.sampled_from([GROUP, TALK]), st.binary(min_size=1, max_size=300)), max_size=8),
    version=st.integers(0, 1 << 40),
)
def test_messages_are_heard_as_they_were_stored_and_in_order(messages: Sequence[tuple[int, bytes]], version: int) -> None:
    nodes = Nodes()
    for seq, (conversation, record) in enumerate(messages, 1):
        nodes.ring.message(stored(conversation, seq, record, version))
    nodes.carry()
    for conversation, copies in ((GROUP, 1), (TALK, 2)):  # both users of a single chat may be there
        told = [call for call in nodes.heard.calls if call[1][0] == conversation]
        sent = [
            ("push", (of, seq, seq << 40, 3, 5, codec.push(record, seq << 40)), version, nodes.now_ms)
            for seq, (of, record) in enumerate(messages, 1)
            if of == conversation
        ]
        assert sorted(told) == sorted(sent * copies)
        assert [call for call in told if call in sent][: len(sent)] == sent


def test_one_ring_per_topic_and_turn(nodes: Nodes) -> None:
    for seq in range(1, 10):
        nodes.ring.message(stored(TALK, seq, b"record"))
        nodes.ring.message(stored(GROUP, seq, b"record"))
    assert sorted(nodes.carry()) == ["group.7", "user.1", "user.2"]
    assert nodes.carry() == []
    assert nodes.ring.sent == 3


def test_a_long_record_is_not_told_but_read(nodes: Nodes) -> None:
    nodes.ring.message(stored(GROUP, 1, b"x" * (RECORD_BYTES + 1)))
    nodes.carry()
    assert nodes.heard.calls == [("owe", GROUP, 1)]


def test_a_reminder_is_heard_by_all_who_may_lack_something(nodes: Nodes) -> None:
    nodes.ring.reminder(stored(TALK, 4, b"record"))
    nodes.ring.reminder(stored(GROUP, 9, b"record"))
    assert sorted(nodes.carry()) == ["group.7", "user.1", "user.2"]
    assert sorted(nodes.heard.calls) == [("owe", GROUP, 9), ("owe", TALK, 4), ("owe", TALK, 4)]


def test_what_does_not_fit_into_one_ring_takes_several(nodes: Nodes) -> None:
    for seq in range(1, 41):
        nodes.ring.message(stored(GROUP, seq, b"x" * RECORD_BYTES))
    nodes.clock.settle()
    assert len(nodes.bus.rung) > 1
    assert all(len(data) <= RING_BYTES for _, data in nodes.bus.rung)
    nodes.carry()
    assert [call[1][1] for call in nodes.heard.calls] == list(range(1, 41))


# ---------------------------------------------------------------- groups, people, sessions


def test_change_of_a_group_is_heard_by_the_group_and_by_whoever_came(nodes: Nodes) -> None:
    notice = stored(GROUP, 4, b"notice")
    nodes.ring.group_change(GROUP, 9, [1, 2], [3], [notice])
    assert sorted(nodes.carry()) == ["group.7", "user.1", "user.2"]
    whole, first, second = nodes.heard.calls
    assert whole == ("group_change", GROUP, 9, [1, 2], [3], [(4, 4 << 40, b"notice")], nodes.now_ms)
    assert [first, second] == [("group_change", GROUP, 9, [user], [], [], nodes.now_ms) for user in (1, 2)]


def test_a_long_notice_is_read(nodes: Nodes) -> None:
    nodes.ring.group_change(GROUP, 9, [], [], [stored(GROUP, 4, b"x" * (RECORD_BYTES + 1))])
    nodes.carry()
    assert nodes.heard.calls == [("group_change", GROUP, 9, [], [], [], nodes.now_ms), ("owe", GROUP, 4)]


def test_news_reach_those_whom_they_are_for(nodes: Nodes) -> None:
    state = pb.PresenceState(user="alice", state=pb.Presence.AWAY)
    nodes.ring.to_user(1, b"frame", 5)
    nodes.ring.to_conversation(GROUP, b"frame", 5, 3)
    nodes.ring.to_conversation(TALK, b"frame", 5, 0)
    nodes.ring.sight(1, TALK)
    nodes.ring.end_session(1, "phone", pb.KICKED, "out")
    nodes.ring.presence(1, [2], state, 4)
    nodes.ring.relation(1, 2, "alice", visible=True)
    nodes.ring.typing(TALK, 1, 2, state, 0)
    assert sorted(nodes.carry()) == ["group.7", "user.1", "user.2"]
    assert sorted(nodes.heard.calls, key=str) == sorted(
        [
            ("to_user_here", 1, b"frame", 5),
            ("to_conversation_here", GROUP, b"frame", 5, 3),
            ("to_user_here", 1, b"frame", 5),
            ("to_user_here", 2, b"frame", 5),
            ("look_again", 1, TALK),
            ("end_session_here", 1, "phone", pb.KICKED, "out"),
            ("heard", 1, [2], state, 4),
            ("relate", 1, 2, "alice", True),
            ("heard", TALK, 1, state, 0),
        ],
        key=str,
    )


# ---------------------------------------------------------------- what does no harm


@given(st.binary(max_size=60))
def test_nonsense_is_passed_over(data: bytes) -> None:
    nodes = Nodes()
    nodes.hearing.ring("user.1", data)
    nodes.hearing.question("nodes", data, lambda _: None)


def test_kinds_of_a_newer_version_are_passed_over_and_the_rest_is_heard(nodes: Nodes) -> None:
    newer = b"\x9a\x3f\x02hi"  # field 1011 of an Item
    known = news.Item(sight=news.Sight(user=1, conversation=GROUP)).SerializeToString()
    data = b"".join(ring_module._field(item) for item in (newer, known, newer))
    nodes.hearing.ring("user.1", data)
    assert nodes.heard.calls == [("look_again", 1, GROUP)]
    assert not nodes.journal.faults
    nodes.hearing.question("nodes", newer, lambda _: pytest.fail("what is not understood gets no answer"))


def test_a_fault_with_one_item_costs_nothing_else(nodes: Nodes) -> None:
    nodes.heard.fault = True
    nodes.ring.sight(1, GROUP)
    nodes.carry()
    assert nodes.journal.faults
    nodes.journal.faults.clear()
    nodes.heard.fault = False
    nodes.ring.sight(1, GROUP)
    nodes.carry()
    assert nodes.heard.calls == [("look_again", 1, GROUP)]


# ---------------------------------------------------------------- questions


class Session:
    """A session that can be ended."""

    def __init__(self, login: int, connected_ms: int = 0) -> None:
        self.user, self.login, self.device_name, self.ended = 1, login, "phone", list[tuple[int, str]]()
        self.connected_ms = connected_ms
        self.live, self.arriving = bool(login), not login

    def end(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))


@stands_in
def test_an_older_session_is_ended_and_its_end_is_told_when_all_of_it_is_stored(nodes: Nodes) -> None:
    session: Any = Session(login=4)
    nodes.registry.add(session, 1, "alice")
    answers: list[bytes] = []
    ask(nodes, news.Question(replace=news.Replace(user=1, device="phone", login=5)), answers)
    assert session.ended == [(pb.REPLACED, REPLACED)]
    assert answers == []
    nodes.lane.commits_return()
    assert answers == [b""]


@stands_in
@pytest.mark.parametrize(("login", "away", "ended"), [(4, False, False), (5, False, True), (4, True, True)])
def test_a_session_is_ended_only_if_the_store_knows_of_a_newer_login_as_a_question_may_come_late(
    nodes: Nodes, login: int, away: bool, ended: bool
) -> None:
    session: Any = Session(login=4)
    nodes.registry.add(session, 1, "alice")
    nodes.store.login, nodes.store.away = login, away
    answers: list[bytes] = []
    ask(nodes, news.Question(replace=news.Replace(user=1, device="phone", login=5)), answers)
    nodes.lane.commits_return()
    assert (bool(session.ended), answers) == (ended, [b""])


def test_of_a_session_that_is_gone_already_all_is_stored_before_the_answer(nodes: Nodes) -> None:
    answers: list[bytes] = []
    ask(nodes, news.Question(replace=news.Replace(user=1, device="phone", login=5)), answers)
    assert answers == []
    nodes.lane.commits_return()
    assert answers == [b""]


@stands_in
@pytest.mark.parametrize(("device", "login"), [("phone", 4), ("phone", 3), ("laptop", 9)])
def test_a_newer_session_and_another_device_stay(nodes: Nodes, device: str, login: int) -> None:
    session: Any = Session(login=4)
    nodes.registry.add(session, 1, "alice")
    answers: list[bytes] = []
    ask(nodes, news.Question(replace=news.Replace(user=1, device=device, login=login)), answers)
    nodes.lane.commits_return()
    assert (session.ended, answers) == ([], [b""])


@stands_in
@pytest.mark.parametrize(("login", "waited_ms", "stays"), [(4, 11, True), (4, 10, False), (0, 11, True), (0, 10, False)])
def test_a_session_of_a_clearly_newer_connect_stays_also_while_it_logs_in(
    nodes: Nodes, login: int, waited_ms: int, stays: bool
) -> None:
    session: Any = Session(login, connected_ms=nodes.now_ms - 10)
    if session.live:
        nodes.registry.add(session, 1, "alice")
    else:
        nodes.registry.opens(session)
    answers: list[bytes] = []
    ask(nodes, news.Question(replace=news.Replace(user=1, device="phone", login=5, waited_ms=waited_ms + CLEARLY_MS)), answers)
    nodes.lane.commits_return()
    assert [news.Answer.FromString(answer).held for answer in answers] == [stays]
    assert bool(session.ended) == (session.live and not stays)


@stands_in
def test_a_node_says_whether_a_device_is_there_or_logs_in_there(nodes: Nodes) -> None:
    held = []
    question = news.Question(holds=news.Holds(user=1, device="phone", waited_ms=nodes.now_ms))
    ask(nodes, question, held)
    arriving: Any = Session(login=0)
    nodes.registry.opens(arriving)
    ask(nodes, question, held)
    arriving.arriving = False
    ask(nodes, question, held)
    live: Any = Session(login=1)
    nodes.registry.add(live, 1, "alice")
    ask(nodes, question, held)
    assert [news.Answer.FromString(answer).held for answer in held] == [False, True, False, True]


@stands_in
@pytest.mark.parametrize(("waited_ms", "counts"), [(0, False), (1, True), (10_000, True)])
def test_one_of_a_clearly_older_connect_does_not_count(nodes: Nodes, waited_ms: int, counts: bool) -> None:
    held: list[bytes] = []
    session: Any = Session(login=1, connected_ms=nodes.now_ms - CLEARLY_MS)
    nodes.registry.add(session, 1, "alice")
    ask(nodes, news.Question(holds=news.Holds(user=1, device="phone", waited_ms=waited_ms)), held)
    assert [news.Answer.FromString(answer).held for answer in held] == [counts]


def ask(nodes: Nodes, question: news.Question, answers: list[bytes]) -> None:
    nodes.hearing.question("node.1", question.SerializeToString(), answers.append)
