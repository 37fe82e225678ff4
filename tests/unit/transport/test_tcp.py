"""Connections before they have a session."""

import asyncio
import socket
import ssl
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import uvloop

from rockdove.transport import tcp
from rockdove.transport.tcp import Listener
from tests.protocol.real import make_certificate


def test_who_connects_to_tls_and_does_not_begin_is_disconnected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LOGIN_MS", 100)
    files = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    async def connect() -> None:
        node: Any = None  # no session is made
        listener = Listener(node, lambda: True)
        port = await listener.start("127.0.0.1", 0, context)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
        listener.stop()

    uvloop.run(connect())


@pytest.mark.parametrize("balancers", [(), (ip_network("127.0.0.0/8"),)], ids=["direct", "behind a balancer"])
def test_a_connection_waits_for_no_company_and_not_for_ever_for_a_dead_client(balancers: tuple[IPv4Network, ...]) -> None:
    made: list[Any] = []

    def accept(link: Any, _: str) -> Any:
        made.append(link._transport.get_extra_info("socket"))
        return mock.Mock()

    async def connect() -> tuple[int, int]:
        node = mock.Mock(connect=accept)
        listener = Listener(node, lambda: True, balancers)
        port = await listener.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        async with asyncio.timeout(20):
            while not made:
                await asyncio.sleep(0.001)
        options = [made[0].getsockopt(socket.IPPROTO_TCP, option) for option in (socket.TCP_NODELAY, socket.TCP_USER_TIMEOUT)]
        writer.close()
        listener.stop()
        return options[0], options[1]

    assert uvloop.run(connect()) == (1, 30_000)
