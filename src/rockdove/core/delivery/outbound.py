"""One session's way out: frames are collected here, and written once per turn."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.backlog import NO_BACKLOG, Backlog, NoBacklog
from rockdove.core.delivery.run import Run
from rockdove.core.delivery.window import Stream, Window
from rockdove.core.ports import Link, Scheduler, Store
from rockdove.core.records import next_span

if TYPE_CHECKING:
    from rockdove.core.registry import Inbox

EARLY: Final = 128  # messages of one stream, counted from its position, that wait for one which precedes them
EARLY_MS: Final = 100  # how long: other lanes and nodes may tell of a later message first; some turns of a busy loop


class Checked(Protocol):
    """Who is looked at again when something may be due: the session."""

    def check_by(self, at_ms: int) -> None:
        """See to it that this happens soon after `at_ms`."""


class Outbound:
    """What a device is sent: answers always, messages as far as its window and its reading allow."""

    __slots__ = (
        "_checked",
        "_early",
        "_frames",
        "_link",
        "_scheduler",
        "_store",
        "_touched",
        "backlog",
        "commit",
        "device",
        "inbox",
        "live",
        "paused",
        "user",
        "window",
    )

    inbox: "Inbox"

    def __init__(
        self, link: Link, commit: GroupCommit, store: Store, scheduler: Scheduler, window: int, checked: Checked
    ) -> None:
        self._link = link
        self._store = store
        self._scheduler = scheduler
        self._early = EARLY if store.shared else 0  # else the order in which it is told is that of the log
        self.commit = commit
        self._checked = checked
        self._frames: list[bytes] = []
        self._touched = False
        self.window = Window(window)
        self.backlog: Backlog | NoBacklog = NO_BACKLOG  # until there is one
        self.user = 0
        self.device = 0
        self.live = False  # logged in, and not ended
        self.paused = False  # the client does not read: nothing is pushed

    def open(self, inbox: "Inbox", device: int) -> None:
        """The login succeeded: from here on messages arrive."""
        self.inbox = inbox
        self.user = inbox.user
        self.device = device
        self.live = True

    def link_lost(self) -> None:
        """The connection is gone: refer to its session no more, so that no cycle is left to the garbage collector."""
        self._checked = _NOBODY
        self.backlog = NO_BACKLOG

    # -- frames

    def write(self, frame: bytes) -> None:
        """Have a frame written at the end of the turn."""
        self._frames.append(frame)
        if not self._touched:
            self.touch()

    def touch(self) -> None:
        """Look at this session at the end of the turn."""
        if not self._touched:
            self._touched = True
            self.commit.touch(self)

    def notify(self, frame: bytes) -> None:
        """Push what is not kept for those away; one who does not read counts as away."""
        if self.live and not self.paused:
            self.write(frame)

    def flush(self) -> None:
        """The end of a turn: carry the backlog on, and write."""
        self._touched = False
        if self.backlog.owed:
            self.backlog.carry_on()
        if self._frames:
            self.write_out()

    def write_out(self) -> None:
        """Write what has been collected."""
        frames = self._frames
        if frames:
            self._frames = []
            self._link.write(frames[0] if len(frames) == 1 else b"".join(frames))

    @property
    def waiting_bytes(self) -> int:
        """How much has been collected."""
        return sum(map(len, self._frames))

    # -- messages

    def deliver(self, run: Run, now_ms: int) -> None:
        """New messages of the log: push them if everything before them has been pushed, else leave them to the backlog."""
        if not self.live:
            return
        window = self.window
        stream = window.streams.get(run.conversation)
        if stream is None or not stream.caught_up:
            self._wait_behind(stream, run)
        elif run.first == stream.position + 1:
            if run.device == self.device:
                if window.skip(stream, run.last):
                    self.commit.move_cursor(stream)
            elif len(window.awaited) + len(run.msgids) <= window.limit and not self.paused:
                if window.push(stream, run.seqs, run.msgids, run.seqs if run.sender == self.user else (), now_ms):
                    self._checked.check_by(stream.repush_ms)
                self.commit.figures.pushes += len(run.msgids)
                self.write(run.frames)
            else:
                self._fall_behind(stream)
            if stream.early:
                self._follow_on(stream, now_ms)
        elif run.last > stream.position:
            self._keep_for_later(stream, run)

    def _wait_behind(self, stream: Stream | None, run: Run) -> None:
        if stream is not None and stream.reading and stream.position < run.last and run.first <= stream.position + self._early:
            stream.early[run.first] = run  # follows what is being read
        else:
            self.owe(run.conversation)

    def _keep_for_later(self, stream: Stream, run: Run) -> None:
        """One that precedes it is missing: on another lane or node it may be told a moment later."""
        if run.last > stream.position + self._early:
            self._fall_behind(stream)
            return
        if not stream.early:
            self._wait_for_missing(stream)
        stream.early[run.first] = run

    def catch_up(self, stream: Stream, now_ms: int) -> None:
        """All that was stored when it was read is pushed; what came meanwhile follows, if nothing is missing before it."""
        stream.caught_up = True
        stream.early = {first: run for first, run in stream.early.items() if run.last > stream.position}
        self._follow_on(stream, now_ms)
        if stream.early:
            self._wait_for_missing(stream)

    def _wait_for_missing(self, stream: Stream) -> None:
        self._scheduler.later(EARLY_MS, partial(self._wait_no_longer, stream))

    def _follow_on(self, stream: Stream, now_ms: int) -> None:
        """A message has come for which the next one was waiting."""
        following = stream.early.pop(stream.position + 1, None)
        if following is not None:
            self.deliver(following, now_ms)

    def _wait_no_longer(self, stream: Stream) -> None:
        """What is missing was not rung, or is late: it is read."""
        if stream.early:
            self._fall_behind(stream)

    def _fall_behind(self, stream: Stream) -> None:
        stream.fall_behind()
        self.owe(stream.conversation)

    def owe_message(self, conversation: int, seq: int) -> None:
        """Unless the device has got it, this message is to be read."""
        stream = self.window.streams.get(conversation)
        if stream is None or stream.position < seq:
            self.owe(conversation)

    def owe(self, conversation: int) -> None:
        """There is something in this conversation that the device has not got: the backlog reads it."""
        if self.live:
            backlog = self.backlog
            if isinstance(backlog, NoBacklog):
                self.backlog = backlog = Backlog(self, self._store, self._scheduler)
            backlog.owe(conversation)
            self.touch()

    def owe_as_found(self, conversation: int) -> None:
        """Likewise, by what the store says: where we know of nothing more that the user may see, he has come back since."""
        stream = self.window.streams.get(conversation)
        if stream is not None and next_span(stream.visible, stream.position) is None:
            stream.stale = True
        self.owe(conversation)

    def push(
        self, stream: Stream, seqs: Sequence[int], msgids: Sequence[int], own: Sequence[int], frames: bytes, now_ms: int
    ) -> None:
        """Messages of the backlog, and their frames; `own` are the seqs that the user has sent himself."""
        self.commit.figures.pushes += len(seqs)
        if self.window.push(stream, seqs, msgids, own, now_ms):
            self._checked.check_by(stream.repush_ms)
        self._frames.append(frames)

    def skip(self, stream: Stream, seq: int) -> None:
        """A message that this device sent itself."""
        if self.window.skip(stream, seq):
            self.commit.move_cursor(stream)

    def give_up(self, stream: Stream, after: int, before: int, now_ms: int) -> None:
        """The log holds nothing between these seqs any more: what was to come again was acknowledged elsewhere, and cut."""
        if stream.unacked and after < stream.unacked[0] < before:
            self.window.give_up(stream, before, now_ms)
            self.commit.move_cursor(stream)

    def look_again(self, conversation: int) -> None:
        """What the user may see of the conversation was changed: read it anew before anything more is pushed."""
        stream = self.window.streams.get(conversation)
        if stream is not None:
            stream.stale = True
            stream.fall_behind()
        self.owe(conversation)

    def ack(self, msgids: Sequence[int], now_ms: int) -> None:
        """The device acknowledges messages, with each all earlier ones of its conversation (protocol §5 Ack).

        One that was not pushed here, or was acknowledged before, has no effect.
        """
        awaited = self.window.awaited
        for msgid in reversed(msgids):  # the last one of a conversation stands for all before it
            stream = awaited.get(msgid)
            if stream is not None:
                self.window.ack(stream, msgid, now_ms)
                self.commit.move_cursor(stream)
        if self.backlog.owed:
            self.touch()

    def ack_oldest(self, now_ms: int) -> None:
        """The device acknowledges the oldest message that awaits it, whichever that is (protocol §3)."""
        for msgid in self.window.awaited:
            self.ack((msgid,), now_ms)
            return

    def push_again(self, now_ms: int) -> None:
        """What waited too long for its ack comes again, from the oldest on (protocol §5 Ack)."""
        for stream in self.window.rewind(now_ms):
            self.owe(stream.conversation)


class _Nobody:
    """The connection is gone: nothing is due any more."""

    __slots__ = ()

    def check_by(self, at_ms: int) -> None: ...


_NOBODY: Final = _Nobody()
