"""The engines that tests run do what those tests rely on."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.engine import HOST, Engine, EngineError
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer

StartPostgres = Callable[..., PostgresServer]
StartNats = Callable[..., NatsServer]


def greeting(server: NatsServer) -> bytes:
    """What it says to who connects; TimeoutError where it says nothing."""
    with socket.create_connection((HOST, server.port), timeout=1) as client:
        return client.recv(4096)


def test_databases_are_copies_of_their_template_and_of_no_other(postgres: PostgresServer) -> None:
    template = postgres.create_database()
    postgres.sql("CREATE TABLE thing AS SELECT 7 AS number", template)
    copy, empty = postgres.create_database(template), postgres.create_database()
    assert postgres.sql("SELECT number FROM thing", copy) == "7"
    with pytest.raises(EngineError, match="thing"):
        postgres.sql("SELECT number FROM thing", empty)
    for name in (template, copy, empty):
        postgres.drop_database(name)


def test_a_database_is_new(postgres: PostgresServer, database: str) -> None:
    assert (
        postgres.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", database.rpartition("/")[2])
        == "0"
    )
    assert int(postgres.sql("SHOW max_connections")) >= 200


@pytest.mark.parametrize("end", [PostgresServer.kill, PostgresServer.stop])
def test_what_is_committed_outlives_a_postgres(start_postgres: StartPostgres, end: Callable[[Engine], None]) -> None:
    server = start_postgres(durable=True)
    server.sql("CREATE TABLE thing AS SELECT 7 AS number")
    before, dsn = server.pid, server.dsn()
    end(server)
    with pytest.raises(EngineError, match="refused"):
        server.sql("SELECT 1")
    server.start()
    assert server.sql("SELECT number FROM thing") == "7"
    assert server.pid != before
    assert server.dsn() == dsn


def test_a_paused_postgres_answers_later(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    server.pause()
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([*_psql(server), "-c", "SELECT 7"], timeout=1, check=False, capture_output=True)
    server.resume()
    assert server.sql("SELECT 7") == "7"


def test_a_synchronous_standby_has_all_that_was_committed(start_postgres: StartPostgres) -> None:
    primary = start_postgres()
    primary.sql("CREATE TABLE thing (number integer)")
    standby = start_postgres(standby_of=primary)
    primary.sql("INSERT INTO thing VALUES (7)")
    with pytest.raises(EngineError, match="read-only"):
        standby.sql("INSERT INTO thing VALUES (8)")
    primary.kill()
    standby.promote()
    assert standby.sql("INSERT INTO thing VALUES (8); SELECT string_agg(number::text, ',' ORDER BY number) FROM thing") == "7,8"


def test_nats_comes_back_at_the_same_address(start_nats: StartNats) -> None:
    server = start_nats()
    address = server.address
    assert greeting(server).startswith(b"INFO ")
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        greeting(server)
    server.start()
    assert server.address == address
    server.pause()
    with pytest.raises(TimeoutError):
        greeting(server)
    server.resume()
    assert greeting(server).startswith(b"INFO ")


def test_nats_takes_options(start_nats: StartNats, nats: NatsServer) -> None:
    assert b'"auth_required":true' in greeting(start_nats("--user", "rockdove", "--pass", "secret"))
    assert b'"auth_required":true' not in greeting(nats)
    with pytest.raises(EngineError, match="no-such-option"):
        start_nats("--no-such-option")


def test_nothing_is_left(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    directory, pid = server.directory, server.pid
    server.close()
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()


def _psql(server: PostgresServer) -> list[str]:
    return [str(Path(server.command()[0]).with_name("psql")), server.dsn()]
