"""Thousands of light clients in one process: each is online somewhere, and comes back when it is cut off, as the SDK would."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Self

import jwt

from rockdove.client.backoff import Backoff
from rockdove.wire import im_pb2 as pb
from tests.engines.engine import HOST
from tests.raw import framed

BUSY_ATTEMPT = 4  # of the pauses, the first one after "too many are logging in": it is up to 8 s long


class Crowd:
    """Users for whom the tenant vouches, online at these ports, at the first one to begin with."""

    def __init__(self, names: Sequence[str], secret: str, ports: Sequence[int]) -> None:
        """`secret` is that of the tenant, with which it signs app tokens."""
        self.ports = ports
        self.members = [_Member(self, name, _app_token(name, secret)) for name in names]
        self.online = 0
        self.logins: list[float] = []  # when, by time.monotonic()
        self.turned_away = 0  # logins that had to come again
        self.leaving = False
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        for member in self.members:
            member.come(self.ports[0])
        await self.all_online()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leaving = True
        for member in self.members:
            member.hang_up()
        while self.online:
            await self._next()

    async def all_online(self) -> None:
        """Wait until everybody is."""
        while self.online < len(self.members):
            await self._next()

    async def nobody_online(self) -> None:
        """Wait until everybody is cut off, or has been, since the last login."""
        while self.online == len(self.members):
            await self._next()

    def changed(self) -> None:
        """Somebody came or went."""
        self._changed.set()

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class _Member(asyncio.Protocol):
    """One client. It reads no more than the answer to its login."""

    def __init__(self, crowd: Crowd, name: str, token: str) -> None:
        self._crowd = crowd
        self._name = name
        self._token = token
        self._backoff = Backoff(random.random)
        self._transport: asyncio.Transport | None = None
        self._online = False
        self._tried = 0
        self._data = b""
        self._connecting: asyncio.Task[None] | None = None

    def come(self, port: int) -> None:
        """Connect and log in."""
        self._connecting = asyncio.get_running_loop().create_task(self._connect(port))

    def hang_up(self) -> None:
        """Go for good."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _connect(self, port: int) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, HOST, port)
        except OSError:
            self._come_again()

    def _come_again(self, at_least_attempt: int = 0) -> None:
        self._tried += 1
        port = self._crowd.ports[self._tried % len(self._crowd.ports)]
        asyncio.get_running_loop().call_later(self._backoff.next_delay(at_least_attempt), self._come_if_wanted, port)

    def _come_if_wanted(self, port: int) -> None:
        if not self._crowd.leaving:
            self.come(port)

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""
        connect = pb.Connect(org="default", appkey="default", user=self._name, token=self._token, device="crowd")
        transport.write(framed(pb.Command(version=1, connect=connect)))

    def data_received(self, data: bytes) -> None:
        if self._online:
            return
        self._data += data
        frame = _first_frame(self._data)
        if frame is not None:
            self._logged_in(pb.Command.FromString(frame).conack)

    def _logged_in(self, conack: pb.ConAck) -> None:
        if conack.status == pb.STATUS_OK:
            self._token = conack.resume_token
            self._backoff.reset()
            self._online = True
            self._crowd.online += 1
            self._crowd.logins.append(time.monotonic())
            self._crowd.changed()
        else:
            assert conack.code == pb.UNAVAILABLE, conack
            self._crowd.turned_away += 1
            self._backoff.attempt = max(self._backoff.attempt, BUSY_ATTEMPT)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._online:
            self._online = False
            self._crowd.online -= 1
            self._crowd.changed()
        if not self._crowd.leaving:
            self._come_again()


def _app_token(name: str, secret: str) -> str:
    claims = {"sub": name, "org": "default", "appkey": "default", "exp": time.time() + 3600}
    return jwt.encode(claims, secret, algorithm="HS256")


def _first_frame(data: bytes) -> bytes | None:
    """None while it is not all there."""
    length = shift = 0
    for index, byte in enumerate(data):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            frame = data[index + 1 : index + 1 + length]
            return frame if len(frame) == length else None
    return None
