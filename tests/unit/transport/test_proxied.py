"""Connections behind a balancer, on real sockets: whose they are, which bytes are the client's, and who is closed."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from typing import Any

import pytest
import uvloop

from rockdove.transport import proxied, tcp
from rockdove.transport.proxied import Network
from rockdove.transport.tcp import Connection, Listener
from rockdove.wire import im_pb2 as pb
from tests.protocol.real import Certificate, client_tls, make_certificate

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
TEXT = b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 5181\r\n"
TEXT6 = b"PROXY TCP6 2001:DB8:0::7 ::1 40000 5181\r\n"
BINARY = SIGNATURE + bytes.fromhex("2111 0010 c0000207 7f000001 9c40 143d 04000100")  # with a TLV that says nothing
LOCAL = SIGNATURE + bytes.fromhex("2000 0000")
UNKNOWN = b"PROXY UNKNOWN\r\n"
ANSWERS = {TEXT: "192.0.2.7", TEXT6: "2001:db8::7", BINARY: "192.0.2.7", LOCAL: "127.0.0.1", UNKNOWN: "127.0.0.1"}
BALANCERS = [ip_network("10.0.0.0/8"), ip_network("127.0.0.1")]
OTHERS = [ip_network("10.0.0.0/8"), ip_network("127.0.0.2")]
WORDS = b"hello"
TLS_ALERT = 21


class Journal:
    """A node whose sessions answer with what they hear, after the address that they were given."""

    def __init__(self) -> None:
        self.log = self.scheduler = self
        self.events: list[tuple[str, dict[str, object]]] = []

    def now_ms(self) -> int:
        return 0

    def debug(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    def connect(self, link: Connection, address: str) -> "Echo":
        return Echo(link, address)


class Echo:
    """A session."""

    def __init__(self, link: Connection, address: str) -> None:
        self._link = link
        link.write(f"{address}\n".encode())

    def receive(self, data: bytes, now_ms: int) -> None:
        self._link.write(data)

    def link_lost(self) -> None:
        pass


class Caller:
    """The client's side of a connection, with TLS or without."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._received, self._written = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._received, self._written, server_hostname="127.0.0.1") if tls else None
        self._said = not tls

    async def begin(self, header: bytes, pieces: int = 1) -> None:
        """Say the header and the client's first bytes, in so many packets."""
        first = header + (self._step(self._tls.do_handshake) if self._tls else WORDS)
        for number in range(pieces):
            await self.send(first[number * len(first) // pieces : (number + 1) * len(first) // pieces])
            for _ in range(4):  # turns of the loop, which is the server's as well
                await asyncio.sleep(0)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def hear(self) -> bytes:
        """What comes next, without TLS; empty at the end."""
        heard = bytearray()
        while not heard:
            try:
                data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)
            except ConnectionResetError:
                data = b""
            if not data or not self._tls:
                return data
            self._received.write(data)
            await self.send(self._step(lambda: self._go_on(heard)))
        return bytes(heard)

    async def hear_all(self, last: bytes) -> bytes:
        """All that comes, up to these bytes, or to the end."""
        heard = bytearray()
        while not heard.endswith(last) and (more := await self.hear()):
            heard += more
        return bytes(heard)

    def _go_on(self, heard: bytearray) -> None:
        assert self._tls
        if not self._said:
            self._tls.do_handshake()
            self._tls.write(WORDS)
            self._said = True
        while data := self._tls.read():
            heard += data

    def _step(self, work: Callable[[], object]) -> bytes:
        """Go on with TLS as far as possible; what is to be sent for that."""
        with suppress(ssl.SSLWantReadError):
            work()
        return self._written.read()


class Door:
    """A listener, what its node was told, and callers."""

    port: int

    def __init__(self, tls: ssl.SSLContext | None, balancers: Sequence[Network], admit: Callable[[], bool]) -> None:
        self.journal = Journal()
        node: Any = self.journal
        self.listener = Listener(node, admit, balancers)
        self.callers: list[Caller] = []
        self._tls = tls

    def dial(self, tls: ssl.SSLContext | None = None) -> Caller:
        """Connect, and say nothing so far."""
        self.callers.append(Caller(self.port, tls))
        return self.callers[-1]

    async def call(self, header: bytes, pieces: int = 1) -> Caller:
        """Connect and begin."""
        caller = self.dial(self._tls)
        await caller.begin(header, pieces)
        return caller

    async def introduced(self, header: bytes, pieces: int = 1) -> str:
        """The address that the node was told; all that follows the header has come to the session."""
        caller = await self.call(header, pieces)
        heard = await caller.hear_all(b"\n" + WORDS)
        assert heard.endswith(b"\n" + WORDS), f"closed after {heard!r}"
        return heard.partition(b"\n")[0].decode()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def open_door(
    tls: Certificate | None = None, balancers: Sequence[Network] = BALANCERS, admit: Callable[[], bool] = lambda: True
) -> AsyncIterator[Door]:
    door = Door(client_tls(tls) if tls else None, balancers, admit)
    door.port = await door.listener.start("127.0.0.1", 0, server_tls(tls) if tls else None)
    try:
        async with asyncio.timeout(60):
            yield door
    finally:
        door.listener.stop()
        for caller in door.callers:
            caller.socket.close()
    await door.until(lambda: not door.listener.connections and not door.listener.arriving)


def server_tls(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["tcp", "tls"])
def tls(request: pytest.FixtureRequest, certificate: Certificate) -> Certificate | None:
    """A certificate where TLS follows the header."""
    return certificate if request.param == "tls" else None


@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_the_node_is_told_the_clients_address_and_nothing_of_the_header(tls: Certificate | None, pieces: int) -> None:
    async def scenario() -> None:
        async with open_door(tls) as door:
            for header, address in ANSWERS.items():
                assert await door.introduced(header, pieces) == address
            assert len(door.listener.connections) == len(ANSWERS)
            assert (door.listener.arriving, door.listener.headers_refused, door.journal.events) == (0, 0, [])

    uvloop.run(scenario())


def test_who_is_no_balancer_is_not_believed(tls: Certificate | None) -> None:
    async def scenario() -> None:
        async with open_door(tls, OTHERS) as door:
            assert await door.introduced(b"") == "127.0.0.1"
            caller = door.dial()
            await caller.begin(TEXT)
            heard = await caller.hear_all(WORDS)
            assert (not heard or heard[0] == TLS_ALERT) if tls else heard == b"127.0.0.1\n" + TEXT + WORDS
            assert door.listener.headers_refused == 0

    uvloop.run(scenario())


@pytest.mark.parametrize("header", [b"", b"PROXY TCP4 192.0.2.7\r\n", SIGNATURE + b"\x22\x11\0\x0c" + bytes(12)])
def test_a_balancer_without_a_header_is_closed_counted_and_logged(tls: Certificate | None, header: bytes) -> None:
    async def scenario() -> None:
        async with open_door(tls) as door:
            assert await (await door.call(header)).hear() == b""
            assert (door.listener.headers_refused, door.listener.connections) == (1, set())
            ((event, fields),) = door.journal.events
            assert (event, fields["address"]) == ("proxy_header_refused", "127.0.0.1")
            assert await door.introduced(BINARY) == "192.0.2.7"  # the next one is served

    uvloop.run(scenario())


def test_a_header_that_does_not_come_is_not_waited_for_long(tls: Certificate | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LOGIN_MS", 100)

    async def scenario() -> None:
        async with open_door(tls) as door:
            caller = door.dial()
            await caller.send(BINARY[:20])
            await door.until(lambda: door.listener.arriving == 1)
            assert await caller.hear() == b""
            assert (door.listener.arriving, door.listener.headers_refused) == (0, 1)
            assert door.journal.events[0][1]["reason"] == "its PROXY header did not come within 0.1 s"

    uvloop.run(scenario())


def test_a_handshake_that_does_not_follow_is_not_waited_for_long(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "LOGIN_MS", 100)

    async def scenario() -> None:
        async with open_door(certificate) as door:
            caller = door.dial()
            await caller.send(BINARY)
            assert await caller.hear() == b""
            assert (door.listener.arriving, door.listener.headers_refused) == (0, 0)

    uvloop.run(scenario())


@pytest.mark.parametrize(("said", "refused"), [(b"", 0), (BINARY[:20], 1)])
def test_who_ends_before_the_header_does_is_refused_unless_he_said_nothing(said: bytes, refused: int) -> None:
    async def scenario() -> None:
        async with open_door() as door:
            caller = door.dial()
            await caller.send(said)
            await door.until(lambda: door.listener.arriving == 1)
            caller.socket.close()
            await door.until(lambda: door.listener.arriving == 0)
            assert door.listener.headers_refused == refused

    uvloop.run(scenario())


def test_where_there_is_no_room_no_header_is_waited_for() -> None:
    async def scenario() -> None:
        async with open_door(admit=lambda: False) as door:
            caller = door.dial()
            data = await caller.hear()
            command = pb.Command.FromString(data[data[0] // 128 + 1 :])
            assert command.conack.code == pb.RESOURCE_EXHAUSTED
            assert door.listener.refused == 1

    uvloop.run(scenario())


def test_who_arrives_takes_room() -> None:
    async def scenario() -> None:
        async with open_door(admit=lambda: door.listener.arriving + len(door.listener.connections) < 2) as door:
            first, second = door.dial(), door.dial()
            await door.until(lambda: door.listener.arriving == 2)
            third = door.dial()
            assert await third.hear()
            assert door.listener.refused == 1
            for caller in (first, second):
                await caller.send(BINARY)
                assert await caller.hear() == b"192.0.2.7\n"
            assert door.listener.refused == 1

    uvloop.run(scenario())


def test_after_the_stop_nobody_arrives_and_who_is_in_stays(tls: Certificate | None) -> None:
    async def scenario() -> None:
        async with open_door(tls) as door:
            assert await door.introduced(TEXT) == "192.0.2.7"
            waiting = door.dial()
            await door.until(lambda: door.listener.arriving == 1)
            door.listener.stop()
            assert await waiting.hear() == b""
            assert door.listener.headers_refused == 0  # it was not waited for
            with pytest.raises(ConnectionRefusedError):
                door.dial()
            assert len(door.listener.connections) == 1

    uvloop.run(scenario())


def test_where_the_system_has_no_file_left_connections_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxied, "PAUSE_SECONDS", 0.01)
    accept, refusals = socket.socket.accept, iter([True, True])

    def seldom_accept(listening: socket.socket) -> Any:
        if next(refusals, False):
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", seldom_accept)

    async def scenario() -> None:
        async with open_door() as door:
            assert await door.introduced(TEXT) == "192.0.2.7"
            assert next(refusals, None) is None

    uvloop.run(scenario())


def test_an_address_that_is_taken_is_told_as_by_the_loop_itself() -> None:
    async def scenario() -> None:
        async with open_door() as door:
            listener = Listener(door.journal, lambda: True, BALANCERS)  # type: ignore[arg-type]
            with pytest.raises(OSError) as caught:  # noqa: PT011
                await listener.start("127.0.0.1", door.port)
            assert caught.value.errno == errno.EADDRINUSE
            listener.stop()

    uvloop.run(scenario())
