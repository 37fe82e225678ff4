"""rockdove cluster: looking after the nodes that share a store."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import typer

from rockdove.cli.accounts import AsJson, StoreAddress
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.cli.terminal import printable
from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import NodeStatus
from rockdove.store import StoreError
from rockdove.store.postgres.database import Database, open_database, renew_epoch
from rockdove.store.postgres.roster import Listed, listed_nodes

Result = TypeVar("Result")

cluster = typer.Typer(help="Look after the nodes that share a store.", rich_markup_mode=None, add_completion=False)


@cluster.callback()
def only_by_name() -> None:
    """Look after the nodes that share a store."""


@cluster.command()
def status(store: StoreAddress = None, as_json: AsJson = False) -> None:
    """List the nodes that live, and those that ended within the last hour.

    Ends with 1 if one of them is not well, and says what to do.
    """
    nodes = _on(store, listed_nodes)
    problems = _problems(nodes)
    if as_json:
        print(json.dumps({"nodes": [_described(node) for node in nodes], "problems": problems}))
    else:
        _print_table(nodes)
    if problems:
        raise CommandError(*problems)


@cluster.command()
def restored(store: StoreAddress = None) -> None:
    """Give a database that has lost what was acknowledged a new epoch, so that clients forget how far they were.

    After a copy was restored, or a standby promoted that lacked something. No node may run meanwhile.
    """
    living = [node for node in _on(store, listed_nodes) if node.living]
    if living:
        raise CommandError(
            f"node {living[0].state.number} ({printable(living[0].state.name)}) serves this database: stop all nodes first"
        )
    _on(store, renew_epoch)
    print("the database has a new epoch: start the nodes")


def _on(store: str | None, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do this with the database. Raises CommandError."""
    if not store:
        raise wrong_usage("there is no --store: name the database that the nodes share; a data directory has one server")

    async def run() -> Result:
        database = await open_database(store)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (StoreError, StoreUnavailable) as error:
        raise CommandError(str(error)) from None


def _fate(node: Listed) -> str:
    """Ready or draining; left, when it ended in order; else dead."""
    if node.living:
        return str(node.state.status)
    return "left" if node.state.status is NodeStatus.DRAINING else "dead"


def _problems(nodes: Sequence[Listed]) -> list[str]:
    """What is not well, and what to do about it."""
    living = [node for node in nodes if node.living]
    problems = [] if living else ["no node serves this database: start one with rockdove serve --store"]
    for node in nodes:
        who = f"node {node.state.number} ({printable(node.state.name)})"
        if _fate(node) == "dead":
            ago = f"{node.seen_seconds:.0f} s"
            problems.append(f"{who} was seen {ago} ago for the last time: look at its log and its machine, and start it again")
        elif len(living) > 1 and node.living and not node.state.bus_connected:
            problems.append(f"{who} has no bus: its users hear of others late; look at its --bus, and at NATS")
    if len(versions := sorted({node.state.version for node in living})) > 1:
        problems.append(f"several versions serve together ({', '.join(map(printable, versions))}): finish the upgrade")
    return problems


def _described(node: Listed) -> dict[str, Any]:
    state = node.state
    return {
        "number": state.number,
        "name": state.name,
        "version": state.version,
        "status": _fate(node),
        "connections": state.connections if node.living else 0,
        "bus": state.bus_connected and node.living,
        "started_ms": state.started_ms,
        "seen_seconds_ago": round(node.seen_seconds, 1),
    }


def _print_table(nodes: Sequence[Listed]) -> None:
    rows = [("node", "name", "version", "status", "connections", "bus", "seen")]
    for node in map(_described, nodes):
        bus = "connected" if node["bus"] else "-"
        name, version = printable(node["name"]), printable(node["version"])
        seen = f"{node['seen_seconds_ago']:.0f} s ago"
        rows.append((str(node["number"]), name, version, node["status"], str(node["connections"]), bus, seen))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
