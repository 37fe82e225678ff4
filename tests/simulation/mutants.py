"""Bugs that others had, planted into the server. Each must be caught."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy, deepcopy
from typing import Any, Final
from unittest import mock

from rockdove.core.cluster import Cluster
from rockdove.core.commit import GroupCommit
from rockdove.core.delivery import backlog
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.outbound import Outbound
from rockdove.core.delivery.run import Run
from rockdove.core.delivery.window import Stream, Window
from rockdove.core.dispatch import Dispatch
from rockdove.core.errors import StoreUnavailable
from rockdove.core.neighbours import Neighbours
from rockdove.core.records import OPEN, Batch, Change, Draft, Member
from rockdove.core.registry import Inbox, Registry
from rockdove.core.seating import Seating
from rockdove.core.services.message import MessageService
from rockdove.core.services.pending import Pending
from rockdove.core.session import Session
from rockdove.store.memory.store import MemoryStore
from rockdove.wire import codec
from tests.simulation.disk import NodeStore

Plant = Callable[[], AbstractContextManager[object]]
MUTANTS: Final[dict[str, Plant]] = {}
STORED: Final = ("_logs", "_places", "_requests", "_groups", "_members", "_former")


def replaces(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """The bug is another version of a method, which gets the right one as its first argument."""

    def register(wrong: Callable[..., Any]) -> None:
        right = getattr(owner, name)

        def method(*arguments: Any, **options: Any) -> Any:
            return wrong(right, *arguments, **options)

        MUTANTS[wrong.__name__] = lambda: mock.patch.object(owner, name, method)

    return register


def plant(bug: Callable[[], Iterator[None]]) -> None:
    """The bug is a context manager."""
    MUTANTS[bug.__name__] = contextmanager(bug)


# ---------------------------------------------------------------- storing (protocol §4)


@plant
def acknowledged_before_it_is_durable() -> Iterator[None]:
    """What was committed last is lost in a crash."""
    commit, crash = NodeStore.commit, NodeStore.crash
    before: dict[str, Any] = {}

    def note(store: NodeStore, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        before.update({name: deepcopy(getattr(store._store, name)) for name in STORED})
        commit(store, batch, done)

    def lose(store: NodeStore) -> None:
        crash(store)
        for name, value in before.items():
            setattr(store._store, name, value)

    with mock.patch.object(NodeStore, "commit", note), mock.patch.object(NodeStore, "crash", lose):
        yield


@replaces(MemoryStore, "_store")
def retries_are_forgotten_in_a_restart(store_message: Any, store: Any, draft: Draft, may: Any) -> None:
    node = getattr(draft.origin, "_node", None)
    if getattr(store, "node", None) is not node:
        store.node = node
        store._requests.clear()
    store_message(store, draft, may)


@replaces(NodeStore, "_fail")
def failed_commit_leaves_a_hole(fail: Any, store: Any, batch: Batch, error: Exception, *, applied: bool) -> None:
    if isinstance(error, StoreUnavailable):
        for draft in batch.messages:
            if draft.conversation in store._store._logs:
                store._store._logs[draft.conversation].last_seq += 1
    fail(store, batch, error, applied=applied)


@replaces(MemoryStore, "_store")
def counter_is_read_from_what_is_left_of_the_log(store_message: Any, store: Any, draft: Draft, may: Any) -> None:
    if (log := store._logs.get(draft.conversation)) is not None:
        log.last_seq = max(log.messages, default=0)
    store_message(store, draft, may)


@replaces(GroupCommit, "_done")
def unavailable_is_taken_for_success(done: Any, commit: GroupCommit, error: Exception | None) -> None:
    done(commit, None if isinstance(error, StoreUnavailable) else error)


@replaces(MessageService, "_pass_on")
def transient_message_is_stored(
    pass_on: Any, service: Any, session: Session, conversation: int, seqid: int, body: bytes
) -> bytes:
    session.uncommitted += 1
    session.commit.send(session.draft(conversation, seqid, body, None))
    answer: bytes = pass_on(service, session, conversation, seqid, body)
    return answer


# ---------------------------------------------------------------- delivering (protocol §5)


@replaces(Outbound, "deliver")
def live_push_overtakes_the_backlog(deliver: Any, outbound: Outbound, run: Run, now_ms: int) -> None:
    stream = outbound.window.streams.get(run.conversation)
    if stream is not None and outbound.live and not outbound.paused and outbound.window.room >= len(run.msgids):
        stream.position, stream.caught_up = run.first - 1, True
    deliver(outbound, run, now_ms)


@replaces(Window, "skip")
def own_message_moves_the_cursor_over_unacknowledged_ones(_: Any, window: Window, stream: Stream, seq: int) -> bool:
    stream.position = seq
    stream.cursor = max(stream.cursor, seq)
    return True


@plant
def window_is_overrun() -> Iterator[None]:
    with mock.patch.object(Window, "room", property(lambda window: window.limit + 1 - len(window.awaited))):
        yield


@plant
def turns_have_no_limit() -> Iterator[None]:
    with mock.patch.object(backlog, "BACKLOG_TURN", 10_000):
        yield


@replaces(Outbound, "ack")
def ack_does_not_carry_the_backlog_on(ack: Any, outbound: Outbound, msgids: Sequence[int], now_ms: int) -> None:
    owed, outbound.backlog.owed = outbound.backlog.owed, {}
    ack(outbound, msgids, now_ms)
    outbound.backlog.owed = owed


@replaces(Session, "resume_writing")
def reader_that_goes_on_is_not_served(_: Any, session: Session) -> None:
    session.outbound.paused = False
    session._stalled_ms = 1 << 62
    session._regulate()


@replaces(Session, "look")
async def heartbeat_does_not_look_in_the_store(look: Callable[[Session], Awaitable[None]], session: Session) -> None:
    if not session.outbound.window.streams:  # the login
        await look(session)


@replaces(Window, "rewind")
def nothing_is_pushed_again(*_: object) -> list[Stream]:
    return []


@replaces(Outbound, "push_again")
def push_that_comes_again_skips_one(push_again: Any, outbound: Outbound, now_ms: int) -> None:
    push_again(outbound, now_ms)
    for stream in outbound.window.streams.values():
        stream.position += not stream.caught_up


@replaces(Registry, "remove")
def close_of_an_old_session_removes_the_new_one(remove: Any, registry: Registry, session: Session, user: int) -> None:
    for other in list(registry.sessions(user)):
        if other.device_name == session.device_name:
            remove(registry, other, user)


@replaces(Outbound, "deliver")
def message_is_pushed_to_the_device_that_sent_it(deliver: Any, outbound: Outbound, run: Run, now_ms: int) -> None:
    run = copy(run)
    run.device = 0 if run.device == outbound.device else run.device
    deliver(outbound, run, now_ms)


# ---------------------------------------------------------------- groups (protocol §7)


@plant
def permit_is_not_asked() -> Iterator[None]:
    with mock.patch("rockdove.store.memory.store.permitted", return_value=True):
        yield


@replaces(MemoryStore, "_append")
def permit_is_asked_before_a_retry_is_known(append: Any, store: Any, draft: Draft, may: Any) -> bool:
    return may(draft) and append(store, draft, lambda _: True)


@replaces(MemoryStore, "_put_member")
def who_joins_sees_from_after_the_notice(put_member: Any, store: Any, member: Member) -> bool:
    new = (member.conversation, member.user) not in store._members
    return put_member(store, member._replace(after_seq=member.after_seq + 1) if new else member)


@replaces(MemoryStore, "_end_member")
def who_leaves_goes_on_seeing(end_member: Any, store: Any, conversation: int, user: int, _: int) -> None:
    end_member(store, conversation, user, OPEN)


@replaces(Registry, "joined")
def who_joins_is_not_seated(_: Any, registry: Registry, users: Iterable[int], *__: int) -> list[int]:
    return [user for user in users if registry.sessions(user)]


@plant
def who_leaves_is_neither_unseated_nor_looked_at() -> Iterator[None]:
    with mock.patch.object(Registry, "parted"), mock.patch.object(Outbound, "look_again"):
        yield


@replaces(Outbound, "look_again")
def stream_is_not_read_anew(_: Any, outbound: Outbound, conversation: int) -> None:
    outbound.backlog.owe(conversation)
    outbound.touch()


@replaces(Dispatch, "_carry_out")
def change_is_answered_before_it_is_durable(_: Any, dispatch: Dispatch, session: Session, seqid: int, pending: Pending) -> None:
    session.commit.change(Change(pending.rule, lambda *_: None, notices=pending.notices))
    session.answer(codec.response(seqid))


# ---------------------------------------------------------------- several nodes


async def nothing(*_: object) -> None:
    pass


@plant
def nobody_looks_whether_it_is_still_his_to_see() -> Iterator[None]:
    """Neither at the group's version nor when the log is read. The first alone hides: the notice that he missed is a gap."""
    push_to = Fanout._push_to

    def unlooked(fanout: Fanout, members: Collection[Inbox], run: Run, _: int, now_ms: int) -> None:
        push_to(fanout, members, run, 0, now_ms)

    with mock.patch.object(Fanout, "_push_to", unlooked), mock.patch.object(backlog.Backlog, "_look_for_the_end", nothing):
        yield


@replaces(Fanout, "_news_missed")
def who_missed_news_goes_on_pushing(_: Any, fanout: Fanout, conversation: int) -> None:
    fanout.on_unknown(conversation)


@replaces(Seating, "seat_for")
async def join_that_was_missed_is_not_found(*_: object) -> None:
    pass


@replaces(Outbound, "owe_as_found")
def who_has_come_back_unnoticed_gets_nothing(_: Any, outbound: Outbound, conversation: int) -> None:
    outbound.owe(conversation)


@replaces(Outbound, "deliver")
def ring_is_trusted_across_a_gap(deliver: Any, outbound: Outbound, run: Run, now_ms: int) -> None:
    stream = outbound.window.streams.get(run.conversation)
    if stream is not None and stream.caught_up:
        stream.position = max(stream.position, run.first - 1)
    deliver(outbound, run, now_ms)


@replaces(Neighbours, "replace")
async def older_session_on_another_node_is_not_ended(*_: object) -> None:
    pass


@replaces(NodeStore, "give_back")
async def login_that_came_late_keeps_its_number(*_: object) -> None:
    pass


@replaces(Session, "_look_while_due")
async def heartbeat_does_not_recheck(_: Any, session: Session) -> None:
    session._looking = session._look_due = False
    await session.look()


@replaces(Cluster, "_look_everywhere")
def nobody_looks_after_the_bus_was_away(*_: object) -> None:
    pass


@replaces(Cluster, "_reunite")
def nobody_says_that_his_bus_was_away(_: Any, cluster: Cluster) -> None:
    cluster._look_everywhere()


@plant
def messages_of_a_connection_take_different_lanes() -> Iterator[None]:
    lane = property(lambda session: session._node.commit.of(session.user + session.uncommitted))
    with mock.patch.object(Session, "commit", lane):
        yield
