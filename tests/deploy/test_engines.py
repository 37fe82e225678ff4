"""What a cluster stands on: Patroni's file, read by Patroni, its settings in a real PostgreSQL; three real NATS servers."""

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nats
import pytest

from tests.deploy.files import DEADLINE_SECONDS, adapted, read_environment, read_yaml
from tests.deploy.ports import free_ports, wait_for_port
from tests.engines.postgres import PostgresServer, binaries
from tests.protocol.real import Certificate, client_tls

TOOLS = Path(sys.executable).parent
PATRONI = "postgresql/patroni.yml"
PASSWORD = "secret"


# ---------------------------------------------------------------- PostgreSQL


def validated(directory: Path, replacements: dict[str, object]) -> str:
    """What Patroni has against its file, with some changes; it wants to see etcd's port answered."""
    with socket.create_server(("127.0.0.1", 0)) as etcd:
        places: dict[str, object] = {f"pg{number}:2379": f"127.0.0.1:{etcd.getsockname()[1]}" for number in (1, 2, 3)}
        places |= {"/usr/lib/postgresql/17/bin": binaries(), "/var/lib/postgresql/17/main": directory / "data"}
        with free_ports(2) as (rest, database):
            places |= {"0.0.0.0:8008": f"127.0.0.1:{rest}", "0.0.0.0:5432": f"127.0.0.1:{database}"}
        file = adapted(PATRONI, directory, places | replacements)
        command = [TOOLS / "patroni", "--validate-config", file]
        environment = os.environ | read_environment("postgresql/patroni.env")
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert bool(done.returncode) == bool(done.stderr), done
    return done.stderr


def test_patroni_takes_its_file(tmp_path: Path) -> None:
    assert validated(tmp_path, {}) == ""


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [("ttl: 20", "ttl: soon", "ttl"), ("scope:", "scop:", "scope"), ("mode: true", "mode: maybe", "mode")],
)
def test_patroni_would_have_told_what_is_wrong(old: str, new: str, name: str, tmp_path: Path) -> None:
    assert name in validated(tmp_path, {old: new})


def test_postgresql_takes_the_settings(start_postgres: Callable[..., PostgresServer]) -> None:
    settings = dict(read_yaml(PATRONI)["bootstrap"]["dcs"]["postgresql"]["parameters"])
    cannot_here = {"shared_buffers": "16MB", "wal_compression": "on"}  # a small machine, and a PostgreSQL without lz4
    server = start_postgres(settings | cannot_here, durable=True)
    for name in ("synchronous_commit", "fsync", "full_page_writes"):
        assert server.sql(f"SHOW {name}") == "on"
    assert settings["synchronous_commit"] == "on"


def test_a_failover_needs_a_standby_that_has_everything() -> None:
    cluster = read_yaml(PATRONI)["bootstrap"]["dcs"]
    assert cluster["synchronous_mode"] is True
    assert cluster["synchronous_mode_strict"] is True
    assert cluster["ttl"] >= cluster["loop_wait"] + 2 * cluster["retry_timeout"]  # Patroni's rule


# ---------------------------------------------------------------- NATS


@pytest.fixture
def servers(tmp_path: Path, certificate: Certificate) -> Iterator[list[str]]:
    """The addresses for clients of three servers that run with the file."""
    with free_ports(9) as ports, ExitStack() as stack:
        clients, routes, monitors = ports[:3], ports[3:6], ports[6:]
        for number in range(3):
            places: dict[str, object] = {f"nats{each + 1}:6222": f"127.0.0.1:{routes[each]}" for each in range(3)}
            places |= {"0.0.0.0:4222": f"127.0.0.1:{clients[number]}", "0.0.0.0:6222": f"127.0.0.1:{routes[number]}"}
            places |= {"127.0.0.1:8222": f"127.0.0.1:{monitors[number]}", "/etc/nats/ca.pem": certificate.cert}
            places |= {"/etc/nats/cert.pem": certificate.cert, "/etc/nats/key.pem": certificate.key}
            (directory := tmp_path / str(number)).mkdir()
            file = adapted("nats/nats.conf", directory, places)
            environment = os.environ | {"NATS_NAME": f"nats{number + 1}", "NATS_PASSWORD": PASSWORD}
            subprocess.run([TOOLS / "nats-server", "-t", "-c", file], env=environment, check=True, timeout=DEADLINE_SECONDS)
            process = subprocess.Popen([TOOLS / "nats-server", "-c", file], env=environment, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            wait_for_port(clients[number], process)
        for port in monitors:
            wait_for_routes(port, 2)
        yield [f"127.0.0.1:{port}" for port in clients]


def wait_for_routes(port: int, others: int) -> None:
    """Until the server with that port for monitoring knows so many others."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    known: set[str] = set()
    while len(known) < others:
        assert time.monotonic() < deadline, f"it knows only {known}"
        with urlopen(f"http://127.0.0.1:{port}/routez", timeout=DEADLINE_SECONDS) as answer:
            known = {route["remote_name"] for route in json.load(answer)["routes"]}
        time.sleep(0.01)


def test_nats_servers_find_each_other_and_pass_news_on_over_tls(servers: list[str], certificate: Certificate) -> None:
    async def pass_on() -> bytes:
        options: dict[str, Any] = {"user": "rockdove", "password": PASSWORD, "tls": client_tls(certificate)}
        options["allow_reconnect"] = False
        first, last = [await nats.connect(f"tls://{address}", **options) for address in (servers[0], servers[-1])]
        heard = await last.subscribe("news")
        async with asyncio.timeout(DEADLINE_SECONDS), first, last:
            while True:  # what is rung before the other server knows of the subscription is lost
                await first.publish("news", b"rung")
                with suppress(nats.errors.TimeoutError):
                    return bytes((await heard.next_msg(0.1)).data)

    assert asyncio.run(pass_on()) == b"rung"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nats-py forgets to close what was refused
def test_nats_lets_nobody_in_without_the_password(servers: list[str], certificate: Certificate) -> None:
    async def connect() -> None:
        await nats.connect(f"tls://{servers[0]}", tls=client_tls(certificate), allow_reconnect=False, error_cb=_ignored)

    with pytest.raises(nats.errors.Error):
        asyncio.run(connect())
    gc.collect()  # what it forgot, here and not in somebody else's test


async def _ignored(_: Exception) -> None:
    pass
