"""A PostgreSQL database gets its schema once, whoever comes first, and is not used when it is not ours."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable

import pytest

from rockdove.store.postgres.database import DatabaseError, open_database
from tests.engines.postgres import PostgresServer
from tests.unit.cli.command import clean_environment

NODES = 6


def name_of(dsn: str) -> str:
    return dsn.rpartition("/")[2]


def opened(dsn: str) -> None:
    """Open it and close it again."""

    async def open_and_close() -> None:
        database = await open_database(dsn)
        await database.close()

    asyncio.run(open_and_close())


def refusal(dsn: str) -> str:
    with pytest.raises(DatabaseError) as caught:
        opened(dsn)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_programs_that_start_at_the_same_time_all_find_the_same_schema(postgres: PostgresServer, database: str) -> None:
    async def tenants() -> bytes:
        command = [sys.executable, "-m", "rockdove", "tenant", "list", "--store", database]
        program = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=clean_environment({})
        )
        out, error = await program.communicate()
        assert (program.returncode, error) == (0, b"")
        return out

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*(tenants() for _ in range(NODES)))

    assert len(set(asyncio.run(all_at_once()))) == 1
    assert postgres.sql("SELECT count(*) = max(number) FROM migration", name_of(database)) == "t"
    assert postgres.sql("SELECT string_agg(name, ',' ORDER BY name) FROM setting", name_of(database)) == "epoch,signing_key"
    assert postgres.sql("SELECT count(*) FROM tenant", name_of(database)) == "1"


def test_an_older_program_refuses_a_newer_schema(postgres: PostgresServer, store: str) -> None:
    postgres.sql("INSERT INTO migration VALUES (999, 'of a day to come')", name_of(store))
    assert refusal(store).endswith("; upgrade rockdove")
    assert "was written by a newer rockdove" in refusal(store)


def test_a_migration_that_was_changed_afterwards_is_refused(postgres: PostgresServer, store: str) -> None:
    postgres.sql("UPDATE migration SET checksum = 'another'", name_of(store))
    assert "has another schema 1 than this rockdove" in refusal(store)


def test_a_database_of_another_program_is_refused_and_left_alone(postgres: PostgresServer, database: str) -> None:
    postgres.sql("CREATE TABLE thing (number integer)", name_of(database))
    assert "holds tables of something else; make a database for rockdove alone" in refusal(database)
    assert (
        postgres.sql("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'", name_of(database))
        == "thing"
    )


def test_a_database_that_is_not_there_is_told(postgres: PostgresServer) -> None:
    line = refusal(postgres.dsn("none"))
    assert line.startswith(f"postgresql://127.0.0.1:{postgres.port}/none cannot be opened (")
    assert line.endswith("; check the address, and that it runs")


def test_a_database_that_does_not_hold_every_text_is_refused(postgres: PostgresServer) -> None:
    postgres.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert "is in LATIN1" in refusal(postgres.dsn("latin"))
    postgres.drop_database("latin")


def test_what_acknowledges_before_it_is_durable_is_refused(start_postgres: Callable[..., PostgresServer]) -> None:
    server = start_postgres({"synchronous_commit": "off"})
    assert "synchronous_commit" in refusal(server.dsn())


def test_of_several_hosts_the_one_that_takes_writes_is_used(start_postgres: Callable[..., PostgresServer]) -> None:
    primary = start_postgres()
    standby = start_postgres(standby_of=primary)
    hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"

    async def go_on() -> None:
        database = await open_database(f"postgresql://postgres@{hosts}/postgres")
        await database.fetch("SELECT 1")
        primary.kill()
        standby.promote()
        # On the connection that broke first, and then on a new one.
        assert await database.fetch("SELECT pg_is_in_recovery()") == [(False,)]
        await database.close()

    asyncio.run(go_on())
