"""TCP and TLS connections to sessions and back."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from sys import intern
from typing import Final, cast

from rockdove.core.node import Node
from rockdove.core.session import Session
from rockdove.transport.proxied import Network, ProxiedServer
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import LOGIN_MS

BACKLOG: Final = 1_024  # connections that the kernel holds meanwhile: of more, the last would be gone when their turn comes
ACCEPTED_AT_ONCE: Final = 16  # connections in one turn: the loop takes one from each descriptor that listens
UNSENT_BYTES: Final = 64 * 1024  # beyond this the client counts as not reading
DEAD_PEER_MS: Final = 30_000  # data that nobody confirms for this long: the connection is gone (TCP_USER_TIMEOUT)


class Listener:
    """Accepts connections on one address, and counts them."""

    def __init__(self, node: Node, admit: Callable[[], bool], balancers: Sequence[Network] = ()) -> None:
        """`admit` says whether there is room for one more connection; those from `balancers` begin with a PROXY header."""
        self._node = node
        self._admit = admit
        self._servers: list[asyncio.Server | ProxiedServer] = []
        self._proxied = ProxiedServer(balancers, admit, self._accept, node.log) if balancers else None
        self.connections: set[Connection] = set()
        self.refused = 0  # for want of room, since the start

    @property
    def arriving(self) -> int:
        """Connections from balancers whose header is awaited."""
        return self._proxied.arriving if self._proxied else 0

    @property
    def headers_refused(self) -> int:
        """Connections from balancers that did not begin with a PROXY header, since the start."""
        return self._proxied.refused if self._proxied else 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; returns the port, which matters when port 0 was asked for. Raises OSError."""
        handshake_seconds = LOGIN_MS / 1000 if tls else None  # else a minute, in which nobody counts the connection
        if self._proxied:
            self._servers.append(self._proxied)
            await self._proxied.start(host, port, tls, BACKLOG, LOGIN_MS / 1000)
        else:
            serve = partial(
                asyncio.get_running_loop().create_server,
                self._accept,
                ssl=tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=handshake_seconds,
            )
            self._servers.append(await serve(host, port))
            for listening in list(self._servers[0].sockets):
                for _ in range(ACCEPTED_AT_ONCE - 1):
                    self._servers.append(await serve(sock=socket.socket(fileno=os.dup(listening.fileno()))))
        for listening in self._servers[0].sockets:  # connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
        return int(self._servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Accept no more. Connections go on."""
        for server in self._servers:
            server.close()

    def _accept(self, client: str = "") -> "Connection":
        full = not self._admit()
        self.refused += full
        return Connection(self._node, self.connections, client, full=full)


class Connection(asyncio.Protocol):
    """One socket: `core.ports.Link` to its session."""

    __slots__ = ("_client", "_connections", "_full", "_node", "_session", "_transport")

    _session: Session
    _transport: asyncio.Transport

    def __init__(self, node: Node, connections: "set[Connection]", client: str, *, full: bool) -> None:
        self._node = node
        self._connections = connections
        self._client = client  # its address, where a balancer told it; else it is the other end's
        self._full = full

    # -- from the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self._connections.add(self)
        if self._full:
            reason = "the server has all the connections it can hold: try again later"
            refused = pb.ConAck(status=pb.STATUS_FAIL, code=pb.RESOURCE_EXHAUSTED, reason=reason)
            transport.write(codec.frame(pb.Command(version=1, conack=refused)))
            transport.close()
            return
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        peer = transport.get_extra_info("peername")
        self._session = self._node.connect(self, self._client or (intern(peer[0]) if peer else ""))

    def data_received(self, data: bytes) -> None:
        if not self._full:
            self._session.receive(data, self._node.scheduler.now_ms())

    def pause_writing(self) -> None:
        self._session.pause_writing(self._node.scheduler.now_ms())

    def resume_writing(self) -> None:
        self._session.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._connections.discard(self)
        if not self._full:
            self._session.link_lost()
            del self._session  # nothing is left to wait for the garbage collector

    # -- from the session

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
