"""Listening behind balancers, which say whose connections they pass on."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from rockdove.core.ports import Log
from rockdove.transport.proxy_header import BINARY_BYTES, ProxyHeaderError, normal_address, parse_proxy_header

Network = IPv4Network | IPv6Network

ACCEPTED_AT_ONCE: Final = 32  # then it is the turn of these, so that few files are open that nobody has counted
PAUSE_SECONDS: Final = 1.0  # when the system has no file or memory for one more connection


class ProxiedServer:
    """Like the event loop's own server, but those who come from `balancers` begin with a PROXY header, or are closed.

    The header is taken out of the socket before the loop gets it. What follows, frames or TLS, goes the same way as without.
    """

    def __init__(
        self,
        balancers: Sequence[Network],
        has_room: Callable[[], bool],
        connect: Callable[[str], asyncio.Protocol],
        log: Log,
    ) -> None:
        """`connect` makes the protocol of a connection, from the client's address."""
        self._balancers = balancers
        self._has_room = has_room
        self._connect = connect
        self._log = log
        self.sockets: list[socket.socket] = []  # that listen
        self._introductions: set[asyncio.Task[None]] = set()
        self.arriving = 0  # connections whose header is awaited
        self.refused = 0  # for the want of a header, or a broken one

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None, backlog: int, seconds: float) -> None:
        """Listen. A header may take so many seconds, and then a handshake as many. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._seconds = seconds
        addresses = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(addresses):
                listening = socket.create_server(address, family=family, backlog=backlog)
                listening.setblocking(False)
                self.sockets.append(listening)
        except OSError:
            self.close()
            raise
        for listening in self.sockets:
            self._listen(listening)

    def close(self) -> None:
        """Accept no more. Connections go on, but not those that have not begun."""
        for listening in self.sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self.sockets.clear()
        for introduction in self._introductions:
            introduction.cancel()

    def _listen(self, listening: socket.socket) -> None:
        if listening in self.sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, peer = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(listening)
                self._loop.call_later(PAUSE_SECONDS, self._listen, listening)
                return
            connection.setblocking(False)
            introduction = self._loop.create_task(self._introduce(connection, peer[0]))
            self._introductions.add(introduction)
            introduction.add_done_callback(self._introductions.discard)

    async def _introduce(self, connection: socket.socket, peer: str) -> None:
        """From the first byte to a protocol."""
        try:
            address = await self._client(connection, peer)
        except (ProxyHeaderError, OSError) as error:
            if isinstance(error, ProxyHeaderError):
                self.refused += 1
                self._log.debug("proxy_header_refused", address=peer, reason=str(error))
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        with suppress(OSError):  # the client did not finish its handshake
            await self._loop.connect_accepted_socket(
                lambda: self._connect(address),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._seconds if self._tls else None,
            )

    async def _client(self, connection: socket.socket, peer: str) -> str:
        """The client's address. Raises ProxyHeaderError, or OSError when the connection is lost."""
        address = ip_address(normal_address(peer))
        if not any(address in network for network in self._balancers) or not self._has_room():
            return str(address)  # where there is no room it is refused without being read
        self.arriving += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read_header(connection) or str(address)
        except TimeoutError:
            raise ProxyHeaderError(f"its PROXY header did not come within {self._seconds:g} s") from None
        finally:
            self.arriving -= 1

    async def _read_header(self, connection: socket.socket) -> str | None:
        """Whom the header names, when it has come; not a byte more is taken out of the socket."""
        taken = b""
        while True:
            try:
                seen = connection.recv(BINARY_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                await self._readable(connection)
                continue
            if not seen and not taken:
                raise ConnectionResetError  # a balancer looks whether somebody listens
            if not seen:
                raise ProxyHeaderError("it ended within its PROXY header")
            header = parse_proxy_header(taken + seen)
            taken += connection.recv(header.length - len(taken) if header else len(seen))
            if header:
                return header.client

    async def _readable(self, connection: socket.socket) -> None:
        ready = asyncio.Event()
        self._loop.add_reader(connection, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_reader(connection)
