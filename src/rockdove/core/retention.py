"""What a log may forget (protocol §5 Retention)."""

from collections.abc import Awaitable
from typing import Final

from rockdove.core.errors import StoreUnavailable
from rockdove.core.msgid import first_msgid
from rockdove.core.ports import Log, Store
from rockdove.core.records import NO_RETENTION, Span
from rockdove.core.settings import DAY_MS
from rockdove.wire.limits import DEDUPLICATION_MS

SPANS: Final = 200  # conversations looked at in one step
MESSAGES: Final = 500  # deleted in one step, so that nobody waits for it


class Retention:
    """Cuts logs, a little at a time."""

    def __init__(self, store: Store, device_expiry_ms: int, log: Log) -> None:
        self._store = store
        self._device_expiry_ms = device_expiry_ms
        self._log = log
        self._after = 0  # the conversation that the last step ended with
        self._page = SPANS  # conversations to look at in the next step
        self._waits = False  # the store refused the last step

    async def step(self, now_ms: int) -> None:
        """Do a bounded piece of the work; call it now and then."""
        refusal = await _refusal_of(self._store.forget_requests(first_msgid(now_ms - DEDUPLICATION_MS), MESSAGES))
        refusal = await _refusal_of(self._look(now_ms)) or refusal
        if refusal is not None and not self._waits:  # said once, not with every try
            self._log.warning("retention_waits", reason=str(refusal))
        self._waits = refusal is not None

    async def _look(self, now_ms: int) -> None:
        try:
            spans = await self._store.spans(self._after, now_ms - self._device_expiry_ms, self._page)
        except StoreUnavailable:
            self._page = max(1, self._page // 2)  # it may have been too much at once
            raise
        left = MESSAGES
        for span in spans:
            self._after = span.conversation  # also if it fails: the others do not wait for it
            left -= await self._cut(span, left, now_ms)
            if left <= 0:
                self._after = span.conversation - 1  # this one has more
                return
        if len(spans) < self._page:
            self._after = 0
        self._page = min(SPANS, self._page * 2)

    async def _cut(self, span: Span, limit: int, now_ms: int) -> int:
        """What is still owed to a device stays; so does, without retention, what awaits somebody's first device."""
        through = span.acked_by_all
        older_than = 1 << 62
        if span.retention_days == NO_RETENTION:
            if not span.everyone_has_device:
                return 0
        else:
            older_than = first_msgid(now_ms - span.retention_days * DAY_MS)
        if through < span.first_seq:
            return 0
        return await self._store.cut(span.conversation, through, older_than, limit)


async def _refusal_of(work: Awaitable[None]) -> StoreUnavailable | None:
    try:
        await work
    except StoreUnavailable as error:
        return error
    return None
