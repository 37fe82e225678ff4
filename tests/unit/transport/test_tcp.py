"""Connections before they have a session."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

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
