"""Contacts in the SQLite file."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rockdove.core.records import Contact, ContactState, PutContact
from rockdove.store.sqlite.log import Log
from rockdove.store.sqlite.tables import Tables

KNOWN_CONTACTS: Final = 200_000  # kept in memory

_COLUMNS: Final = "c.user, c.peer, c.state, c.blocked, c.remark, c.greeting, c.updated_ms, c.version"


class Contacts(Tables):
    """Every user's list. A message to a user looks at one row of the receiver's: those used lately are kept in memory."""

    def __init__(self, connection: sqlite3.Connection, log: Log) -> None:
        super().__init__(connection, log)
        self._known_contacts: dict[tuple[int, int], Contact] = {}

    def _forget_contacts(self) -> None:
        """What is known may have been rolled back."""
        self._known_contacts.clear()

    async def contact(self, user: int, peer: int) -> Contact:
        known = self._known_contacts
        key = user, peer
        found = known.get(key)
        if found is None:
            if len(known) >= KNOWN_CONTACTS:
                known.clear()
            row = self._connection.execute(f"SELECT {_COLUMNS} FROM contact c WHERE c.user = ? AND c.peer = ?", key).fetchone()
            found = known[key] = _contact(row) if row else Contact(user, peer)
        return found

    async def contact_version(self, user: int) -> int:
        (version,) = self._connection.execute("SELECT ifnull(max(version), 0) FROM contact WHERE user = ?", (user,)).fetchone()
        return int(version)

    async def contact_count(self, user: int) -> int:
        (count,) = self._connection.execute(
            "SELECT count(*) FROM contact WHERE user = ? AND (state <> ? OR blocked)", (user, ContactState.NONE)
        ).fetchone()
        return int(count)

    async def contacts(self, user: int, since: int, limit: int) -> Sequence[tuple[str, Contact]]:
        rows = self._connection.execute(
            f"SELECT u.name, {_COLUMNS} FROM contact c JOIN user u ON u.id = c.peer WHERE c.user = ? AND c.version > ?"
            " ORDER BY c.version LIMIT ?",
            (user, since, limit),
        )
        return [(name, _contact(row)) for name, *row in rows]

    async def contacts_between(self, pairs: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], Contact]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM json_each(?) a CROSS JOIN contact c"
            " ON c.user = json_extract(a.value, '$[0]') AND c.peer = json_extract(a.value, '$[1]')",
            (json.dumps(list(pairs)),),
        )
        found = {(contact.user, contact.peer): contact for contact in map(_contact, rows)}
        return {pair: found.get(pair) or Contact(*pair) for pair in pairs}

    async def sides_towards(self, peer: int, users: Collection[int]) -> Mapping[int, Contact]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM json_each(?) a CROSS JOIN contact c ON c.user = a.value AND c.peer = ?",
            (json.dumps(list(users)), peer),
        )
        return {contact.user: contact for contact in map(_contact, rows)}

    async def friends(self, user: int) -> Sequence[int]:
        rows = self._connection.execute(
            "SELECT peer FROM contact WHERE user = ? AND state = ? AND NOT blocked", (user, ContactState.FRIEND)
        )
        return [peer for (peer,) in rows]

    def _put_contacts(self, effects: Sequence[PutContact]) -> None:
        contacts = [effect.contact for effect in effects]
        self._connection.executemany(
            "INSERT INTO contact (user, peer, state, blocked, remark, greeting, updated_ms, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user, peer) DO UPDATE SET state = excluded.state,"
            " blocked = excluded.blocked, remark = excluded.remark, greeting = excluded.greeting,"
            " updated_ms = excluded.updated_ms, version = excluded.version",
            [(c.user, c.peer, c.state, c.blocked, c.remark, c.greeting, c.updated_ms, c.version) for c in contacts],
        )
        for contact in contacts:
            self._known_contacts.pop((contact.user, contact.peer), None)


def _contact(row: Sequence[Any]) -> Contact:
    user, peer, state, blocked, *rest = row
    return Contact(user, peer, ContactState(state), bool(blocked), *rest)
