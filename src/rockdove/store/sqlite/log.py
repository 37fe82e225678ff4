"""The log: appending messages, and finding them again."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Final

from rockdove.core.records import GROUPS_END, Draft, DraftRun, Outcome, Stored, counts, digest_of, single_members
from rockdove.store.sqlite.chunk import HEADER, Entry, chunks, find, packed_run, rewritten, select, without
from rockdove.store.sqlite.database import begin
from rockdove.store.sqlite.requests import Requests
from rockdove.store.sqlite.tail import SEAL_AT, Run, Settling, Slice, Tail
from rockdove.store.sqlite.tallies import SPAN, Tallies
from rockdove.wire import im_pb2 as pb

HEADS: Final = 500_000  # conversations whose last seq is remembered
TYPE_KEY: Final = 8  # first byte of a record whose type is not TXT
TEXT_KEY: Final = 0x12  # of one whose type is TXT and whose content was not removed: the key of the content
NO_BOUND: Final = 1 << 62
INSERT: Final = "INSERT INTO log VALUES (?, ?)"


class Log:
    """All conversations of one file. Methods that write are called within a transaction."""

    def __init__(self, connection: sqlite3.Connection, seal_at: int = SEAL_AT, span: int = SPAN) -> None:
        """Reads the unsettled part again. `seal_at`: after how many messages the tail begins to settle; `span`: of a tally."""
        self._connection = connection
        self._seal_at = seal_at
        self._tail = Tail()
        self._settling: Settling | None = None
        self._heads: dict[int, int] = {}  # last seq by conversation: of all in a tail, and others looked up
        self._added: list[Draft] = []  # by the transaction
        self._added_runs: list[DraftRun] = []  # by the transaction, before those
        self._uncounted: list[tuple[Run, int, int]] = []  # by the transaction: run, seq, its sender before
        self._packed: list[bytes] = []  # the entries that the table lacks yet
        self._tallies = Tallies(connection, self._blocks, span)
        self.requests = Requests(connection)
        row = connection.execute("SELECT value FROM setting WHERE name = 'settled'").fetchone()
        self.last_msgid = int(row[0]) if row else 0
        query = "SELECT entries FROM log WHERE first_msgid > ? ORDER BY first_msgid"
        for (data,) in connection.execute(query, (self.last_msgid,)):
            self._read_again(data)

    def _read_again(self, data: bytes) -> None:
        """A chunk that is to be settled yet."""
        heads, add, unpack, size = self._heads, self._tail.add, HEADER.unpack_from, HEADER.size
        at = count = msgid = 0
        while at < len(data):
            msgid, conversation, seq, sender, device, seqid, digest, length = unpack(data, at)
            at += size
            if data[at] != TEXT_KEY and never_unread(data[at : at + length]):
                sender = 0
            add(conversation, seq, msgid, sender, device, seqid, digest)
            heads[conversation] = seq
            at += length
            count += 1
        self._tail.grow(count, msgid)
        self.last_msgid = msgid

    @property
    def tails(self) -> Sequence[Tail]:
        """From new to old."""
        return (self._tail,) if self._settling is None else (self._tail, self._settling.tail)

    # -- appending

    def begin(self) -> None:
        """A transaction begins."""
        self._added, self._added_runs = [], []
        self._uncounted = []

    @property
    def added(self) -> int:
        """How many messages the transaction has added."""
        return sum(map(len, self._added_runs), len(self._added))

    def append_run(self, run: DraftRun, may: Callable[[DraftRun], bool]) -> bool:
        """Give messages in a row their places; False, and nothing is changed, if one of them may be a retry, or `may` says no.

        `may` is asked about those that have a permit. Before any `append` of the transaction.
        """
        device, seqids, requests, tails = run.device, run.seqids, self.requests, self.tails
        free = requests.known.get(device) or requests.free(device, tails)
        if not (free.above < seqids[0] and seqids[-1] < free.below and all(map(lt, seqids, islice(seqids, 1, None)))):
            return False
        if run.permit is not None and not may(run):
            return False
        head = self._heads.get(run.conversation)
        if head is None:
            head = self._open(run)
        free.above = seqids[-1]
        self._heads[run.conversation] = head + len(seqids)
        run.place(head + 1)
        digests = run.digests
        self._tail.add_run(run, digests)
        self._added_runs.append(run)
        self._packed += packed_run(run, digests)
        return True

    def append(self, drafts: Sequence[Draft], may: Callable[[Draft], bool], *, ask: bool = False) -> None:
        """Give each draft its place, unless it is a retry or a conflict, or `may`, which may append others first, says no.

        `may` is asked about those that have a permit, and about all with `ask`. Begins the transaction if it looks at tables.
        """
        heads, tail, tails, requests = self._heads, self._tail, self.tails, self.requests
        known, added, packed, header = requests.known, self._added, self._packed, HEADER.pack
        for draft in drafts:
            device, seqid, digest = draft.device, draft.seqid, digest_of(draft.body)
            if seqid:
                free = known.get(device) or requests.free(device, tails)
                above, below = free.above, free.below
                if above < seqid < below:
                    free.above = seqid
                else:
                    earlier = requests.claim(device, seqid, free, tails)
                    if earlier is not None:
                        draft.msgid, draft.seq = earlier[0], earlier[1]
                        draft.outcome = Outcome.RETRY if earlier[2] == digest else Outcome.CONFLICT
                        continue
            if (ask or draft.permit is not None) and not may(draft):
                if seqid:
                    free.above, free.below = above, below
                continue
            conversation, msgid, sender = draft.conversation, draft.msgid, draft.sender
            head = heads.get(conversation)
            if head is None:
                head = self._open(draft)
            seq = heads[conversation] = head + 1
            draft.place(seq)
            record = draft.record
            # What has a type other than TXT begins with it: only then the call is worth its time.
            reader_sender = 0 if record[0] == TYPE_KEY and not counts(record) else sender
            tail.add(conversation, seq, msgid, reader_sender, device, seqid, digest)
            added.append(draft)
            packed.append(header(msgid, conversation, seq, sender, device, seqid, digest, len(record)) + record)

    def flush(self) -> None:
        """Write to the table what was appended. Before the end of the transaction; reading does it, too."""
        if self._packed:
            rows = chunks(self._packed)
            self._packed.clear()
            if len(rows) == 1:
                self._connection.execute(INSERT, rows[0])
            else:
                begin(self._connection)
                self._connection.executemany(INSERT, rows)

    def rewrite(self, msgid: int, record: bytes) -> Entry | None:
        """Give a message another record, unless it was cut. One whose content was removed is not unread any more.

        Returns what was there before.
        """
        key, data = self._chunk(msgid)
        entry = find(data, msgid)
        if entry is None:
            return None
        self._connection.execute("UPDATE log SET entries = ? WHERE first_msgid = ?", (rewritten(data, msgid, record), key))
        if never_unread(record):
            self._uncount(entry.conversation, entry.seq)
        return entry

    def _uncount(self, conversation: int, seq: int) -> None:
        """In memory and in the table: while the tail is being settled it may be in both."""
        for run in self._runs(conversation):
            if run.first <= seq <= run.last:
                self._uncounted.append((run, seq, run.uncount(seq)))
        row = self._connection.execute(
            "SELECT first_seq, entries FROM place WHERE conversation = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
            (conversation, seq),
        ).fetchone()
        block = Run.of_block(*row) if row else None
        if block is not None and seq <= block.last:
            if sender := block.uncount(seq):
                self._tallies.uncount(conversation, seq, sender)
            self._connection.execute(
                "UPDATE place SET entries = ? WHERE conversation = ? AND first_seq = ?",
                (block.block(0, len(block.msgids)), conversation, block.first),
            )

    def take_back(self, devices: Iterable[int]) -> None:
        """The transaction was rolled back, perhaps in the middle of an `append`. `devices`: whose keys it may have claimed."""
        self._packed.clear()
        for tail_run, seq, sender in reversed(self._uncounted):
            tail_run.recount(seq, sender)
        for draft in reversed(self._added):
            self._tail.take_back(draft.conversation, draft.device, keys=draft.seqid > 0)
            self._heads[draft.conversation] -= 1
        for run in reversed(self._added_runs):
            self._tail.take_back(run.conversation, run.device, keys=len(run), messages=len(run))
            self._heads[run.conversation] -= len(run)
        for conversation in {*(draft.conversation for draft in self._added), *(run.conversation for run in self._added_runs)}:
            if not self._runs(conversation):
                self._heads.pop(conversation, None)  # its row may have been rolled back, too
        self.requests.release(devices)

    def _open(self, draft: Draft | DraftRun) -> int:
        begin(self._connection)
        conversation = draft.conversation
        head = self._settled_head(conversation)
        if head is not None:
            return head
        self._connection.execute("INSERT INTO conversation (id, tenant) VALUES (?, ?)", (conversation, draft.tenant))
        if conversation >= GROUPS_END:
            self._connection.executemany(
                "INSERT INTO member (user, conversation) VALUES (?, ?)",
                [(user, conversation) for user in set(single_members(conversation))],
            )
        return 0

    # -- settling

    @property
    def is_settling(self) -> bool:
        """Whether the next transaction has something to settle."""
        return self._settling is not None

    def committed(self) -> None:
        """What the transaction added is durable."""
        if added := self.added:
            self.last_msgid = self._added[-1].msgid if self._added else self._added_runs[-1].msgids[-1]
            self._tail.grow(added, self.last_msgid)
            self.seal()

    def seal(self, *, now: bool = False) -> None:
        """Begin to settle the tail when it is full, or `now`; what comes later makes a new one."""
        if self._settling is None and self._tail.size and (self._tail.size >= self._seal_at or now):
            self._settling = Settling(self._tail)
            self._tail = Tail()

    def settle(self, messages: int) -> Slice | None:
        """Write the next slice, as with so many new messages, if there is one to write. A crash makes some come again."""
        if self._settling is None:
            return None
        slice_ = self._settling.slice(messages)
        execute, executemany = self._connection.execute, self._connection.executemany
        executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", slice_.places)
        self._tallies.extend(slice_.places)
        executemany("UPDATE conversation SET last_seq = ?, last_msgid = ? WHERE id = ?", slice_.heads)
        for device, requests in slice_.requests:
            self.requests.settle(device, requests)
        if slice_.last:
            execute("INSERT OR REPLACE INTO setting VALUES ('settled', ?)", (self._settling.tail.last_msgid,))
        return slice_

    def settled(self, slice_: Slice) -> None:
        """The slice is durable."""
        assert self._settling is not None
        self._settling.done(slice_)
        if not slice_.last:
            return
        self._settling = None
        self.requests.forget()
        if len(self._heads) > HEADS:
            self._heads = {conversation: self._heads[conversation] for conversation in self._tail.runs}

    # -- reading

    def last_seq(self, conversation: int) -> int:
        """The highest seq ever given, 0 if none."""
        head = self._heads.get(conversation)
        return head if head is not None else self._settled_head(conversation) or 0

    def unsettled(self, conversations: Iterable[int]) -> set[int]:
        """Those of whose newest messages the tables do not tell yet."""
        wanted = set(conversations)
        return {conversation for tail in self.tails for conversation in wanted if conversation in tail.runs}

    def last_place(self, conversation: int, settled_seq: int, settled_msgid: int) -> tuple[int, int]:
        """(seq, msgid) of the newest message, given what the table says."""
        for tail in self.tails:
            run = tail.runs.get(conversation)
            if run is not None:
                return run.last, run.msgids[-1]
        return settled_seq, settled_msgid

    def messages(self, conversation: int, after: int, before: int, limit: int) -> list[Stored]:
        """The first `limit` messages with `after` < seq < `before`, upwards."""
        found: list[Stored] = []
        while (left := limit - len(found)) > 0:
            msgids: list[int] = []
            last = after
            for run in self._from(conversation, after, before):
                part = run.between(after, before)[: left - len(msgids)]
                msgids += part
                last = max(after + 1, run.first) + len(part) - 1
                if len(msgids) == left:
                    break
            found += self._fetch(msgids)
            if len(msgids) < left:
                break
            after = last  # if some of these were cut, look further
        return found

    def newest(self, conversation: int, before: int, limit: int) -> list[Stored]:
        """The last `limit` messages with seq < `before`, upwards."""
        stop = min(before, self.last_seq(conversation) + 1)
        return self.messages(conversation, max(stop - limit - 1, 0), stop, limit)

    def at(self, conversation: int, seq: int) -> Stored | None:
        """The message with that seq, if it was not cut."""
        return next(iter(self.messages(conversation, seq - 1, seq + 1, 1)), None)

    def foreign(self, user: int, conversation: int, after: int, through: int) -> int:
        """How many messages with `after` < seq <= `through` others than `user` have sent, without those that do not count."""
        runs = self._runs(conversation)
        settled = min(through, runs[0].first - 1) if runs else through
        return sum(
            (run.foreign(user, after, through) for run in runs), self._tallies.foreign(user, conversation, after, settled)
        )

    def message(self, msgid: int) -> Entry | None:
        """The message with that msgid, if it was not cut."""
        return find(self._chunk(msgid)[1], msgid)

    def _runs(self, conversation: int) -> list[Run]:
        """The unsettled messages, from old to new."""
        return [tail.runs[conversation] for tail in reversed(self.tails) if conversation in tail.runs]

    def _from(self, conversation: int, after: int, before: int) -> Iterator[Run]:
        """Blocks and runs that together hold the places with `after` < seq < `before`, upwards."""
        runs = self._runs(conversation)
        bound = min(before, runs[0].first) if runs else before
        if after + 1 < bound:
            yield from self._blocks(conversation, after, bound)
        yield from (run for run in runs if run.last > after)

    def _blocks(self, conversation: int, after: int, before: int) -> Iterator[Run]:
        """Of the settled messages only."""
        rows = self._connection.execute(
            "SELECT first_seq, entries FROM place WHERE conversation = ?1 AND first_seq < ?3 AND first_seq >= ifnull("
            "(SELECT max(first_seq) FROM place WHERE conversation = ?1 AND first_seq <= ?2 + 1), 0) ORDER BY first_seq",
            (conversation, after, before),
        )
        for first, block in rows:
            run = Run.of_block(first, block)
            if run.last > after:
                yield run

    def _fetch(self, msgids: Sequence[int]) -> list[Stored]:
        """The messages with these msgids, upwards; those that were cut are left out. A chunk is read once."""
        found: list[Stored] = []
        index = 0
        while index < len(msgids):
            index = select(self._chunk(msgids[index])[1], msgids, index, found)
        return found

    def _chunk(self, msgid: int) -> tuple[int, bytes]:
        """The chunk that holds the message if it was not cut: its key, and what is in it."""
        self.flush()
        row = self._connection.execute(
            "SELECT first_msgid, entries FROM log WHERE first_msgid <= ? ORDER BY first_msgid DESC LIMIT 1", (msgid,)
        ).fetchone()
        return row or (0, b"")

    def _settled_head(self, conversation: int) -> int | None:
        row = self._connection.execute("SELECT last_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
        return row[0] if row else None

    # -- cutting

    def cuttable(self, conversation: int, through: int, older_than: int, limit: int) -> list[Entry]:
        """The first `limit` settled messages with seq <= `through` and msgid < `older_than`."""
        runs = self._runs(conversation)
        bound = min(through + 1, runs[0].first) if runs else through + 1
        (first,) = self._connection.execute("SELECT first_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
        stored = self.messages(conversation, first - 1, bound, limit)
        found = (self.message(message.msgid) for message in stored if message.msgid < older_than)
        return [entry for entry in found if entry is not None]

    def cut(self, conversation: int, gone: Sequence[Entry]) -> None:
        """Delete these, the first ones of the conversation."""
        execute = self._connection.execute
        by_chunk: dict[int, tuple[bytes, list[int]]] = {}
        for entry in gone:
            key, data = self._chunk(entry.msgid)
            by_chunk.setdefault(key, (data, []))[1].append(entry.msgid)
        for key, (data, msgids) in by_chunk.items():
            rest = without(data, msgids)
            if rest:
                execute("UPDATE log SET entries = ? WHERE first_msgid = ?", (rest, key))
            else:
                execute("DELETE FROM log WHERE first_msgid = ?", (key,))
        last = gone[-1].seq
        execute("DELETE FROM place WHERE conversation = ? AND last_seq <= ?", (conversation, last))
        self._tallies.cut(conversation, last)
        execute("UPDATE conversation SET first_seq = ? WHERE id = ?", (last + 1, conversation))


def never_unread(record: bytes) -> bool:
    """Whether this Message is unread for nobody: what does not count, or was removed."""
    return not counts(record) or pb.Message.FromString(record).removed
