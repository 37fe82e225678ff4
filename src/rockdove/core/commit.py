"""Group commit: what this turn of the loop wants durable, then the answers (protocol §4 Durable first).

The first thing that needs it arms the end of the turn. That runs after all input of the turn was read: so an idle node
commits at once, and a busy one in large batches, without a timer. At the end every connection that has
something to say is written to once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rockdove.core.delivery.run import runs
from rockdove.core.delivery.window import Stream
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.figures import Figures
from rockdove.core.msgid import MsgidSource
from rockdove.core.ports import Log, Scheduler, Store
from rockdove.core.records import GROUPS_END, Batch, Change, Draft, DraftRun

if TYPE_CHECKING:
    from rockdove.core.delivery.outbound import Outbound

CURSOR_DELAY_MS: Final = 50  # how long an ack may wait for company; a crash in between costs a second push
CURSORS: Final = 32  # written at once when their time has come, in some 0.6 ms; others, and messages, go in the turns between
SEEN_DELAY_MS: Final = 1_000  # how long a login waits for company to be noted; a crash in between costs the note
RETRY_DELAY_MS: Final = 1_000  # before cursors are tried again on a store that could not take them
STRETCH_SECONDS: Final = 0.005  # of telling a large group, and of reading backlogs: then the loop turns before it goes on
FLUSHES: Final = 2_000  # connections written to in one turn, in some 10 ms
CHANGES: Final = 200  # in one commit, in some 15 ms where each is somebody who joins a group

Then = Callable[[Exception | None], None]  # called back once all is durable, or with the error that says it is not


class GroupCommit:
    """The one place where things become durable; of a store with several lanes, one for each."""

    def __init__(
        self, store: Store, scheduler: Scheduler, msgids: MsgidSource, log: Log, figures: Figures, lane: int = 0
    ) -> None:
        self._lane = lane
        self.figures = figures
        self._store = store
        self._scheduler = scheduler
        self._msgids = msgids
        self._log = log
        self._batch = Batch(lane)
        self._then: list[Then] = []
        self._full: deque[tuple[Batch, list[Then]]] = deque()  # collected before those two
        self._acked: dict[Stream, None] = {}  # in order: cursors that moved since they were last written
        self._seen = set[int]()  # devices that came or went, which is yet to be stored
        self._seen_timer = False
        self._cursor_timer = False  # whether they will be written later
        self._cursors_now = False  # whether they are written with this turn
        self._cursors_of = set[int]()  # users whose are
        self._refused_of = set[int]()  # users some of whose cursors the store could not take yet
        self._cursors_due = 0  # so many of them, the first ones, are written with this turn and the next ones
        self._armed = False
        self.unavailable = False  # the store refused the last batch
        self.stored = 0  # messages since the start, those of changes not counted
        self._failed = False  # the store is not to be trusted: nothing is committed, and so nothing acknowledged
        self._committing: tuple[Batch, list[Then], dict[Stream, None]] | None = None
        self._began = 0.0  # the commit that is under way
        self._news: Iterator[None] | None = None  # of it, once it is durable: what is still to be told
        self._touched: deque[Outbound] = deque()
        self.on_run: Callable[[DraftRun, int], None] = _unset  # durable: answer and fan out
        self.on_messages: Callable[[Sequence[Draft], int], None] = _unset  # the same for others; or one was refused
        self.on_change: Callable[[Change, int], Iterable[None]] = _unset  # the same for a change, with pauses
        self.on_refused: Callable[[Draft], None] = _unset  # not stored, may be tried again
        self.on_acked: Callable[[Stream], None] = _unset  # the cursor is durable
        self.on_failure: Callable[[StoreFailed], None] = _unset  # the node must stop

    @property
    def under_way(self) -> bool:
        """Whether a batch is with the store."""
        return self._committing is not None and self._news is None

    def collects_of(self, user: int) -> bool:
        """Whether something waits for its commit: anything, or cursors of this user that are not merely waiting for company."""
        return bool(self._full or self._batch) or user in self._cursors_of or user in self._refused_of

    def stop(self) -> None:
        """Commit, and so acknowledge, nothing more: the store is not to be trusted."""
        self._failed = True

    # -- what a turn collects

    def send(self, draft: Draft) -> None:
        """Have a message stored."""
        self._batch.messages.append(draft)
        if not self._armed:
            self.arm()

    def send_run(self, run: DraftRun) -> None:
        """Have messages in a row stored, of a session that has sent nothing else in this turn."""
        self._batch.runs.append(run)
        if not self._armed:
            self.arm()

    def change(self, change: Change) -> None:
        """Have a change decided and stored, after what was collected so far."""
        if len(self._batch.changes) >= CHANGES:
            self._full.append((self._batch, self._then))
            self._batch, self._then = Batch(self._lane), []
        self._batch.changes.append((len(self._batch.messages), change))
        self.arm()

    def move_cursor(self, stream: Stream) -> None:
        """Have a stream's cursor stored soon: acks of CURSOR_DELAY_MS share a write."""
        self._acked[stream] = None
        if not self._cursor_timer:
            self._write_cursors_later(CURSOR_DELAY_MS)

    def write_cursors(self) -> None:
        """Have all moved cursors stored with this turn, also those that it still moves."""
        if self._acked:
            self._cursors_now = True
            self.arm()

    def write_cursors_of(self, user: int) -> None:
        """Likewise, but only those of a user."""
        if self._acked:
            self._cursors_of.add(user)
            self.arm()

    def see(self, device: int) -> None:
        """Have it stored soon that this device is here: with the next batch, at the latest after SEEN_DELAY_MS."""
        self._seen.add(device)
        if not self._seen_timer:
            self._seen_timer = True
            self._scheduler.later(SEEN_DELAY_MS, self._seen_delay_over)

    def write_seen(self) -> None:
        """Have it stored with this turn."""
        self._batch.seen |= self._seen
        self._seen.clear()
        if self._batch.seen:
            self.arm()

    def expect(self, user: int, device_name: str, client: str) -> None:
        """Have a new device stored, so that `Store.open_device` finds it: those of a turn share its transaction."""
        self._batch.newcomers.append((user, device_name, client))
        self.arm()

    def then(self, call: Then) -> None:
        """Call back once all that was collected so far is durable, or with the error that says it is not.

        Moved cursors wait longer, unless they are to be stored with this turn.
        """
        self._then.append(call)
        self.arm()

    def touch(self, outbound: "Outbound") -> None:
        """Look at a session's way out at the end of the turn."""
        self._touched.append(outbound)
        if not self._armed:
            self.arm()

    def arm(self) -> None:
        """See to it that this turn has an end."""
        if not self._armed:
            self._armed = True
            self._scheduler.soon(self._end_turn)

    # -- the end of a turn

    def _end_turn(self) -> None:
        if self._news is not None:
            self._tell_on(self._news)
        if self._committing is None and not self._failed:
            self._commit()
        self._flush()
        self._armed = False
        self._rearm()

    def _rearm(self) -> None:
        if self._failed:
            return
        cursors = self._cursors_due or (self._acked and (self._cursors_now or self._cursors_of))
        collected = self._full or self._batch or self._then or cursors
        if self._touched or self._news is not None or (self._committing is None and collected):
            self.arm()

    def _commit(self) -> None:
        batch, then = self._full[0] if self._full else (self._batch, self._then)
        acked = self._take_cursors() if self._cursors_now or self._cursors_of or self._cursors_due else {}
        for stream in acked:  # of one device there may be two: of this session, and of one before it on a full disk
            place = stream.device, stream.conversation
            batch.cursors[place] = max(stream.cursor, batch.cursors.get(place, 0))
        if batch:
            batch.seen |= self._seen
            self._seen.clear()
        elif not then:
            return
        if self._full:
            self._full.popleft()
        else:
            self._batch, self._then = Batch(self._lane), []
        self._committing = (batch, then, acked)
        batch.now_ms = self._scheduler.now_ms()
        batch.number(self._msgids)
        if not batch:
            self._done(None)
            return
        self._began = self.figures.clock()
        try:
            self._store.commit(batch, self._done)
        except Exception as error:
            if self._committing is None or self._news is not None:
                raise  # the store has done its part
            self._log.exception("commit_failed", messages=len(batch))
            self._done(error)

    def _take_cursors(self) -> dict[Stream, None]:
        """Those that are written with this turn: those that somebody waits for, and of those due as many as hold nobody up."""
        acked, users, self._cursors_of = self._acked, self._cursors_of, set()
        if self._cursors_now:
            count = len(acked)
        elif self._store.shared:  # the loop does not wait for it
            count = self._cursors_due
        else:
            count = min(self._cursors_due, max(CURSORS, len(self._batch)))
        self._cursors_now = False
        self._cursors_due = max(self._cursors_due - count, 0)
        if count >= len(acked):
            self._acked = {}
            return acked
        taken = dict.fromkeys(islice(acked, count))
        if users:
            taken |= dict.fromkeys(stream for stream in acked if stream.inbox.user in users)
        for stream in taken:
            del acked[stream]
        self._cursors_due = min(self._cursors_due, len(acked))
        return taken

    def _done(self, error: Exception | None) -> None:
        assert self._committing is not None
        batch, then, acked = self._committing
        if error is None:
            if self.unavailable and batch:
                self.unavailable = False
                self._log.info("store_available")
            self._count(batch, acked)
            if self._refused_of:
                self._refused_of &= {stream.inbox.user for stream in self._acked}
            self._tell_on(self._telling(batch, then, acked))
        else:
            self._committing = None
            if isinstance(error, StoreUnavailable):
                self._put_back(batch, acked, error)
                for call in then:
                    self._tell(call, error)
            else:
                self.stop()
                self.on_failure(error if isinstance(error, StoreFailed) else StoreFailed(str(error)))
        self._rearm()

    def _count(self, batch: Batch, acked: dict[Stream, None]) -> None:
        self.stored += len(batch)
        if batch:
            self.figures.commit_seconds.add(self.figures.clock() - self._began)
            self.figures.commit_messages.add(len(batch) + len(batch.changes))
            self.figures.cursors += len(acked)

    def _tell_on(self, news: Iterator[None]) -> None:
        """Tell of what is durable, as much as this turn has time for. Until all is told nothing more is committed."""
        self._news = news
        until = self.figures.clock() + STRETCH_SECONDS
        for _ in news:
            if self.figures.clock() > until:
                return
        self._news = self._committing = None

    def _telling(self, batch: Batch, then: list[Then], acked: dict[Stream, None]) -> Iterator[None]:
        """Tell everybody, with pauses after what may concern thousands."""
        on_messages, now_ms = self.on_messages, self._scheduler.now_ms()
        for in_a_row in batch.runs:
            self._deliver(self.on_run, in_a_row, in_a_row.msgids[0], now_ms)
            if in_a_row.conversation < GROUPS_END:
                yield
        for messages, change in batch.steps():
            for run in runs(messages):
                self._deliver(on_messages, run, run[0].msgid, now_ms)
                if run[0].conversation < GROUPS_END:
                    yield
            if change is not None:
                yield from self._telling_of(change, now_ms)
                yield
        for stream in acked:
            self._tell(self.on_acked, stream)
        for call in then:
            self._tell(call, None)

    def _telling_of(self, change: Change, now_ms: int) -> Iterator[None]:
        try:
            yield from self.on_change(change, now_ms)
        except Exception:
            self._log.exception("work_failed")

    def _deliver(self, call: Callable[..., None], messages: DraftRun | Sequence[Draft], msgid: int, now_ms: int) -> None:
        try:
            call(messages, now_ms)
        except Exception:
            # They are durable; the next heartbeat brings them to whomever this fault has left out.
            self._log.exception("delivery_failed", msgid=msgid)

    def _tell(self, call: Callable[..., None], *news: object) -> None:
        """A fault with one session costs no other its answer, and does not stop the turns."""
        try:
            call(*news)
        except Exception:
            self._log.exception("work_failed")

    def _put_back(self, batch: Batch, acked: dict[Stream, None], error: StoreUnavailable) -> None:
        self.figures.commits_refused += 1
        if not self.unavailable:  # said once, not with every try
            self.unavailable = True
            self._log.warning("store_unavailable", reason=str(error))
        waiting, self._batch = [*(full for full, _ in self._full), self._batch], Batch(self._lane)
        self._batch.seen = set[int]().union(*(refused.seen for refused in waiting))
        self._then = [call for _, calls in self._full for call in calls] + self._then
        self._full.clear()
        for refused in (batch, *waiting):  # what was sent after it must not overtake it
            refused.unfold(refused.runs)
            for messages, change in refused.steps():
                for draft in messages:
                    self._tell(self.on_refused, draft)
                if change is not None:
                    self._tell(change.done, change, error)
        if acked:
            self._acked |= acked
            self._refused_of.update(stream.inbox.user for stream in acked)
            self._cursors_due = 0
            if not self._cursor_timer:
                self._write_cursors_later(RETRY_DELAY_MS)

    def _write_cursors_later(self, delay_ms: int) -> None:
        self._cursor_timer = True
        self._scheduler.later(delay_ms, self._cursor_delay_over)

    def _cursor_delay_over(self) -> None:
        self._cursor_timer = False
        self._cursors_due = len(self._acked)
        if self._cursors_due:
            self.arm()

    def _seen_delay_over(self) -> None:
        self._seen_timer = False
        self.write_seen()

    def _flush(self) -> None:
        """Write to each connection once, and carry its backlog on; in the next turn where there is too much of it."""
        touched, clock = self._touched, self.figures.clock
        until = clock() + STRETCH_SECONDS
        late = False
        for _ in range(min(len(touched), FLUSHES)):
            outbound = touched.popleft()
            if not outbound.backlog.owed:
                self._tell(outbound.flush)
            elif late:  # nobody's answer waits for what others are owed
                self._tell(outbound.write_out)
                touched.append(outbound)
            else:
                self._tell(outbound.flush)
                late = clock() > until


def _unset(*_: object) -> Any:
    raise NotImplementedError("the node has not been put together yet")
