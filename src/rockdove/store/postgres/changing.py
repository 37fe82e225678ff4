"""A batch with changes: a transaction in which rules are asked, with all its conversations locked.

Messages alone go this way, too, when others were faster on the shorter one.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from rockdove.core.records import Append, Batch, Change, Draft, Earlier, MoveRead, Outcome
from rockdove.store.deciding import refusal_of
from rockdove.store.postgres.chunk import earlier_of
from rockdove.store.postgres.database import FATAL, Database
from rockdove.store.postgres.effects import Effects
from rockdove.store.postgres.locked import LockedView
from rockdove.store.postgres.plain import MARKS, marks_of
from rockdove.store.postgres.proposal import TYPES, Key, Proposal, repeat
from rockdove.store.postgres.rights import KnownRights, Rights
from rockdove.store.postgres.tables import Rows, Statements, parameters
from rockdove.store.postgres.transaction import FencedError, Ticket

_LOCK: Final = "SELECT id, version, last_seq, last_msgid FROM conversation WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"
_STORE: Final = f"SELECT heads, stale, given, repeats FROM store_messages({parameters(*TYPES)})"
_MARKS: Final = f"SELECT store_marks({parameters(*MARKS)})"


class Changing:
    """One try to store it."""

    def __init__(
        self, connection: asyncpg.Connection, database: Database, known: KnownRights, ticket: Ticket, batch: Batch
    ) -> None:
        self._connection = connection
        self._database = database
        self._known = known
        self._ticket = ticket
        self._batch = batch
        self._rows = Statements(connection)
        self._view = LockedView(self._rows)
        self._effects = Effects(connection, self._append, self._view.move)
        self.last_msgid = 0  # the highest that was stored

    async def run(self) -> None:
        """Raises FencedError, and what the connection raises."""
        batch = self._batch
        drafts = [*batch.messages, *(change.draft for _, change in batch.changes if change.draft is not None)]
        conversations = {change.rule.conversation for _, change in batch.changes} - {0}
        rights = await self._known.know(self._database, drafts, sorted(conversations))
        try:
            await self._begin()
            await self._lock(sorted(conversations | {draft.conversation for draft in drafts}), rights, conversations)
            for messages, change in batch.steps():
                await self._store(messages)
                if change is not None:
                    await self._change(change)
            await self._view.write()
            if batch.cursors or batch.seen:
                await self._connection.execute(_MARKS, *marks_of(batch))
            await self._connection.execute("COMMIT")
        except BaseException:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await self._connection.execute("ROLLBACK")
            raise
        finally:
            self._known.forget(self._effects.changed)

    async def recall(self, rows: Rows) -> None:
        """It was committed, but the answer was lost: to COMMIT, and before that all was answered."""

    async def _begin(self) -> None:
        node, lane, token, number = self._ticket
        done = await self._connection.execute(  # numbers of ours: so it is one message to the server
            f"BEGIN; UPDATE lane SET batch = {number:d}, committed = {number:d}"
            f" WHERE node = {node:d} AND lane = {lane:d} AND token = {token:d} AND batch < {number:d}"
        )
        if done != "UPDATE 1":
            raise FencedError

    async def _lock(self, conversations: Sequence[int], rights: Mapping[int, Rights], readers: Iterable[int]) -> None:
        """What is known of them, and true, holds until the end; and nobody else gives msgids there."""
        stale = []
        newest = 0
        heads = {}
        for conversation, version, last_seq, last_msgid in await self._connection.fetch(_LOCK, conversations):
            heads[conversation] = last_seq
            newest = max(newest, last_msgid)
            if rights[conversation].version == version:
                self._view.rights[conversation] = rights[conversation]
            else:
                stale.append(conversation)
        await self._view.lock(heads, readers)
        self._known.forget(stale)
        if newest >= self._batch.first_msgid:
            self._batch.begin_anew(newest, time.time_ns() // 1_000_000)

    async def _store(self, drafts: Sequence[Draft], *, ask: bool = True) -> None:
        """The messages of a step; with `ask` their permits are asked."""
        earlier: dict[Key, Earlier] = {}
        while drafts:
            proposal = Proposal(self._view.rights, earlier, self._view, self._batch.now_ms)
            await proposal.add(drafts, ask=ask)
            if not proposal:
                proposal.stored((), None)
                return
            answer = await self._connection.fetchrow(_STORE, *proposal.arguments(versions=False))
            if answer["heads"] is not None:
                proposal.stored(answer["heads"], answer["given"])
                self._view.stored(proposal.sizes)
                self.last_msgid = max(self.last_msgid, proposal.last_msgid)
                return
            if answer["stale"] is not None:  # not there before, as the group is new
                await self._connection.execute("SELECT open_conversations($1)", answer["stale"])
            else:
                earlier |= await earlier_of(self._rows, proposal.keys)

    async def _append(self, effects: Sequence[Append]) -> None:
        await self._store([effect.draft for effect in effects], ask=False)

    async def _change(self, change: Change) -> None:
        """Recognise it as a retry; or ask its rule, carry out what that decides on, store its message."""
        draft = change.draft
        change.forget()
        if draft is not None and draft.seqid and await self._is_repeat(draft):
            return
        change.refusal = await refusal_of(self._decide(change), FATAL)
        if change.refusal is not None:
            if draft is not None:
                draft.outcome, draft.refusal = Outcome.REFUSED, change.refusal
            return
        await self._effects.carry_out(change.effects)
        if not all(isinstance(effect, MoveRead) for effect in change.effects):
            self._view.changed()
        for conversation in self._effects.changed:
            self._view.rights.pop(conversation, None)
        if draft is not None:
            await self._store([draft], ask=False)

    async def _decide(self, change: Change) -> None:
        change.effects = list(await change.rule.decide(self._view, self._batch.now_ms, change.msgids))

    async def _is_repeat(self, draft: Draft) -> bool:
        earlier = await self._view.earlier(draft.device, draft.seqid)
        if earlier is not None:
            repeat(draft, earlier)
        return earlier is not None
