"""haproxy and nginx before nodes: their files checked by themselves, and in use before a real node."""

import asyncio
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from rockdove import BlockingClient
from rockdove.core import quota
from rockdove.wire import im_pb2 as pb
from rockdove.wire import limits
from tests.conftest import StartServer
from tests.deploy.files import DEADLINE_SECONDS, adapted, needs, read
from tests.deploy.ports import free_ports, wait_for_port
from tests.process import PASSWORD, ServerProcess, add_users
from tests.protocol.real import Certificate, client_tls
from tests.raw import RawClient

SILENCE_SECONDS = 2.5 * limits.HEARTBEAT_SECONDS  # protocol §5 Heartbeat
NODES = ("node1", "node2", "node3")

needs_haproxy = needs("haproxy", "haproxy")
needs_nginx = needs("nginx", "nginx-core libnginx-mod-stream")


def test_proxies_wait_longer_than_a_node() -> None:
    files = read("haproxy/haproxy.cfg") + read("nginx/nginx.conf")
    waits = re.findall(r"^\s*(?:timeout (?:client|server)|proxy_timeout) (\d+)s", files, re.MULTILINE)
    assert len(waits) == 3
    assert all(int(seconds) > SILENCE_SECONDS for seconds in waits)


@needs_haproxy
@pytest.mark.parametrize("ends_tls", [False, True])
def test_haproxy_takes_its_file(certificate_with_key: Path, ends_tls: bool, tmp_path: Path) -> None:
    file = adapted("haproxy/haproxy.cfg", tmp_path, {name + ":": "127.0.0.1:" for name in NODES})
    environment = os.environ | {"CERTIFICATE": str(certificate_with_key) if ends_tls else ""}
    command = ["haproxy", "-c", "-dW", "-f", file]  # -dW: a warning is an error
    subprocess.run(command, env=environment, check=True, timeout=DEADLINE_SECONDS)


@needs_nginx
def test_nginx_takes_its_file(certificate: Certificate, tmp_path: Path) -> None:
    places = {
        "/etc/rockdove/cert.pem": certificate.cert,
        "/etc/rockdove/key.pem": certificate.key,
        "modules/": "/usr/lib/nginx/modules/",
    }
    file = adapted("nginx/nginx.conf", tmp_path, places | {name + ":": "127.0.0.1:" for name in NODES})
    command = ["nginx", "-t", "-p", tmp_path, "-c", file, "-g", f"pid {tmp_path}/pid;"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


class Balanced(NamedTuple):
    """A node, and the ports by which a balancer leads to it."""

    node: ServerProcess
    tcp: int
    tls: int

    def headers_refused(self) -> list[str]:
        """The samples of that metric which are not 0."""
        with urlopen(f"http://127.0.0.1:{self.node.port('http')}/metrics", timeout=DEADLINE_SECONDS) as answer:
            samples = re.findall(r"^rockdove_proxy_headers_refused_total.*", answer.read().decode(), re.MULTILINE)
        assert len(samples) == 2
        return [sample for sample in samples if not sample.endswith(" 0.0")]


@pytest.fixture
def node(tmp_path: Path, certificate: Certificate, start_server: StartServer) -> ServerProcess:
    """A node with the users alice and bob, behind balancers on this machine."""
    add_users(tmp_path / "data", ["alice", "bob"])
    listens = ["--http", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--cert", str(certificate.cert), "--key", str(certificate.key)]
    node = start_server(tmp_path / "data", *listens, "--proxy-protocol", "127.0.0.1")
    node.wait_for_event("ready")
    return node


@pytest.fixture(params=["ends_tls", "passes_tls"])
def through_haproxy(
    request: pytest.FixtureRequest, node: ServerProcess, tmp_path: Path, certificate_with_key: Path
) -> Iterator[Balanced]:
    """The node behind a haproxy. The file's other nodes are down."""
    with free_ports(3) as (tcp, tls, nobody):
        places: dict[str, object] = {"bind :5181": f"bind 127.0.0.1:{tcp}", "bind :5182": f"bind 127.0.0.1:{tls}"}
        for port, transport in ((5181, "tcp"), (5182, "tls")):
            places[f"node1:{port}"] = f"127.0.0.1:{node.port(transport)} port {node.port('http')}"
        places |= {f"{name}:": f"127.0.0.1:{nobody} port {nobody} #" for name in NODES[1:]}
        places["maxconn 200000"] = "maxconn 100"
        file = adapted("haproxy/haproxy.cfg", tmp_path, places)
        ends_tls = request.param == "ends_tls"
        environment = os.environ | {"CERTIFICATE": str(certificate_with_key) if ends_tls else ""}
        command = ["haproxy", "-db", "-f", file]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as proxy:
            try:
                wait_until_down(proxy, {f"nodes_{kind}/{name}" for kind in ("tcp", "tls") for name in NODES[1:]})
                yield Balanced(node, tcp, tls)
            finally:
                proxy.kill()


@pytest.fixture
def through_nginx(node: ServerProcess, tmp_path: Path, certificate: Certificate) -> Iterator[Balanced]:
    """The node behind an nginx, which ends TLS. The file's other nodes are down."""
    with free_ports(3) as (tcp, tls, nobody):
        places: dict[str, object] = {
            "/etc/rockdove/cert.pem": certificate.cert,
            "/etc/rockdove/key.pem": certificate.key,
            "modules/": "/usr/lib/nginx/modules/",
            "worker_processes auto": "worker_processes 1",
            "worker_connections 200000": "worker_connections 100",
            "worker_rlimit_nofile 1048576": "worker_rlimit_nofile 256",
            "listen 5181": f"listen 127.0.0.1:{tcp}",
            "listen 5182": f"listen 127.0.0.1:{tls}",
            "node1:5181": f"127.0.0.1:{node.port()}",
            "node1:5182": f"127.0.0.1:{node.port('tls')}",
        }
        places |= {f"{name}:{port} ": f"127.0.0.1:{nobody} " for name in NODES[1:] for port in (5181, 5182)}
        file = adapted("nginx/nginx.conf", tmp_path, places)
        command = ["nginx", "-p", tmp_path, "-c", file, "-g", f"daemon off; pid {tmp_path}/pid;"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as proxy:
            try:
                wait_for_port(tls, proxy)
                yield Balanced(node, tcp, tls)
            finally:
                proxy.terminate()


def wait_until_down(haproxy: subprocess.Popen[str], servers: set[str]) -> None:
    """Until it has found out that it cannot use those. Raises AssertionError when it ends before."""
    assert haproxy.stderr is not None
    for line in haproxy.stderr:
        servers = {server for server in servers if f"Server {server} is DOWN" not in line}
        if not servers:
            return
    raise AssertionError(f"haproxy ended; {servers} were not down")


@needs_haproxy
def test_messages_and_addresses_go_through_haproxy(through_haproxy: Balanced, certificate: Certificate) -> None:
    check_balanced(through_haproxy, certificate)


@needs_nginx
def test_messages_and_addresses_go_through_nginx(through_nginx: Balanced, certificate: Certificate) -> None:
    check_balanced(through_nginx, certificate)


def check_balanced(balanced: Balanced, certificate: Certificate) -> None:
    """Messages come through; who guesses passwords is stopped, and at the same balancer nobody else is."""
    with BlockingClient(f"127.0.0.1:{balanced.tcp}", user="alice", token=PASSWORD) as alice:
        assert alice.send("bob", "one").seq == 1
    with BlockingClient(f"127.0.0.1:{balanced.tls}", user="bob", token=PASSWORD, tls=client_tls(certificate)) as bob:
        assert bob.send("alice", "two").seq == 2
    asyncio.run(guess(balanced, client_tls(certificate)))
    assert balanced.headers_refused() == []


async def guess(balanced: Balanced, tls: ssl.SSLContext) -> None:
    async def login(address: str, token: str, port: int, tls: ssl.SSLContext | None) -> pb.Code:
        connection = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=(address, 0))
        async with RawClient(*connection) as client:
            return (await client.login("alice", token)).code

    for number in range(quota.FAILURES_PER_USER):
        port, context = ((balanced.tcp, None), (balanced.tls, tls))[number % 2]
        assert await login("127.0.0.7", "wrong", port, context) == pb.UNAUTHENTICATED
    for port, context in ((balanced.tcp, None), (balanced.tls, tls)):
        assert await login("127.0.0.7", PASSWORD, port, context) != pb.OK
        assert await login("127.0.0.8", PASSWORD, port, context) == pb.OK
