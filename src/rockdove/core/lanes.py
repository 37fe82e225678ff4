"""The lanes of commits: several are under way at a time, and still the requests of one connection take effect in order.

A user belongs to one lane, with all his sessions: what one connection sends is committed, and answered, in order (protocol §4).
Between users the store keeps the order that matters, that of each conversation.
"""

from collections.abc import Callable, Iterable, Sequence

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.window import Stream
from rockdove.core.errors import StoreFailed
from rockdove.core.figures import Figures
from rockdove.core.msgid import MsgidSource
from rockdove.core.ports import Log, Scheduler, Store
from rockdove.core.records import Change, Draft, DraftRun


class Lanes:
    """All group commits of a node."""

    def __init__(self, store: Store, scheduler: Scheduler, msgids: MsgidSource, log: Log) -> None:
        self.figures = Figures()
        self._lanes = [GroupCommit(store, scheduler, msgids, log, self.figures, lane) for lane in range(store.lanes)]

    def of(self, user: int) -> GroupCommit:
        """The lane of a user's sessions."""
        return self._lanes[user % len(self._lanes)]

    def report_to(
        self,
        on_run: Callable[[DraftRun, int], None],
        on_messages: Callable[[Sequence[Draft], int], None],
        on_change: Callable[[Change, int], Iterable[None]],
        on_refused: Callable[[Draft], None],
        on_acked: Callable[[Stream], None],
    ) -> None:
        """Whom to tell what became of what was committed; see GroupCommit."""
        for lane in self._lanes:
            lane.on_run = on_run
            lane.on_messages, lane.on_change, lane.on_refused, lane.on_acked = on_messages, on_change, on_refused, on_acked

    def on_failure(self, call: Callable[[StoreFailed], None]) -> None:
        """Whom to tell that the node must stop."""
        for lane in self._lanes:
            lane.on_failure = call

    @property
    def stored(self) -> int:
        """Messages since the start, those of changes not counted."""
        return sum(lane.stored for lane in self._lanes)

    @property
    def under_way(self) -> int:
        """Batches that are with the store."""
        return sum(lane.under_way for lane in self._lanes)

    @property
    def unavailable(self) -> bool:
        """Whether the store has refused the last batch of some lane."""
        return any(lane.unavailable for lane in self._lanes)

    def stop(self) -> None:
        """Commit, and so acknowledge, nothing more: the store is not to be trusted."""
        for lane in self._lanes:
            lane.stop()

    def write_cursors(self) -> None:
        """Have all moved cursors stored with this turn."""
        for lane in self._lanes:
            lane.write_cursors()

    def then(self, call: Callable[[], None]) -> None:
        """Call back once all that was collected so far, in every lane, is durable or was given up."""
        left = len(self._lanes)

        def one_more(_: Exception | None) -> None:
            nonlocal left
            left -= 1
            if not left:
                call()

        for lane in self._lanes:
            lane.write_seen()
            lane.write_cursors()
            lane.then(one_more)
