"""Reading a log within what a user may see of it."""

from collections.abc import Sequence

from rockdove.core.ports import Store
from rockdove.core.records import OPEN, Spans, Stored
from rockdove.wire import codec


async def upwards(store: Store, conversation: int, spans: Spans, after: int, before: int, limit: int) -> list[Stored]:
    """The first `limit` visible messages with `after` < seq < `before` (0: no bound), upwards."""
    found: list[Stored] = []
    for start, through in spans:
        low, high = max(after, start), min(before or OPEN, through + 1 if through < OPEN else OPEN)
        if high - low > 1 and len(found) < limit:
            found += await store.messages(conversation, low, 0 if high == OPEN else high, limit - len(found))
    return found


async def downwards(store: Store, conversation: int, spans: Spans, before: int, limit: int) -> list[Stored]:
    """The last `limit` visible messages with seq < `before`, downwards."""
    found: list[Stored] = []
    for start, through in reversed(spans):
        high = min(before, through + 1 if through < OPEN else OPEN)
        if high - start > 1 and len(found) < limit:
            newest = await store.newest(conversation, high, limit - len(found))
            found += [message for message in reversed(newest) if message.seq > start]
    return found


async def shown(store: Store, user: int, conversation: int, messages: Sequence[Stored]) -> list[bytes]:
    """The records of `messages`, as this user sees them: what he has deleted for himself is a tombstone."""
    if not messages:
        return []
    seqs = [message.seq for message in messages]
    hidden = await store.hidden(user, conversation, min(seqs) - 1, max(seqs))
    return [codec.tombstone(message.record) if message.seq in hidden else message.record for message in messages]
