"""A node in a thread of its own, with real sockets."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rockdove.auth import TokenAuth
from rockdove.core.node import Node
from rockdove.core.ports import Accounts, Store
from rockdove.core.settings import Settings
from rockdove.server.app import Tokens
from rockdove.server.config import Address, Config
from rockdove.server.scheduler import LoopScheduler
from rockdove.transport.tcp import Listener
from tests.protocol.client import Client
from tests.protocol.storage import Storage
from tests.protocol.virtual import Journal
from tests.protocol.world import add_accounts

DEADLINE_SECONDS = 60  # for anything that a working server does at once, on however slow a machine


class Certificate(NamedTuple):
    """Files of a self-signed certificate for 127.0.0.1."""

    cert: Path
    key: Path


def make_certificate(directory: Path) -> Certificate:
    """Write a new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rockdove test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    files = Certificate(directory / "cert.pem", directory / "key.pem")
    files.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def client_tls(certificate: Certificate) -> ssl.SSLContext:
    """What a client needs that trusts this certificate alone."""
    return ssl.create_default_context(cafile=certificate.cert)


class SocketPipe:
    """`Pipe` over a real, blocking socket."""

    pings_to_settle = True

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ended = False

    def write(self, data: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):  # the server was faster
            self._connection.sendall(data)

    def more(self) -> bytes:
        try:
            data = self._connection.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.ended = not data
        return data

    def hang_up(self) -> None:
        self._connection.close()


class RealWorld:
    """`World` on TCP, or TLS when there is a certificate."""

    node: Node
    accounts: Accounts

    def __init__(self, storage: Storage, certificate: Certificate | None = None, **settings: Any) -> None:
        self.journal = Journal()
        self._settings = Settings(**settings)
        self._certificate = certificate
        self._pipes: list[SocketPipe] = []
        self._loop = uvloop.new_event_loop()
        self._thread = Thread(target=self._run)
        self._thread.start()
        self.do(self._start(storage))

    def _run(self) -> None:
        self._loop.run_forever()
        self._store.close()  # no timer may find it closed
        self._loop.close()

    async def _start(self, storage: Storage) -> None:
        self._store: Store
        self._store, self.accounts = storage.open()
        await add_accounts(self.accounts)
        self._auth = TokenAuth(await self.accounts.signing_key())
        scheduler = LoopScheduler(self._loop, self.journal.fault)
        self.node = Node(self._settings, self._store, self.accounts, self._auth, scheduler, Tokens(), self.journal)
        self.node.commit.on_failure(self.journal.fault)
        self._listener = Listener(self.node, lambda: True)
        self.port = await self._listener.start("127.0.0.1", 0, self._server_tls())
        self.node.start()

    def _server_tls(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        return Config(tls=Address("127.0.0.1", 0), cert=self._certificate.cert, key=self._certificate.key).tls_context()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_SECONDS)

    def connect(self, address: str = "") -> Client:
        connection = socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS)
        if self._certificate is not None:
            connection = client_tls(self._certificate).wrap_socket(connection, server_hostname="127.0.0.1")
        pipe = SocketPipe(connection)
        self._pipes.append(pipe)
        return Client(pipe)

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.hang_up()
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _stop(self) -> None:
        self._listener.stop()
        while self._listener.connections:
            for connection in list(self._listener.connections):
                connection.abort()
            await asyncio.sleep(0)
        stored = asyncio.Event()
        self.node.commit.then(stored.set)
        await stored.wait()
        self._auth.close()
