"""Devices in the SQLite file."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Caller, Device, DeviceState, Hold, KickDevice, User, UserState
from rockdove.store.sqlite.database import transaction
from rockdove.store.sqlite.tables import Tables

_Row = tuple[int, int | None, int, str]  # of a device: id, last_seqid, kicked_ms, client

_STATES: Final = tuple(UserState)  # by their values
_CALLER: Final = (  # who is in a conversation, or was, is a member of it
    "SELECT u.id, u.state, u.password_hash, u.credential_version, EXISTS (SELECT 1 FROM member m WHERE m.user = u.id),"
    " d.id, d.last_seqid, d.kicked_ms, d.client FROM user u LEFT JOIN device d ON d.user = u.id AND d.name = ?3"
    " WHERE u.tenant = ?1 AND u.name = ?2"
)


class Devices(Tables):
    """The devices of all users."""

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int = 0) -> Device:  # noqa: ARG002
        # There is one node, which knows itself who is here.
        row = self._row(user, name)
        if row is None:
            with transaction(self._connection):
                self._add_device(user, name, client, now_ms)
            row = self._row(user, name)
            assert row is not None
        elif row[3] != client:
            with suppress(StoreUnavailable), transaction(self._connection):  # the login is not worth less for it
                self._connection.execute("UPDATE device SET client = ? WHERE id = ?", (client, row[0]))
        return self._device(row)

    async def give_back(self, user: int, name: str, taken: Hold, before: Hold) -> None:
        """Nothing was taken."""

    def _add_device(self, user: int, name: str, client: str, now_ms: int) -> None:
        execute = self._connection.execute
        added = execute(
            "INSERT INTO device (user, name, client, last_seen_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (user, name, client, now_ms),
        ).fetchone()
        if added is None:
            return
        execute(
            "INSERT INTO cursor SELECT ?1, k.conversation, max(k.seq) FROM device d JOIN cursor k ON k.device = d.id"
            " WHERE d.user = ?2 GROUP BY k.conversation",
            (added[0], user),
        )

    async def device(self, user: int, name: str) -> Device | None:
        row = self._row(user, name)
        return self._device(row) if row else None

    def _row(self, user: int, name: str) -> _Row | None:
        row: _Row | None = self._connection.execute(
            "SELECT id, last_seqid, kicked_ms, client FROM device WHERE user = ? AND name = ?", (user, name)
        ).fetchone()
        return row

    def _device(self, row: _Row) -> Device:
        identity, settled_seqid, kicked_ms, _ = row
        return Device(identity, self._log.requests.highest(identity, settled_seqid, self._log.tails), kicked_ms)

    async def devices(self, user: int) -> Sequence[DeviceState]:
        rows = self._connection.execute(
            "SELECT id, name, client, last_seen_ms FROM device WHERE user = ? ORDER BY name", (user,)
        )
        return [DeviceState(*row) for row in rows]

    async def caller(self, tenant: int, user: str, device: str) -> Caller | None:
        row = self._connection.execute(_CALLER, (tenant, user, device)).fetchone()
        if row is None:
            return None
        identity, state, password_hash, credential_version, has_conversations, *rest = row
        account = User(identity, tenant, user, _STATES[state], password_hash, credential_version)
        if rest[0] is None:
            return Caller(account, None, "", bool(has_conversations))
        return Caller(account, self._device(rest), rest[3], bool(has_conversations))

    def _kick_devices(self, effects: Sequence[KickDevice]) -> None:
        self._connection.executemany(
            "UPDATE device SET kicked_ms = max(kicked_ms, ?) WHERE id = ?",
            [(effect.at_ms, effect.device) for effect in effects],
        )
