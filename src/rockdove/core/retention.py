"""What a log may forget (protocol §5 Retention)."""

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
        self._waits = False  # the store refused the last step

    async def step(self, now_ms: int) -> None:
        """Do a bounded piece of the work; call it now and then."""
        try:
            await self._store.forget_requests(first_msgid(now_ms - DEDUPLICATION_MS), MESSAGES)
            spans = await self._store.spans(self._after, now_ms - self._device_expiry_ms, SPANS)
            self._after = spans[-1].conversation if len(spans) == SPANS else 0
            left = MESSAGES
            for span in spans:
                left -= await self._cut(span, left, now_ms)
                if left <= 0:
                    self._after = span.conversation - 1  # this one has more
                    break
            self._waits = False
        except StoreUnavailable as error:
            if not self._waits:  # said once, not with every try
                self._waits = True
                self._log.warning("retention_waits", reason=str(error))

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
