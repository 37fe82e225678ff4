"""haproxy and nginx before nodes: their files checked by themselves, haproxy's in use before a real node."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rockdove import BlockingClient
from rockdove.wire import limits
from tests.conftest import StartServer
from tests.deploy.files import DEADLINE_SECONDS, adapted, needs, read
from tests.deploy.ports import free_ports
from tests.process import PASSWORD, add_users
from tests.protocol.real import Certificate, client_tls

SILENCE_SECONDS = 2.5 * limits.HEARTBEAT_SECONDS  # protocol §5 Heartbeat
NODES = ("node1", "node2", "node3")

needs_haproxy = needs("haproxy", "haproxy")


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


@needs("nginx", "nginx-core libnginx-mod-stream")
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


@pytest.fixture
def through_haproxy(tmp_path: Path, certificate_with_key: Path, start_server: StartServer) -> Iterator[tuple[int, int]]:
    """The ports for TCP and TLS of a haproxy before a node with the users alice and bob. The file's other nodes are down."""
    add_users(tmp_path / "data", ["alice", "bob"])
    node = start_server(tmp_path / "data", "--http", "127.0.0.1:0")
    node.wait_for_event("ready")
    with free_ports(3) as (tcp, tls, nobody):
        places: dict[str, object] = {"bind :5181": f"bind 127.0.0.1:{tcp}", "bind :5182": f"bind 127.0.0.1:{tls}"}
        places["node1:5181"] = f"127.0.0.1:{node.port()} port {node.port('http')}"
        places |= {f"{name}:": f"127.0.0.1:{nobody} port {nobody} #" for name in NODES}
        places["maxconn 200000"] = "maxconn 100"
        file = adapted("haproxy/haproxy.cfg", tmp_path, places)
        environment = os.environ | {"CERTIFICATE": str(certificate_with_key)}
        command = ["haproxy", "-db", "-f", file]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as proxy:
            try:
                wait_until_down(proxy, {"nodes_tcp/node2", "nodes_tcp/node3"})
                yield tcp, tls
            finally:
                proxy.kill()


def wait_until_down(haproxy: subprocess.Popen[str], servers: set[str]) -> None:
    """Until it has found out that it cannot use those. Raises AssertionError when it ends before."""
    assert haproxy.stderr is not None
    for line in haproxy.stderr:
        servers = {server for server in servers if f"Server {server} is DOWN" not in line}
        if not servers:
            return
    raise AssertionError(f"haproxy ended; {servers} were not down")


@needs_haproxy
def test_messages_go_through_haproxy_also_where_it_ends_tls(through_haproxy: tuple[int, int], certificate: Certificate) -> None:
    tcp, tls = through_haproxy
    with BlockingClient(f"127.0.0.1:{tcp}", user="alice", token=PASSWORD) as alice:
        assert alice.send("bob", "one").seq == 1
    with BlockingClient(f"127.0.0.1:{tls}", user="bob", token=PASSWORD, tls=client_tls(certificate)) as bob:
        assert bob.send("alice", "two").seq == 2
