"""Devices in the SQLite file."""

from collections.abc import Sequence
from contextlib import suppress

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Device, DeviceState, Hold, KickDevice
from rockdove.store.sqlite.database import transaction
from rockdove.store.sqlite.tables import Tables

_Row = tuple[int, int | None, int, str]  # of a device: id, last_seqid, kicked_ms, client


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

    async def kicked_ms(self, user: int, device: str) -> int | None:
        row = self._connection.execute("SELECT kicked_ms FROM device WHERE user = ? AND name = ?", (user, device)).fetchone()
        return row[0] if row else None

    def _kick_devices(self, effects: Sequence[KickDevice]) -> None:
        self._connection.executemany(
            "UPDATE device SET kicked_ms = max(kicked_ms, ?) WHERE id = ?",
            [(effect.at_ms, effect.device) for effect in effects],
        )
