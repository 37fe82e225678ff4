"""Drives a store and the model side by side, and compares all that can be read."""

from asyncio import Runner
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rockdove.core.errors import StoreUnavailable
from rockdove.core.msgid import MsgidSource, first_msgid
from rockdove.core.ports import Store
from rockdove.core.records import Batch, Draft, DraftRun, MoveRead, User, single_conversation
from tests.contract.backends import AT_COMMIT, TENANTS, Backend
from tests.contract.changes import change_of
from tests.contract.model import Device, Model, draft_of

START_MS: Final = 1_750_000_000_000
EVERYTHING: Final = 1_000_000  # a limit that is never reached
USERS: Final = [name for names in TENANTS.values() for name in names]
PAIRS: Final = [(one, other) for names in TENANTS.values() for one in names for other in names]
DEVICES: Final = ["", "phone", "laptop"]

seqids = st.one_of(
    st.just(0),
    st.integers(1, 6),  # retries and conflicts
    st.sampled_from([(1 << 63) - 1, 1 << 63, (1 << 64) - 1]),
    st.integers(1, (1 << 64) - 1),
)
breakdowns = st.one_of(st.just(AT_COMMIT), st.integers(0, 25))


class Sending(NamedTuple):
    """One message of a batch."""

    pair: tuple[str, str]
    device: str
    seqid: int
    words: str


sendings = st.builds(
    Sending, st.sampled_from(PAIRS), st.sampled_from(DEVICES[:2]), seqids, st.sampled_from(["one", "two", "three"])
)


def commit(store: Store, batch: Batch) -> Exception | None:
    """Commit, and wait for what `done` is told."""
    told: list[Exception | None] = []
    store.commit(batch, told.append)
    (error,) = told
    return error


class SendingRun(NamedTuple):
    """Texts in a row of a batch."""

    pair: tuple[str, str]
    device: str
    seqids: list[int]
    words: str


rising = st.builds(lambda first, count: list(range(first, first + count)), st.integers(1, 12), st.integers(2, 5))
sending_runs = st.builds(
    SendingRun,
    st.sampled_from(PAIRS),
    st.sampled_from(DEVICES[:2]),
    st.one_of(rising, st.lists(seqids.filter(bool), min_size=2, max_size=4)),
    st.sampled_from(["one", "two", "three"]),
)


class StoreMachine(RuleBasedStateMachine):
    """Random commits, reads, cuts and restarts of one store."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        super().__init__()
        self.backend = make_backend()
        self.runner = Runner()
        self.users: dict[str, User] = {}
        self.devices: dict[tuple[str, str], Device] = {}
        self.now_ms = START_MS
        self.msgids = MsgidSource(0, first_msgid(START_MS))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @property
    def store(self) -> Store:
        return self.backend.store

    @initialize()
    def begin(self) -> None:
        accounts = self.backend.accounts
        retention_days = {}
        for tenant in self.run(accounts.tenants()):
            retention_days[tenant.id] = tenant.retention_days
            self.users |= {user.name: user for user in self.run(accounts.users(tenant.id, "", EVERYTHING))}
        self.model = Model(self.users.values(), retention_days)
        self.epoch = self.store.epoch

    def teardown(self) -> None:
        self.runner.close()
        self.backend.close()

    # -- what changes

    @rule(user=st.sampled_from(USERS), name=st.sampled_from(DEVICES), later_ms=st.integers(1, 1000))
    def log_in(self, user: str, name: str, later_ms: int) -> None:
        self.now_ms += later_ms
        self._device(user, name)

    def _device(self, user: str, name: str) -> Device:
        """The device, which must be there before anything is stored for it."""
        opened = self.run(self.store.open_device(self.users[user].id, name, "test", self.now_ms))
        device = self.devices.get((user, name))
        if device is None:
            assert opened.id not in {other.id for other in self.devices.values()}
            device = self.devices[user, name] = Device(opened.id, self.users[user].id, name)
            self.model.open_device(device, self.now_ms)
        assert (opened.id, opened.last_seqid) == (device.id, self.model.last_seqids.get(device.id, 0))
        return device

    @rule(
        runs=st.lists(sending_runs, max_size=3, unique_by=lambda run: (run.pair[0], run.device)),
        sendings=st.lists(sendings, max_size=6),
        marks=st.lists(st.tuples(st.sampled_from(PAIRS), st.sampled_from(DEVICES), st.integers(0, 100)), max_size=3),
        reads=st.lists(st.tuples(st.sampled_from(PAIRS), st.integers(0, 100)), max_size=2),
        breakdown=st.one_of(st.none(), st.tuples(breakdowns, st.booleans())),
    )
    def commit(
        self,
        runs: list[SendingRun],
        sendings: list[Sending],
        marks: list[tuple[tuple[str, str], str, int]],
        reads: list[tuple[tuple[str, str], int]],
        breakdown: tuple[int, bool] | None,
    ) -> None:
        batch = Batch()
        self.now_ms += 1
        for pair, name, numbers, words in runs:
            drafts = [self._draft(Sending(pair, name, seqid, words)) for seqid in numbers]
            batch.runs.append(DraftRun(drafts[0], numbers, [draft.body for draft in drafts]))
        batch.messages += map(self._draft, sendings)
        for pair, name, percent in marks:
            device = self._device(pair[0], name)
            batch.seen.add(device.id)
            if last := self._last_seq(pair):
                batch.cursors[device.id, self._conversation(pair)] = last * percent // 100
        for pair, percent in reads:
            if last := self._last_seq(pair):
                read = MoveRead(self.users[pair[0]].id, self._conversation(pair), last * percent // 100)
                batch.changes.append((len(batch.messages), change_of(read)))
        batch.number(self.msgids)
        batch.now_ms = self.now_ms
        with self.backend.failing(breakdown[0], rolled_back=breakdown[1]) if breakdown else nullcontext():
            error = commit(self.store, batch)
        if error is None:
            self.model.commit(batch)
        else:
            assert breakdown
            assert isinstance(error, StoreUnavailable)

    def _draft(self, sending: Sending) -> Draft:
        (sender, receiver), name, seqid, words = sending
        return draft_of(self.users[sender], self._device(sender, name).id, seqid, self.users[receiver], words)

    def _conversation(self, pair: tuple[str, str]) -> int:
        return single_conversation(self.users[pair[0]].id, self.users[pair[1]].id)

    def _last_seq(self, pair: tuple[str, str]) -> int:
        log = self.model.logs.get(self._conversation(pair))
        return log.last.seq if log else 0

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.backend.restart(clean=clean)

    @precondition(lambda self: self.model.logs)
    @rule(data=st.data(), limit=st.integers(1, 5), breakdown=breakdowns)
    def cut(self, data: st.DataObject, limit: int, breakdown: int) -> None:
        conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
        log = self.model.logs[conversation]
        through = data.draw(st.integers(0, log.last.seq))
        older_than = data.draw(st.sampled_from([1 << 62, *(message.msgid for message in log.messages)]))
        try:
            with self.backend.failing(breakdown, rolled_back=False):
                count = self.run(self.store.cut(conversation, through, older_than, limit))
        except StoreUnavailable:
            return
        assert 0 <= count <= min(limit, self.model.may_cut(conversation, through, older_than))
        log.kept_after += count

    @rule(back=st.integers(0, 20), breakdown=breakdowns)
    def forget_requests(self, back: int, breakdown: int) -> None:
        (msgid,) = self.msgids.run(1, 0)
        older_than = msgid - back * 1024
        try:
            with self.backend.failing(breakdown, rolled_back=False):
                self.run(self.store.forget_requests(older_than, EVERYTHING))
        except StoreUnavailable:
            return
        self.model.forget_requests(older_than)

    # -- what is read

    @precondition(lambda self: self.model.logs)
    @rule(data=st.data(), limit=st.integers(1, 5))
    def read_a_part(self, data: st.DataObject, limit: int) -> None:
        conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
        log = self.model.logs[conversation]
        after, before = data.draw(st.integers(0, log.last.seq + 2)), data.draw(st.integers(0, log.last.seq + 2))
        below = [message for message in log.kept if not before or message.seq < before]
        above = [message for message in below if message.seq > after]
        assert list(self.run(self.store.messages(conversation, after, before, limit))) == above[:limit]
        assert list(self.run(self.store.newest(conversation, before, limit))) == below[-limit:]

    @precondition(lambda self: self.devices)
    @rule(data=st.data(), limit=st.integers(1, 3))
    def page_through_conversations(self, data: st.DataObject, limit: int) -> None:
        device = self.devices[data.draw(st.sampled_from(sorted(self.devices)))]
        wanted = self.model.summaries(device)
        before = None
        for start in range(0, len(wanted) + 1, limit):
            page = list(self.run(self.store.summaries(device.user, device.id, before, limit)))
            assert page == wanted[start : start + limit]
            if page:
                before = (page[-1].last_msgid, page[-1].conversation)

    @rule(unseen_ms=st.integers(0, 3000), limit=st.integers(1, 3), breakdown=st.one_of(st.none(), breakdowns))
    def page_through_spans(self, unseen_ms: int, limit: int, breakdown: int | None) -> None:
        since_ms, after = self.now_ms - unseen_ms, 0
        wanted = self.model.spans(since_ms)
        for start in range(0, len(wanted) + 1, limit):
            try:
                with self.backend.failing(breakdown, rolled_back=False) if breakdown is not None else nullcontext():
                    page = list(self.run(self.store.spans(after, since_ms, limit)))
            except StoreUnavailable:
                return
            expected = wanted[start : start + limit]
            assert [span.conversation for span in page] == [span.conversation for span in expected]
            for span, exact in zip(page, expected, strict=True):
                assert span.last_seq <= exact.last_seq  # very new messages may not be seen yet
                assert span.acked_by_all == min(exact.acked_by_all, span.last_seq)
                assert (span.retention_days, span.first_seq) == (exact.retention_days, exact.first_seq)
                assert span.everyone_has_device == exact.everyone_has_device
                after = span.conversation

    @invariant()
    def store_and_model_agree(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        store, model = self.store, self.model
        assert (store.epoch, store.last_msgid) == (self.epoch, model.last_msgid)
        for conversation, log in model.logs.items():
            assert list(await store.messages(conversation, 0, 0, EVERYTHING)) == log.kept
            assert await store.last_seq(conversation) == log.last.seq
        for device in model.devices:
            assert list(await store.owed(device.user, device.id)) == model.owed(device)
            assert list(await store.summaries(device.user, device.id, None, EVERYTHING)) == model.summaries(device)
            for conversation in model.conversations(device.user):
                assert await store.position(device.user, device.id, conversation) == model.position(device, conversation)
                assert await store.read_seq(device.user, conversation) == model.reads.get((device.user, conversation), 0)
        for one, other in PAIRS:
            if (conversation := self._conversation((one, other))) not in model.logs:
                assert await store.last_seq(conversation) == 0
                assert await store.messages(conversation, 0, 0, EVERYTHING) == []
