"""Devices in the PostgreSQL database."""

from collections.abc import Sequence
from typing import Any, Final

from rockdove.core.records import Caller, Device, DeviceState, User, UserState
from rockdove.store.postgres.tables import Tables, from_order

_HIGHEST: Final = (
    "nullif(greatest(d.last_seqid, (SELECT max(r.seqid) FROM request r WHERE r.device = d.id),"
    " (SELECT max(c.last_seqid) FROM chunk c WHERE c.device = d.id)), -9223372036854775808)"
)
_DEVICE: Final = f"SELECT d.id, {_HIGHEST}, d.kicked_ms, d.login, d.holder FROM device d WHERE d.account = $1 AND d.name = $2"
_CALLER: Final = (
    f"SELECT a.id, a.state, a.password_hash, a.credential_version, d.client, d.id, {_HIGHEST}, d.kicked_ms, d.login, d.holder"
    " FROM account a LEFT JOIN device d ON d.account = a.id AND d.name = $3 WHERE a.tenant = $1 AND a.name = $2"
)

# Says who held the device before; waits for a login elsewhere that is under way.
LOG_IN: Final = (
    f"WITH d AS (SELECT * FROM device d WHERE d.account = $1 AND d.name = $2 FOR NO KEY UPDATE), l AS ("
    "UPDATE device SET client = $3, login = device.login + ($4 > 0)::int,"
    " holder = CASE WHEN $4 > 0 THEN $4 ELSE device.holder END FROM d WHERE device.id = d.id RETURNING device.id, device.login)"
    f" SELECT d.id, {_HIGHEST}, d.kicked_ms, l.login, d.holder FROM d JOIN l ON l.id = d.id"
)
GIVE_BACK: Final = "UPDATE device SET login = $5, holder = $6 WHERE account = $1 AND name = $2 AND login = $3 AND holder = $4"
NEW_DEVICE: Final = (
    "INSERT INTO device (account, name, client, last_seen_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING id"
)
SIBLING_CURSORS: Final = (
    "INSERT INTO cursor SELECT $1, k.conversation, max(k.seq) FROM device d JOIN cursor k ON k.device = d.id"
    " WHERE d.account = $2 AND d.id <> $1 GROUP BY k.conversation"
)


def device_of(row: Any) -> Device:
    """The record for what LOG_IN returns."""
    device, highest, *rest = row
    return Device(device, 0 if highest is None else from_order(highest), *rest)


class Devices(Tables):
    """The devices of all users."""

    async def device(self, user: int, name: str) -> Device | None:
        row = await self._rows.row(_DEVICE, user, name)
        return device_of(row) if row else None

    async def devices(self, user: int) -> Sequence[DeviceState]:
        rows = await self._rows.fetch(
            "SELECT id, name, client, last_seen_ms FROM device WHERE account = $1 ORDER BY name", user
        )
        return [DeviceState(*row) for row in rows]

    async def caller(self, tenant: int, user: str, device: str) -> Caller | None:
        row = await self._rows.row(_CALLER, tenant, user, device)
        if row is None:
            return None
        identity, state, password_hash, credential_version, client, *rest = row
        account = User(identity, tenant, user, UserState(state), password_hash, credential_version)
        # What is read here holds for no moment: whether there are conversations is asked when the device is open.
        return Caller(account, None if rest[0] is None else device_of(rest), client or "", has_conversations=True)
