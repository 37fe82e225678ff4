"""The nodes of a database, as an operator sees them: also those that are gone."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rockdove.core.records import NodeState, NodeStatus
from rockdove.store.postgres.database import Database
from rockdove.store.postgres.nodes import LEASE

REMEMBERED_SECONDS: Final = 3_600  # for which those that are gone are listed

_LISTED: Final = (
    "SELECT n.number, n.name, n.version, n.started_ms, n.status, n.connections, n.bus_connected,"
    " (extract(epoch FROM n.seen) * 1000)::bigint, extract(epoch FROM clock_timestamp() - n.seen)::float8,"
    f" n.token <> 0 AND n.seen > now() - interval '{LEASE}'"
    f" FROM node n WHERE n.started_ms > 0 AND n.seen > now() - interval '{REMEMBERED_SECONDS} seconds' ORDER BY n.number"
)


class Listed(NamedTuple):
    """One node of the list."""

    state: NodeState
    seen_seconds: float  # ago
    living: bool


async def listed_nodes(database: Database) -> Sequence[Listed]:
    """The living nodes, and those that are gone for at most an hour, by number.

    Of those under one name only the newest and the living: a node that is started again has another number.
    """
    rows = await database.fetch(_LISTED)
    listed = [
        Listed(NodeState(number, name, version, started_ms, NodeStatus(status), connections, bus, seen_ms), ago, living)
        for number, name, version, started_ms, status, connections, bus, seen_ms, ago, living in rows
    ]
    newest: dict[str, int] = {}
    for each in listed:
        newest[each.state.name] = max(each.state.started_ms, newest.get(each.state.name, 0))
    return [each for each in listed if each.living or each.state.started_ms == newest[each.state.name]]
