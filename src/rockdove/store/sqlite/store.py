"""The store in the SQLite file: its transactions, and what messages are read from it."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any

from rockdove.core.errors import Refusal, StoreFailed, StoreUnavailable
from rockdove.core.records import (
    Append,
    Batch,
    Change,
    Draft,
    DraftRun,
    DropJoinRequest,
    Earlier,
    Effect,
    EndMembers,
    HideMessages,
    KickDevice,
    Located,
    Match,
    MoveRead,
    NoteEdit,
    PutContact,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Query,
    Rewrite,
    Stored,
)
from rockdove.store.deciding import decide, permitted
from rockdove.store.searching import Search
from rockdove.store.sqlite.contacts import Contacts
from rockdove.store.sqlite.conversations import Conversations
from rockdove.store.sqlite.database import begin, transaction
from rockdove.store.sqlite.devices import Devices
from rockdove.store.sqlite.groups import Groups
from rockdove.store.sqlite.log import NO_BOUND, Log
from rockdove.store.sqlite.retention import Retention
from rockdove.store.sqlite.search import Rewritten, SqliteSearch
from rockdove.store.sqlite.tail import SEAL_AT
from rockdove.store.sqlite.tallies import SPAN


class SqliteStore(Conversations, Devices, Groups, Contacts, Retention):
    """`core.ports.Store` on a connection of `open_database`. Nothing suspends; `done` is called at once.

    There must be only one on a file. Other processes may write accounts meanwhile.
    """

    lanes = 1
    shared = False

    def __init__(self, connection: sqlite3.Connection, seal_at: int = SEAL_AT, span: int = SPAN) -> None:
        """`seal_at` is the number of messages that wait in memory for being settled; see tail.py. `span`: see tallies.py."""
        super().__init__(connection, Log(connection, seal_at, span))
        (epoch,) = connection.execute("SELECT value FROM setting WHERE name = 'epoch'").fetchone()
        self.epoch = int.from_bytes(epoch, "little")
        self._search = SqliteSearch(connection, self._log, self.epoch)
        self._rewritten: list[Rewritten] = []  # by the transaction
        self._carriers: dict[type[Effect], Callable[[list[Any]], None]] = {
            PutGroup: self._put_groups,
            PutMembers: self._put_members,
            EndMembers: self._end_members,
            PutJoinRequest: self._put_join_requests,
            DropJoinRequest: self._drop_join_requests,
            PutContact: self._put_contacts,
            Append: self._append_notices,
            Rewrite: self._rewrite,
            NoteEdit: self._note_edits,
            MoveRead: self._move_reads,
            HideMessages: self._hide_messages,
            KickDevice: self._kick_devices,
        }

    @property
    def last_msgid(self) -> int:
        return self._log.last_msgid

    def close(self) -> None:
        self._search.close()
        self._connection.close()

    # -- commit

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        log = self._log

        def may(draft: Draft | DraftRun) -> bool:
            begin(self._connection)
            return permitted(draft, self, batch.now_ms) or _refused(draft.refusal)

        log.begin()
        self._rewritten = []
        try:
            with transaction(self._connection, at_once=False):
                batch.store_runs(lambda run: log.append_run(run, may))
                for drafts, change in batch.steps():
                    log.append(drafts, may)
                    if change is not None:
                        self._change(change, batch.now_ms)
                if batch.marks or log.is_settling:
                    begin(self._connection)
                log.flush()
                self._write_marks(batch)
                slice_ = log.settle(max(log.added, 1))
        except (StoreUnavailable, StoreFailed) as error:
            log.take_back(batch.devices)
            self._forget_groups()
            self._forget_contacts()
            done(error)
            return
        if slice_ is not None:
            log.settled(slice_)
        log.committed()
        self._search.rewritten(self._rewritten)
        done(None)

    def _change(self, change: Change, now_ms: int) -> None:
        begin(self._connection)

        def carry_out(_: Draft | None = None) -> bool:
            if not decide(change, self, now_ms):
                return _refused(change.refusal)
            for kind, effects in groupby(change.effects, type):
                self._carriers[kind](list(effects))
            return True

        if change.draft is None:
            carry_out()
        else:
            self._log.append([change.draft], carry_out, ask=True)

    def _append_notices(self, effects: Sequence[Append]) -> None:
        self._log.append([effect.draft for effect in effects], lambda _: True)

    def _rewrite(self, effects: Sequence[Rewrite]) -> None:
        for effect in effects:
            before = self._log.rewrite(effect.msgid, effect.record)
            if before is not None:
                self._rewritten.append(Rewritten(effect.msgid, before.conversation, before.record, effect.record))

    def _note_edits(self, effects: Sequence[NoteEdit]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO edit VALUES (?, ?)", [(effect.msgid, effect.edit) for effect in effects]
        )

    def _write_marks(self, batch: Batch) -> None:
        executemany = self._connection.executemany
        if batch.cursors:
            executemany(
                "INSERT INTO cursor VALUES (?, ?, ?)"
                " ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq",
                [(device, conversation, seq) for (device, conversation), seq in batch.cursors.items()],
            )
        if batch.seen:
            executemany("UPDATE device SET last_seen_ms = ? WHERE id = ?", [(batch.now_ms, device) for device in batch.seen])
        for newcomer in batch.newcomers:  # after the cursors of their siblings
            self._add_device(*newcomer, batch.now_ms)

    # -- logs

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        return self._log.messages(conversation, after, before or NO_BOUND, limit)

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        return self._log.newest(conversation, before or NO_BOUND, limit)

    async def last_seq(self, conversation: int) -> int:
        return self._log.last_seq(conversation)

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        request = self._log.requests.find(device, seqid, self._log.tails)
        return Earlier(*request) if request else None

    async def located(self, msgid: int) -> Located | None:
        entry = self._log.message(msgid)
        return Located(entry.conversation, entry.seq, entry.sender, entry.record) if entry else None

    async def edits(self, msgid: int) -> Sequence[int]:
        rows = self._connection.execute("SELECT edit FROM edit WHERE msgid = ? ORDER BY edit", (msgid,))
        return [edit for (edit,) in rows]

    # -- search

    async def search(self, user: int, query: Query, limit: int) -> tuple[Sequence[Match], int]:
        search = Search(self, user, query)
        with closing(self._search.candidates(search, user, query)) as candidates:
            return await search.run(candidates, limit)

    async def index(self, limit: int) -> int:
        return self._search.index(limit)

    def rebuild_index(self) -> None:
        """Make the search index anew, as small as it can be. Raises StoreUnavailable."""
        self._search.rebuild()


def _refused(refusal: Refusal | None) -> bool:
    """False; unless it was the store that failed while a permit or rule looked at it: then nothing of the batch is stored."""
    if refusal is not None and isinstance(refusal.__cause__, sqlite3.Error):
        raise refusal.__cause__
    return False
