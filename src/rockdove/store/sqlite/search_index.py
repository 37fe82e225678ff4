"""The search index: a derived file beside the database, which may be lost at any time.

A document is a message, its rowid the msgid; for its tokens see store/tokens.py. What is found must still be looked at; see
store/searching.py.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.text import Terms
from rockdove.store.sqlite.database import BUSY_SECONDS, begin, transaction, translated
from rockdove.store.tokens import tokens_of, wanted_of

SEARCH_INDEX: Final = "search.db"

_FORMAT: Final = 1  # raise it when the tokens become others
_TOGETHER: Final = 200  # documents that share a transaction: by itself, one costs twice as much
_MERGE_PAGES: Final = 8  # of segments merged with each step: what it adds, and then some
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = NORMAL",  # what a power cut takes is indexed again
    "wal_autocheckpoint = 300",  # pages: little at a time, so that nobody waits for it
    "journal_size_limit = 4194304",
)
_TOKENIZER: Final = "\"ascii tokenchars '_$+<=>^`|~'\""  # splits at spaces: nothing else that is searched may separate
_SCHEMA: Final = (
    "CREATE TABLE progress (format INTEGER NOT NULL, epoch TEXT NOT NULL, last_msgid INTEGER NOT NULL)",
    f"CREATE VIRTUAL TABLE document USING fts5 (tokens, content = '', columnsize = 0, detail = none, tokenize = {_TOKENIZER})",
    "INSERT INTO document (document, rank) VALUES ('automerge', 0)",  # instead of now and then a lot, a little each time
    "INSERT INTO document (document, rank) VALUES ('crisismerge', 1000)",
)


class Document(NamedTuple):
    """A message as it is indexed."""

    msgid: int
    conversation: int
    text: str


class SearchIndex:
    """One file, opened when it is needed. One that is broken, or of another store, is silently begun anew.

    Methods raise StoreUnavailable when the index cannot be used now.
    """

    def __init__(self, path: Path, epoch: int, last_msgid: int) -> None:
        """`last_msgid` is the newest message of the store: an index that knows later ones is not of this store."""
        self._path = path
        self._epoch = str(epoch)
        self._newest = last_msgid
        self._connection: sqlite3.Connection | None = None
        self._last_msgid = 0
        self._uncommitted = 0  # documents

    @property
    def last_msgid(self) -> int:
        """The messages up to here are in the index."""
        with self._working():
            return self._last_msgid

    def close(self) -> None:
        """Let go of the file, after a commit."""
        if self._connection is not None:
            with suppress(StoreUnavailable):  # what is missing is indexed again
                self.commit()
        self._let_go()

    # -- writing

    def add(self, documents: Iterable[Document], last_msgid: int) -> None:
        """Take these in, and note that all up to `last_msgid` is in. One that was in already is found by both texts.

        Later calls share the transaction; there is a commit now and then.
        """
        rows = [(document.msgid, _tokens(document)) for document in sorted(documents)]
        with self._working() as connection:
            begin(connection)
            connection.executemany("INSERT INTO document (rowid, tokens) VALUES (?, ?)", rows)
            connection.execute("INSERT INTO document (document, rank) VALUES ('merge', ?)", (_MERGE_PAGES,))
            connection.execute("UPDATE progress SET last_msgid = ?", (last_msgid,))
            self._last_msgid = last_msgid
            self._newest = max(self._newest, last_msgid)  # the store's, as we know now
            self._uncommitted += len(rows)
        if self._uncommitted >= _TOGETHER:
            self.commit()

    def replace(self, before: Document, after: Document) -> None:
        """A message that is in has another text now. With a commit."""
        with self._working() as connection:
            begin(connection)
            connection.execute(
                "INSERT INTO document (document, rowid, tokens) VALUES ('delete', ?, ?)", (before.msgid, _tokens(before))
            )
            connection.execute("INSERT INTO document (rowid, tokens) VALUES (?, ?)", (after.msgid, _tokens(after)))
        self.commit()

    def commit(self) -> None:
        """Keep what was taken in, also if the process is killed."""
        with self._working() as connection:
            if connection.in_transaction:
                connection.execute("COMMIT")
            self._uncommitted = 0

    def clear(self) -> None:
        """Begin anew, in a new file."""
        self._remove()

    def pack(self) -> None:
        """Make it as small and as quick as it can be. Takes seconds for a million messages."""
        with self._working() as connection:
            for statement in (
                "INSERT INTO document (document) VALUES ('optimize')",
                "VACUUM",
                "PRAGMA wal_checkpoint(TRUNCATE)",
            ):
                connection.execute(statement).fetchall()

    # -- reading

    def find(self, terms: Terms, conversations: Sequence[int], since: int, before: int) -> Iterator[int]:
        """Msgids in [since, before), downwards: of all messages of these conversations that hold the terms, and of others."""
        query = " OR ".join(_expression(terms, conversation) for conversation in conversations)
        with self._working() as connection:
            rows = connection.execute(
                "SELECT rowid FROM document WHERE document MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC",
                (query, since, before),
            )
            for (msgid,) in rows:
                yield msgid

    # -- the file

    @contextmanager
    def _working(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._open()
            assert self._connection is not None
            yield self._connection
        except (sqlite3.Error, StoreFailed, StoreUnavailable, OSError) as error:
            if isinstance(error, StoreFailed) or not _passes(error):
                self._remove()
            else:
                self._let_go()  # and go on, the next time, from what was committed
            raise StoreUnavailable(f"the search index cannot be used now: {error}") from error

    def _open(self) -> None:
        try:
            fits = self._connect()
        except sqlite3.Error as error:
            if _passes(error):
                raise
            fits = False
        if not fits:
            self._remove()
            self._connect()

    def _connect(self) -> bool:
        """Open the file, made when it is missing; say whether it is an index of this store."""
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        with transaction(self._connection):
            if not self._connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self._connection.execute("INSERT INTO progress VALUES (?, ?, 0)", (_FORMAT, self._epoch))
            made, epoch, self._last_msgid = self._connection.execute("SELECT * FROM progress").fetchone()
        return (made, epoch) == (_FORMAT, self._epoch) and self._last_msgid <= self._newest

    def _let_go(self) -> None:
        self._uncommitted = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _remove(self) -> None:
        self._let_go()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()


def _passes(error: Exception) -> bool:
    """Whether it may go well the next time, with the same file."""
    return isinstance(error, OSError | StoreUnavailable) or (
        isinstance(error, sqlite3.Error) and isinstance(translated(error), StoreUnavailable)
    )


def _tokens(document: Document) -> str:
    return " ".join(tokens_of(document.conversation, document.text))


def _expression(terms: Terms, conversation: int) -> str:
    """In FTS5's language."""
    wanted = wanted_of(conversation, terms)
    return "(" + " AND ".join(f'"{token}"{"*" if is_beginning else ""}' for token, is_beginning in wanted) + ")"
