"""What a client keeps: unsent messages, its place in each conversation, its device id (one SQLite file, or memory)."""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rockdove.client.errors import OutboxInUse, OutboxUnusable
from rockdove.client.peer import Key

_MEMORY: Final = ":memory:"
_VERSION: Final = 1  # of the tables below; an unknown one is refused
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY,
    seqid  INTEGER NOT NULL,  -- 0 until the next login
    chat   INTEGER NOT NULL,
    peer   TEXT NOT NULL,
    body   BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS place (
    chat  INTEGER NOT NULL,
    peer  TEXT NOT NULL,
    acked INTEGER,  -- NULL until something was received
    own   TEXT NOT NULL,  -- JSON: [[first, last], ...] sent by this device, above acked
    PRIMARY KEY (chat, peer)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far this device has come in one conversation."""

    key: Key
    acked: int | None
    own: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Unsent:
    """A row of the outbox. `body` is the Message without what the server fills in; seqid 0: none given yet."""

    number: int
    seqid: int
    key: Key
    body: bytes


class Storage:
    """Every method is one durable transaction: it returns after the fsync. Raises OutboxUnusable when the disk fails.

    The file is for one user of one tenant, and for one process at a time. Without a path all is kept in memory.
    """

    def __init__(self, path: str | Path | None, owner: str) -> None:
        self.path = str(path) if path is not None else _MEMORY
        with self._failures():
            if path is not None:
                Path(path).touch(mode=0o600)  # it holds what was written to whom
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=0, check_same_thread=False)
            try:
                self._open(owner)
            except BaseException:
                self._db.close()
                raise

    def _open(self, owner: str) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise OutboxUnusable(self.path, "was written by a newer version")
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
        if self._setting("owner", owner) != owner:
            raise OutboxUnusable(self.path, f"belongs to {self._setting('owner', owner)}, not to {owner}")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutboxUnusable(self.path, f"cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
                raise OutboxInUse(self.path) from error
            raise OutboxUnusable(self.path, f"cannot be used: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._failures():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _setting(self, name: str, default: str) -> str:
        """The stored value; `default` is stored when there is none."""
        rows = self._rows("SELECT value FROM setting WHERE name = ?", name)
        if not rows:
            with self._transaction():
                self._set(name, default)
            return default
        return str(rows[0][0])

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._failures():
            return self._db.execute(query, values).fetchall()

    def _set(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, str(value)))

    # ---------------------------------------------------------------- who

    def device(self, chosen: str | None) -> str:
        """The device id: `chosen`, else the file's own, made at random once. In memory it is the device named ""."""
        if chosen is not None:
            return chosen
        return "" if self.path == _MEMORY else self._setting("device", secrets.token_hex(8))

    # ---------------------------------------------------------------- sending

    def unsent(self) -> Iterator[Unsent]:
        """The outbox, oldest first."""
        for number, seqid, chat, peer, body in self._rows("SELECT * FROM outbox ORDER BY number"):
            yield Unsent(number, seqid, (chat, peer), body)

    def add(self, key: Key, body: bytes, seqid: int) -> Unsent:
        """Keep a message until it is settled."""
        with self._transaction():
            cursor = self._db.execute("INSERT INTO outbox (seqid, chat, peer, body) VALUES (?, ?, ?, ?)", (seqid, *key, body))
        return Unsent(cursor.lastrowid or 0, seqid, key, body)

    def renumber(self, messages: Iterable[Unsent]) -> None:
        """Note the seqids that these messages have now."""
        with self._transaction():
            self._db.executemany(
                "UPDATE outbox SET seqid = ? WHERE number = ?", [(each.seqid, each.number) for each in messages]
            )

    def settle(self, number: int, place: Place | None) -> None:
        """Forget a message that has its final answer; `place` counts it as part of the conversation."""
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE number = ?", (number,))
            if place:
                self._put(place)

    # ---------------------------------------------------------------- receiving

    def epoch(self) -> int:
        """Of the store which the places speak of, 0 if none (protocol §3)."""
        return int(self._setting("epoch", "0"))

    def set_epoch(self, epoch: int) -> None:
        """Another store: all places are void."""
        with self._transaction():
            self._db.execute("DELETE FROM place")
            self._set("epoch", epoch)

    def places(self) -> Iterator[Place]:
        """All conversations."""
        for chat, peer, acked, own in self._rows("SELECT * FROM place"):
            yield Place((chat, peer), acked, tuple((first, last) for first, last in json.loads(own)))

    def save(self, places: Iterable[Place]) -> None:
        """Note how far the application has come."""
        with self._transaction():
            for place in places:
                self._put(place)

    def _put(self, place: Place) -> None:
        self._db.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", (*place.key, place.acked, json.dumps(place.own)))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
