"""Whether what is kept beside the log agrees with it: computed from every message, and compared with what the store answers."""

import heapq
import sqlite3
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from rockdove.core.records import GROUPS_END, Stored, counts, single_members
from rockdove.store.sqlite.chunk import entries
from rockdove.store.sqlite.database import DATABASE, DataDirectoryError, open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.store.visibility import parts
from rockdove.wire import im_pb2 as pb

PAGE: Final = 500  # messages compared at once
EVERY: Final = 1 << 31  # a limit that is never reached

_CONVERSATION, _MESSAGE, _READER = range(3)  # what a row is of
_Row = tuple[Any, ...]  # conversation, which of the three, and what is known of it

# Rules that concern rows of tables alone: what is wrong, and where.
_SIZES = (
    "SELECT g.id, g.size, iif(g.dissolved, 0, (SELECT count(*) FROM group_member m WHERE m.conversation = g.conversation)) AS n"
    " FROM chat_group g WHERE g.size <> n"
)
_ABSENT = (
    "SELECT g.user, g.conversation FROM group_member g LEFT JOIN member m"
    " ON m.user = g.user AND m.conversation = g.conversation WHERE m.user IS NULL"
)


class Totals(NamedTuple):
    """How much there was to check."""

    conversations: int
    messages: int
    groups: int
    cursors: int
    unread: int  # counts of unread messages


class Audit:
    """One look at a database, as of one moment. Needs 4 bytes of memory for each message of the longest conversation."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` is within a transaction, which is that moment."""
        self._connection = connection
        self._store = SqliteStore(connection)
        self._notes = sqlite3.connect("", isolation_level=None)  # a file of its own, gone at the end
        self._notes.execute("CREATE TABLE message (conversation, seq, msgid, sender, counted)")
        self._notes.execute("CREATE TABLE unread (user, conversation, count)")

    def close(self) -> None:
        """Let go of the notes."""
        self._notes.close()

    def totals(self) -> Totals:
        """Call it after `differences`."""
        tables = (
            (self._connection, "conversation"),
            (self._notes, "message"),
            (self._connection, "chat_group"),
            (self._connection, "cursor"),
            (self._notes, "unread"),
        )
        return Totals(*(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for connection, table in tables))

    async def differences(self) -> AsyncIterator[str]:
        """Everything that is not as it should be, a sentence each. Call it once."""
        self._notes.execute("BEGIN")
        self._note_messages()
        for conversation, rows in groupby(self._rows(), itemgetter(0)):
            async for difference in self._conversation(conversation, rows):
                yield f"{self._name(conversation)}: {difference}"
        async for difference in self._unread():
            yield difference
        async for difference in self._cursors():
            yield difference
        for group, size, members in self._connection.execute(_SIZES):
            yield f"group {group}: has {members} members, its size says {size}"
        for user, conversation in self._connection.execute(_ABSENT):
            yield f"{self._name(conversation)}: {self._user(user)} is a member, and has no place in it"

    # -- the log

    def _note_messages(self) -> None:
        insert = "INSERT INTO message VALUES (?, ?, ?, ?, ?)"
        for (chunk,) in self._connection.execute("SELECT entries FROM log ORDER BY first_msgid"):
            notes = [(e.conversation, e.seq, e.msgid, e.sender, _is_counted(e.record)) for e in entries(chunk)]
            self._notes.executemany(insert, notes)

    def _rows(self) -> Iterator[_Row]:
        """Of each conversation its own row, if there is one; then its messages by seq, and then who reads it."""
        conversations = f"SELECT id, {_CONVERSATION}, first_seq FROM conversation ORDER BY id"
        messages = (
            f"SELECT conversation, {_MESSAGE}, seq, msgid, sender, counted FROM message ORDER BY conversation, seq, msgid"
        )
        readers = f"SELECT conversation, {_READER}, user, read_seq, cleared_seq FROM member ORDER BY conversation, user"
        execute = self._connection.execute
        return heapq.merge(execute(conversations), self._notes.execute(messages), execute(readers))

    async def _conversation(self, conversation: int, rows: Iterator[_Row]) -> AsyncIterator[str]:
        first_seq, senders = 1, array("I")  # 0: of a message that is never unread
        for kind, some in groupby(rows, itemgetter(1)):
            if kind == _CONVERSATION:
                ((_, _, first_seq),) = some
            elif kind == _MESSAGE:
                async for difference in self._messages(conversation, first_seq, some, senders):
                    yield difference
            else:
                async for difference in self._readers(conversation, first_seq, some, senders):
                    yield difference
        last_seq = await self._store.last_seq(conversation)
        if last_seq != first_seq + len(senders) - 1:
            yield f"the log ends with seq {first_seq + len(senders) - 1}, the store says {last_seq}"

    async def _messages(
        self, conversation: int, first_seq: int, rows: Iterator[_Row], senders: "array[int]"
    ) -> AsyncIterator[str]:
        """Appends to `senders`, one for each seq from `first_seq` on."""
        last_msgid = 0
        while page := [row[2:] for row in islice(rows, PAGE)]:
            for seq, msgid, sender, counted in page:
                following = first_seq + len(senders)
                if seq < following:
                    yield f"seq {seq} is there twice, or was cut before"
                    continue
                if seq > following:
                    yield f"seqs {following} to {seq - 1} are missing"
                    senders.extend([0] * (seq - following))
                if msgid <= last_msgid:
                    yield f"seq {seq} has a lower msgid than the one before"
                senders.append(sender if counted else 0)
                last_msgid = msgid
            read = await self._store.messages(conversation, page[0][0] - 1, page[-1][0] + 1, PAGE)
            for difference in _compared([Stored(seq, msgid, sender, 0, b"") for seq, msgid, sender, _ in page], read):
                yield difference

    async def _readers(
        self, conversation: int, first_seq: int, rows: Iterator[_Row], senders: "array[int]"
    ) -> AsyncIterator[str]:
        last_seq = first_seq + len(senders) - 1
        for _, _, user, read_seq, cleared_seq in rows:
            if max(read_seq, cleared_seq) > last_seq:
                yield f"{self._user(user)} has read up to {read_seq} and cleared up to {cleared_seq}, beyond the end {last_seq}"
            unread = 0
            visible = await self._store.visible(user, conversation)
            for after, through in parts(visible, max(read_seq, first_seq - 1), last_seq):
                part = senders[after + 1 - first_seq : through + 1 - first_seq]
                unread += len(part) - part.count(user) - part.count(0)
            self._notes.execute("INSERT INTO unread VALUES (?, ?, ?)", (user, conversation, unread))

    # -- marks

    async def _unread(self) -> AsyncIterator[str]:
        notes = self._notes.execute("SELECT user, conversation, count FROM unread ORDER BY user, conversation")
        for user, rows in groupby(notes, itemgetter(0)):
            summaries = await self._store.summaries(user, 0, None, EVERY)
            answered = {summary.conversation: summary.unread for summary in summaries}
            for _, conversation, unread in rows:
                if answered.get(conversation, 0) != unread:
                    says = answered.get(conversation, 0)
                    yield f"{self._name(conversation)}: {self._user(user)} has {unread} unread, the store says {says}"

    async def _cursors(self) -> AsyncIterator[str]:
        rows = self._connection.execute(
            "SELECT d.user, d.name, k.conversation, k.seq FROM cursor k LEFT JOIN device d ON d.id = k.device"
        )
        for user, device, conversation, seq in rows:
            last_seq = await self._store.last_seq(conversation)
            if seq > last_seq:
                owner = "a device that is not known" if user is None else f"device {device!r} of {self._user(user)}"
                yield f"{self._name(conversation)}: {owner} has acknowledged {seq}, beyond the end {last_seq}"

    # -- names

    def _name(self, conversation: int) -> str:
        if conversation >= GROUPS_END:
            return " and ".join(self._user(user) for user in single_members(conversation))
        row = self._connection.execute("SELECT id FROM chat_group WHERE conversation = ?", (conversation,)).fetchone()
        return f"group {row[0]}" if row else f"conversation {conversation}"

    def _user(self, user: int) -> str:
        row = self._connection.execute("SELECT name FROM user WHERE id = ?", (user,)).fetchone()
        return str(row[0]) if row else f"user {user}"


@contextmanager
def auditing(directory: Path) -> Iterator[Audit]:
    """Look at the database in `directory` as of now; a server may run, and waits for nothing. Raises DataDirectoryError."""
    if not (directory / DATABASE).exists():
        raise DataDirectoryError(f"there is no database in {directory}; choose another data directory")
    with closing(open_database(directory)) as connection:
        for statement in ("PRAGMA query_only = ON", "PRAGMA temp_store = FILE", "BEGIN"):
            connection.execute(statement)
        with closing(Audit(connection)) as audit:
            yield audit


def _is_counted(record: bytes) -> bool:
    return counts(record) and not pb.Message.FromString(record).removed


def _compared(wanted: Sequence[Stored], read: Sequence[Stored]) -> Iterator[str]:
    """What is wrong with how the store finds these messages."""
    found = {message.seq: (message.msgid, message.sender) for message in read}
    for seq, msgid, sender, _, _ in wanted:
        if found.get(seq) != (msgid, sender):
            yield f"seq {seq} is in the log, and the store does not find it"
