"""A batch of messages and marks: one call to the database, which waits for nothing meanwhile."""

from typing import Final

import asyncpg

from rockdove.core.records import Batch, Earlier
from rockdove.store.postgres.chunk import earlier_of
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.proposal import TYPES, Key, Proposal
from rockdove.store.postgres.rights import KnownRights, RightsView
from rockdove.store.postgres.tables import Rows, Statements, array, parameters
from rockdove.store.postgres.transaction import FencedError, OvertakenError, Ticket

ROUNDS: Final = 10  # of asking, while rights change all the time
MARKS: Final = (*("text::bigint[]",) * 4, "bigint")  # what marks_of gives

_STORE: Final = (
    "SELECT alive, heads, stale, given, repeats FROM store_batch("
    f"{parameters('smallint', 'smallint', 'bigint', 'bigint', *MARKS, *TYPES)})"
)


class Plain:
    """One try to store it."""

    def __init__(
        self, connection: asyncpg.Connection, database: Database, known: KnownRights, ticket: Ticket, batch: Batch
    ) -> None:
        self._connection = connection
        self._database = database
        self._known = known
        self._ticket = ticket
        self._batch = batch
        self._proposal: Proposal | None = None

    async def run(self) -> None:
        """Raises OvertakenError, FencedError, and what the connection raises."""
        batch = self._batch
        earlier: dict[Key, Earlier] = {}
        marks = marks_of(batch)
        for _ in range(ROUNDS):
            rights = await self._known.know(self._database, [*batch.runs, *batch.messages])
            proposal = Proposal(rights, earlier, RightsView(self._database, rights), batch.now_ms)
            if turned_down := await proposal.add_runs(batch.runs, batch.messages):
                batch.unfold(turned_down)
                continue
            await proposal.add(batch.messages)
            self._proposal = proposal
            answer = await self._connection.fetchrow(_STORE, *self._ticket, *marks, *proposal.arguments(versions=True))
            if not answer["alive"]:
                raise FencedError
            if answer["heads"] is not None or not proposal:
                proposal.stored(answer["heads"] or (), answer["given"])
                return
            if answer["stale"] is not None:
                self._known.forget(answer["stale"])
            else:
                earlier |= await earlier_of(Statements(self._connection), proposal.keys)
        raise OvertakenError

    @property
    def last_msgid(self) -> int:
        """The highest that was stored, 0 if there was none."""
        return self._proposal.last_msgid if self._proposal else 0

    async def recall(self, rows: Rows) -> None:
        """It was committed, but the answer was lost."""
        if self._proposal is not None:
            await self._proposal.recall(rows)


def marks_of(batch: Batch) -> tuple[object, ...]:
    """The arguments of store_marks."""
    cursors = sorted(batch.cursors.items())
    return (
        *(array([device for (device, _), _ in cursors]), array([conversation for (_, conversation), _ in cursors])),
        *(array([seq for _, seq in cursors]), array(sorted(batch.seen)), batch.now_ms),
    )
