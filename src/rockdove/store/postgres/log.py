"""Reading messages from the PostgreSQL database."""

from collections.abc import Sequence
from typing import Final

from rockdove.core.records import OPEN, Earlier, Located, Stored
from rockdove.store.postgres.chunk import COLUMNS, LOCATED, MESSAGES, SPAN, all_unfolded, earlier_of
from rockdove.store.postgres.tables import Tables

# A log has no gaps: the messages wanted are those of so many seqs, and lie in chunks that end a little later at most.
_FOLLOWING: Final = (
    f"SELECT {COLUMNS} FROM chunk c WHERE c.conversation = $1 AND c.last_seq > $2"
    f" AND c.last_seq < {MESSAGES} + least($3, $4 + greatest(least($2, {OPEN - SPAN}) + 1,"
    " (SELECT first_seq FROM conversation WHERE id = $1)))"
    " ORDER BY c.last_seq LIMIT $4"
)
_NEWEST: Final = (
    f"SELECT {COLUMNS} FROM chunk c, (SELECT least($2, last_seq + 1) AS before FROM conversation WHERE id = $1) AS n"
    f" WHERE c.conversation = $1 AND c.last_seq >= n.before - $3 AND c.last_seq < n.before + {MESSAGES} ORDER BY c.last_seq"
)


class Log(Tables):
    """All conversations."""

    async def last_seq(self, conversation: int) -> int:
        row = await self._rows.row("SELECT last_seq FROM conversation WHERE id = $1", conversation)
        return row[0] if row else 0

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        rows = await self._rows.fetch(_FOLLOWING, conversation, after, before or OPEN, limit)
        messages = (message for message in all_unfolded(rows) if after < message.seq < (before or OPEN))
        return [message.stored for message, _ in zip(messages, range(limit), strict=False)]

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        rows = await self._rows.fetch(_NEWEST, conversation, before or OPEN, limit)
        messages = [message for message in all_unfolded(rows) if message.seq < (before or OPEN)]
        return [message.stored for message in messages[-limit:]]

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        found = await earlier_of(self._rows, [(device, seqid)])
        return found.get((device, seqid))

    async def located(self, msgid: int) -> Located | None:
        rows = await self._rows.fetch(LOCATED, msgid)
        return next((message.located for message in all_unfolded(rows) if message.msgid == msgid), None)

    async def edits(self, msgid: int) -> Sequence[int]:
        rows = await self._rows.fetch("SELECT edit FROM edit WHERE msgid = $1 ORDER BY edit", msgid)
        return [edit for (edit,) in rows]
