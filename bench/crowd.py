"""Very many clients in one process: a socket and a number each. `connections.py` starts several of these.

Reads the Connect frames of all clients from a file. All connect and send heartbeats. Whoever is cut off, or gets no answer for
too long, comes back after a random, growing time, as the SDK does. Prints what there is, as JSON, twice a second.
"""

import argparse
import json
import random
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from errno import EINPROGRESS
from heapq import heappop, heappush
from pathlib import Path

from rockdove.client.backoff import Backoff
from rockdove.client.driver import CONNECT_SECONDS
from rockdove.client.protocol import LOGIN_SECONDS
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

SOURCE = "127.0.0.2"  # not where servers listen: they find their ports free when they start again
BIND_WITHOUT_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen by both ends, so other servers' clients may have it, too
PING = codec.frame(pb.Command(version=1, ping=pb.Ping()))
AT_ONCE = 64  # connections that are being made when all come for the first time
REPORT_SECONDS = 0.5


class Crowd:
    """The clients of one server."""

    def __init__(self, port: int, connects: Sequence[bytes], heartbeat_seconds: float) -> None:
        self._server = ("127.0.0.1", port)
        self._connects = connects
        self._heartbeat_seconds = heartbeat_seconds
        self._epoll = select.epoll()
        self._sockets: list[socket.socket | None] = [None] * len(connects)
        self._numbers: dict[int, int] = {}  # by file descriptor
        self._live = bytearray(len(connects))
        self._first = deque(range(len(connects)))  # who has not come yet
        self._due: list[tuple[float, int]] = []  # when who comes again
        self._backoffs = [Backoff(random.random) for _ in connects]
        self._patience = deque[tuple[float, int, int]]()  # until when each attempt may take: time, who, his how manieth
        self._attempts = [0] * len(connects)
        self._opening = 0
        self._beaten = 0.0  # heartbeats sent, and to be sent
        self._clock = time.monotonic()
        self.live = 0
        self.pongs = 0
        self.lost = 0  # connections
        self.turned_away = 0

    def run(self) -> None:
        """For ever."""
        reported = 0.0
        while True:
            now = time.monotonic()
            while self._first and self._opening < AT_ONCE:
                self._connect(self._first.popleft())
            while self._due and self._due[0][0] <= now:
                self._connect(heappop(self._due)[1])
            self._give_up(now)
            self._beat(now)
            if now - reported >= REPORT_SECONDS:
                reported = now
                figures = {"live": self.live, "pongs": self.pongs, "lost": self.lost, "turned_away": self.turned_away}
                print(json.dumps(figures), flush=True)
            for descriptor, event in self._epoll.poll(0.02, 512):
                number = self._numbers[descriptor]
                if event == select.EPOLLOUT:
                    self._log_in(number)
                else:
                    self._read(number)

    def _connect(self, number: int) -> None:
        client = self._sockets[number] = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_IP, BIND_WITHOUT_PORT, 1)
        client.bind((SOURCE, 0))
        self._opening += 1
        self._attempts[number] += 1
        self._patience.append((time.monotonic() + CONNECT_SECONDS + LOGIN_SECONDS, number, self._attempts[number]))
        self._numbers[client.fileno()] = number
        self._epoll.register(client, select.EPOLLOUT)
        if client.connect_ex(self._server) not in (0, EINPROGRESS):
            self._lose(number)

    def _give_up(self, now: float) -> None:
        """The server may not know of a connection that the kernel had no room for, and that the client has."""
        while self._patience and self._patience[0][0] <= now:
            _, number, attempt = self._patience.popleft()
            if attempt == self._attempts[number] and self._sockets[number] is not None and not self._live[number]:
                self._lose(number)

    def _log_in(self, number: int) -> None:
        client = self._of(number)
        self._epoll.modify(client, select.EPOLLIN)
        with suppress(OSError):  # what becomes of it is read
            client.send(self._connects[number])

    def _read(self, number: int) -> None:
        try:
            data = self._of(number).recv(4096)
        except OSError:
            data = b""
        if not data:
            self._lose(number)
        elif self._live[number]:
            self.pongs += 1
        else:
            self._take_answer(number, data)

    def _take_answer(self, number: int, data: bytes) -> None:
        decoder = FrameDecoder()
        decoder.feed(data)
        frame = next(decoder.frames())
        if pb.Command.FromString(frame).conack.status == pb.STATUS_OK:
            self._opening -= 1
            self._live[number] = True
            self.live += 1
            self._backoffs[number].reset()
        else:
            self.turned_away += 1
            self._lose(number)

    def _lose(self, number: int) -> None:
        client = self._of(number)
        del self._numbers[client.fileno()]
        client.close()
        self._sockets[number] = None
        if self._live[number]:
            self._live[number] = False
            self.live -= 1
            self.lost += 1
        else:
            self._opening -= 1
        heappush(self._due, (time.monotonic() + self._backoffs[number].next_delay(), number))

    def _beat(self, now: float) -> None:
        """Evenly over the time."""
        count = len(self._connects)
        due = self._beaten + (now - self._clock) * count / self._heartbeat_seconds
        self._clock = now
        for turn in range(int(self._beaten), int(due)):
            if self._live[turn % count]:
                with suppress(OSError):
                    self._of(turn % count).send(PING)
        self._beaten = due

    def _of(self, number: int) -> socket.socket:
        client = self._sockets[number]
        assert client is not None
        return client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connects", type=Path, help="file of Connect frames")
    parser.add_argument("--heartbeat", type=float, default=30, help="seconds")
    options = parser.parse_args()
    decoder = FrameDecoder()
    decoder.feed(options.connects.read_bytes())
    Crowd(options.port, [codec.varint(len(frame)) + frame for frame in decoder.frames()], options.heartbeat).run()


if __name__ == "__main__":
    main()
