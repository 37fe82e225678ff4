"""The data directory that is moved, as of one moment. Nothing is written to it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from rockdove.store.moving.tables import CONVERSATION, MESSAGE, REQUEST, Key, Row, Table
from rockdove.store.sqlite.chunk import entries
from rockdove.store.sqlite.database import lock_for_serving, open_unchanged
from rockdove.store.sqlite.log import Log, never_unread
from rockdove.store.sqlite.requests import from_order, to_order

_NAMES: Final = {"account": "user"}  # what is called otherwise in the SQLite file
_COUNTED: Final = ("user", "account_change", "chat_group")  # tables that never give an id again
_BEFORE_ALL: Final = -(1 << 63)


class Source:
    """Rows as the tables of the PostgreSQL database want them: out of chunks and blocks, with what is not settled yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` is within a transaction, which is that moment."""
        self._connection = connection
        self._log = Log(connection)
        self._readers: dict[str, Callable[[Key], Iterator[Row]]] = {
            CONVERSATION.name: self._conversations,
            MESSAGE.name: self._messages,
            REQUEST.name: self._requests,
        }
        (self.epoch,) = connection.execute("SELECT value FROM setting WHERE name = 'epoch'").fetchone()
        self.last_msgid = self._log.last_msgid  # the highest that was ever given

    def rows(self, table: Table, after: Key = ()) -> Iterator[Row]:
        """All rows above that key, upwards."""
        reader = self._readers.get(table.name)
        return reader(after) if reader else self._plain(table, after)

    def count(self, table: Table) -> int:
        """About how many rows there are."""
        statement = f"SELECT count(*) FROM {_name(table.name)} WHERE {table.only}"
        if table is MESSAGE:
            return sum(last - first + 1 for _, _, first, last, _ in self._conversations(()))
        if table is REQUEST:
            statement = "SELECT count(*) FROM request_expiry"
        (count,) = self._connection.execute(statement).fetchone()
        return int(count)

    def last_ids(self) -> Mapping[str, int]:
        """The highest id that was ever given, by the table in the PostgreSQL database."""
        given = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        last = {table: self._last_id(table) for table in ("tenant", "device")}
        return last | {("account" if table == "user" else table): given.get(table, 0) for table in _COUNTED}

    def _last_id(self, table: str) -> int:
        (last,) = self._connection.execute(f"SELECT ifnull(max(id), 0) FROM {table}").fetchone()
        return int(last)

    # -- tables

    def _plain(self, table: Table, after: Key) -> Iterator[Row]:
        """A table that has the same rows on both sides."""
        key = ", ".join(map(_name, table.key))
        above = f"AND ({key}) > ({', '.join('?' for _ in after)})" if after else ""
        cursor = self._connection.execute(
            f"SELECT {', '.join(map(_name, table.columns))} FROM {_name(table.name)} WHERE {table.only} {above} ORDER BY {key}",
            after,
        )
        if not table.flags:
            return cursor
        flags = [column in table.flags for column in table.columns]
        return (tuple(bool(value) if flag else value for value, flag in zip(row, flags, strict=True)) for row in cursor)

    def _conversations(self, after: Key) -> Iterator[Row]:
        rows = self._connection.execute(
            "SELECT id, tenant, first_seq, last_seq, last_msgid FROM conversation WHERE id > ? ORDER BY id",
            after or (_BEFORE_ALL,),
        )
        for conversation, tenant, first_seq, *settled in rows:
            yield (conversation, tenant, first_seq, *self._log.last_place(conversation, *settled))

    def _messages(self, after: Key) -> Iterator[Row]:
        (last,) = after or (0,)
        chunks = self._connection.execute(
            "SELECT entries FROM log WHERE first_msgid >="
            " ifnull((SELECT max(first_msgid) FROM log WHERE first_msgid <= ?), 0) ORDER BY first_msgid",
            (last,),
        )
        for (chunk,) in chunks:
            for msgid, conversation, seq, sender, device, seqid, digest, record in entries(chunk):
                if msgid > last:
                    yield msgid, conversation, seq, device, to_order(seqid), sender, not never_unread(record), digest, record

    def _requests(self, after: Key) -> Iterator[Row]:
        """Of messages that were cut; of others they are known with the message."""
        keys = self._connection.execute(
            "SELECT device, seqid FROM request_expiry WHERE (device, seqid) > (?, ?) ORDER BY device, seqid",
            after or (0, _BEFORE_ALL),
        )
        for device, seqid in keys:
            request = self._log.requests.find(device, from_order(seqid), self._log.tails)
            if request is not None:
                yield device, seqid, *request


@contextmanager
def reading(directory: Path) -> Iterator[Source]:
    """Look at the database in `directory`, which nobody serves meanwhile. Raises DataDirectoryError."""
    with closing(open_unchanged(directory)) as connection, lock_for_serving(directory):
        connection.execute("BEGIN")
        yield Source(connection)


def _name(name: str) -> str:
    return _NAMES.get(name, name)
