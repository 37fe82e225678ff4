"""rockdove cluster tells how the nodes of a database are."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from tests.unit.cli.command import refused, rockdove, succeeded


def put(store: str, number: int, name: str, seen_seconds: float = 1, **columns: Any) -> None:
    """A row as a node leaves it, who said so that long ago."""
    fields = {"token": 7, "started_ms": 1_000 + number, "connections": 5, "bus_connected": True}
    fields |= {"version": "0.1.0", "status": "ready", "number": number, "name": name} | columns

    async def insert() -> None:
        connection = await asyncpg.connect(store)
        try:
            names, places = ", ".join(fields), ", ".join(f"${place}" for place in range(1, len(fields) + 1))
            seen = f"now() - interval '{seen_seconds} seconds'"
            await connection.execute(f"INSERT INTO node ({names}, seen) VALUES ({places}, {seen})", *fields.values())
        finally:
            await connection.close()

    asyncio.run(insert())


def listed(store: str) -> tuple[dict[str, dict[str, Any]], list[str], int]:
    """The nodes by name, the problems, the exit code."""
    result = rockdove("cluster", "status", "--store", store, "--json")
    told = json.loads(result.out)
    assert result.error.splitlines() == [f"rockdove: {problem}" for problem in told["problems"]]
    return {node["name"]: node for node in told["nodes"]}, told["problems"], result.code


def test_nodes_that_are_well_are_listed(store: str) -> None:
    put(store, 2, "blue", connections=7)
    put(store, 5, "red", status="draining")
    nodes, problems, code = listed(store)
    assert (problems, code) == ([], 0)
    assert [(node["number"], node["status"], node["connections"], node["bus"]) for node in nodes.values()] == [
        (2, "ready", 7, True),
        (5, "draining", 5, True),
    ]
    assert 1 <= nodes["blue"]["seen_seconds_ago"] < 10
    table = succeeded(rockdove("cluster", "status", "--store", store)).splitlines()
    assert table[0].split() == ["node", "name", "version", "status", "connections", "bus", "seen"]
    assert [line.split()[:6] for line in table[1:]] == [
        ["2", "blue", "0.1.0", "ready", "7", "connected"],
        ["5", "red", "0.1.0", "draining", "5", "connected"],
    ]


def test_a_database_that_nobody_serves_is_told(store: str) -> None:
    assert listed(store) == ({}, ["no node serves this database: start one with rockdove serve --store"], 1)


@pytest.mark.parametrize("token", [7, 0], ids=["not declared dead yet", "declared dead"])
def test_a_node_that_is_not_heard_of_is_dead(store: str, token: int) -> None:
    put(store, 2, "blue")
    put(store, 5, "red", 40, token=token)
    nodes, problems, code = listed(store)
    assert (nodes["red"]["status"], nodes["red"]["connections"], nodes["red"]["bus"], code) == ("dead", 0, False, 1)
    (problem,) = problems
    assert problem.startswith("node 5 (red) was seen 40 s ago")
    assert problem.endswith("start it again")


def test_a_node_that_ended_in_order_is_well_and_forgotten_after_an_hour(store: str) -> None:
    put(store, 2, "blue")
    put(store, 5, "red", 40, token=0, status="draining")
    put(store, 6, "grey", 3_700, token=0)
    nodes, problems, code = listed(store)
    assert ({name: node["status"] for name, node in nodes.items()}, problems, code) == ({"blue": "ready", "red": "left"}, [], 0)


def test_a_node_that_was_started_again_is_not_dead(store: str) -> None:
    put(store, 2, "blue", 40, token=0)
    put(store, 5, "blue")
    nodes, problems, code = listed(store)
    assert ([node["number"] for node in nodes.values()], problems, code) == ([5], [], 0)


def test_a_node_without_the_bus_is_told_where_there_are_others(store: str) -> None:
    put(store, 2, "blue", bus_connected=False)
    assert listed(store)[1:] == ([], 0)
    put(store, 5, "red")
    _, problems, code = listed(store)
    assert code == 1
    assert [problem.split(":")[0] for problem in problems] == ["node 2 (blue) has no bus"]


def test_several_versions_are_told(store: str) -> None:
    put(store, 2, "blue")
    put(store, 5, "red", version="0.2.0")
    assert listed(store)[1:] == (["several versions serve together (0.1.0, 0.2.0): finish the upgrade"], 1)


def test_a_name_cannot_command_the_terminal(store: str) -> None:
    put(store, 2, "\x1b[2Jblue", 40)
    result = rockdove("cluster", "status", "--store", store)
    assert "\x1b" not in result.out + result.error


def test_without_a_database_it_says_what_to_name() -> None:
    assert "name the database that the nodes share" in refused(rockdove("cluster", "status"), 2)


def test_a_database_that_is_not_there_is_told() -> None:
    assert "cannot be opened" in refused(rockdove("cluster", "status", "--store", "postgresql://127.0.0.1:9/nothing"))


def epoch(store: str) -> bytes:
    async def read() -> bytes:
        connection = await asyncpg.connect(store)
        try:
            return bytes(await connection.fetchval("SELECT value FROM setting WHERE name = 'epoch'"))
        finally:
            await connection.close()

    return asyncio.run(read())


def test_a_restored_database_gets_a_new_epoch_unless_somebody_serves_it(store: str) -> None:
    before = epoch(store)
    put(store, 2, "blue")
    error = refused(rockdove("cluster", "restored", "--store", store))
    assert "node 2 (blue) serves this database: stop all nodes first" in error
    assert epoch(store) == before
    put(store, 3, "red", seen_seconds=60)
    stop(store, 2)
    succeeded(rockdove("cluster", "restored", "--store", store))
    assert epoch(store) != before
    assert len(epoch(store)) == 8


def stop(store: str, number: int) -> None:
    async def free() -> None:
        connection = await asyncpg.connect(store)
        try:
            await connection.execute("UPDATE node SET token = 0 WHERE number = $1", number)
        finally:
            await connection.close()

    asyncio.run(free())
