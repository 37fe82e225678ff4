"""Connections that deliver in pieces, late, or not at all."""

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from tests.simulation.clock import MS, Clock, NodeScheduler

if TYPE_CHECKING:
    from rockdove.core.session import Session

UNSENT_BYTES: Final = 2_000  # on the server's side; beyond this the client counts as not reading
NEVER: Final = 1 << 60


class Peer(Protocol):
    """The client's end."""

    def received(self, connection: "Connection", data: bytes, written_ms: int) -> None:
        """Bytes came, which the server wrote at `written_ms`."""

    def lost(self, connection: "Connection") -> None:
        """The connection is gone."""


@dataclass
class Fate:
    """What will go wrong with a connection."""

    slowness_us: int = 500  # of each piece, on average
    break_up: int = NEVER  # the network dies after this many bytes to the server
    break_down: int = NEVER  # or to the client
    break_after_us: int = NEVER
    server_notices_us: int = NEVER  # half-open when never
    client_notices_us: int = NEVER

    @classmethod
    def of(cls, random: Random) -> "Fate":
        """Some bad luck, most of the time none."""
        fate = cls(slowness_us=random.choice([100, 500, 500, 2_000, 30_000]))
        match random.randrange(9):
            case 0:
                fate.break_up = random.randrange(60, 2_000)
            case 1:
                fate.break_down = random.randrange(200, 4_000)
            case 2:
                fate.break_after_us = random.randrange(1, 20_000) * MS
            case _:
                return fate
        if random.random() < 0.7:
            fate.server_notices_us = random.randrange(200) * MS
        if random.random() < 0.7:
            fate.client_notices_us = random.randrange(200) * MS
        return fate


class Connection:
    """Both directions of one connection; towards the server it is a `core.ports.Link`."""

    def __init__(self, number: int, clock: Clock, random: Random, peer: Peer, fate: Fate) -> None:
        self.number = number
        self.peer = peer
        self.fate = fate
        self.session: Session | None = None  # until the server knows that it is gone
        self.server: NodeScheduler  # of the node that has the session
        self.client_open = True
        self.client_reads = True
        self._clock = clock
        self._random = random
        self.broken = False  # nothing arrives any more; perhaps nobody has noticed
        self._closing = False
        self._up = bytearray()
        self._down: deque[tuple[int, bytes]] = deque()
        self._up_running = self._down_running = False
        self._reading_paused = self._writing_paused = False
        self._unsent = 0
        if fate.break_after_us < NEVER:
            clock.after(fate.break_after_us, lambda: self.break_off() if self.fate is fate else None)

    # -- the network

    def _delay_us(self) -> int:
        return self._random.randrange(2 * self.fate.slowness_us)

    def _piece(self, size: int) -> int:
        return size if self._random.random() < 0.7 else self._random.randint(1, size)

    def break_off(self) -> None:
        """Nothing arrives any more, on either side; each of them notices later, or never."""
        if self.broken:
            return
        self.broken = True
        if self.fate.server_notices_us < NEVER:
            self._clock.after(self.fate.server_notices_us, self._server_lost)
        if self.fate.client_notices_us < NEVER:
            self._clock.after(self.fate.client_notices_us, self._client_lost)

    def be_lucky(self) -> None:
        """From now on nothing goes wrong that has not yet."""
        self.fate = Fate()

    def server_died(self) -> None:
        """The server process is gone; the client is told by its kernel, unless the network is gone, too."""
        self.session = None
        if not self.broken:
            self.broken = True
            self._clock.after(self._delay_us(), self._client_lost)

    def _server_lost(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self.server.call(session.link_lost)

    def _client_lost(self) -> None:
        if self.client_open:
            self.client_open = False
            self.peer.lost(self)

    # -- the client's side

    def send(self, data: bytes) -> None:
        """The client writes."""
        self._up += data
        self._run_up()

    def hang_up(self) -> None:
        """The client closes its end, without waiting for anything."""
        self.client_open = False
        if not self.broken:
            self.broken = True
            self._clock.after(self._delay_us(), self._server_lost)

    def go_on_reading(self) -> None:
        """The client had stopped reading."""
        self.client_reads = True
        self._run_down()

    # -- to the server

    def _run_up(self) -> None:
        if not self._up_running and self._up and not self._reading_paused:
            self._up_running = True
            self._clock.after(self._delay_us(), self._step_up)

    def _step_up(self) -> None:
        self._up_running = False
        if self.broken or self.session is None or self._reading_paused or not self._up:
            return
        if self.server.frozen:
            self._up_running = True
            self.server.call(self._step_up)
            return
        size = min(self._piece(len(self._up)), self.fate.break_up)
        piece = bytes(self._up[:size])
        del self._up[:size]
        self.fate.break_up -= size
        if piece:
            self.session.receive(piece, self.server.now_ms())
        if self.fate.break_up == 0:
            self.break_off()
        self._run_up()

    def pause_reading(self) -> None:
        self._reading_paused = True

    def resume_reading(self) -> None:
        self._reading_paused = False
        self._run_up()

    # -- to the client

    def write(self, data: bytes) -> None:
        if self.session is None or self._closing:
            return
        self._down.append((self._clock.now_ms, data))
        self._unsent += len(data)
        if self._unsent > UNSENT_BYTES and not self._writing_paused:
            self._writing_paused = True
            self.session.pause_writing(self.server.now_ms())
        self._run_down()

    def _run_down(self) -> None:
        if not self._down_running and self._down and self.client_reads:
            self._down_running = True
            self._clock.after(self._delay_us(), self._step_down)

    def _step_down(self) -> None:
        self._down_running = False
        if self.broken or not self.client_reads or not self._down:
            return
        written_ms, data = self._down.popleft()
        size = min(self._piece(len(data)), self.fate.break_down)
        if size < len(data):
            self._down.appendleft((written_ms, data[size:]))
        self._unsent -= size
        self.fate.break_down -= size
        if size and self.client_open:
            self.peer.received(self, data[:size], written_ms)
        if self.fate.break_down == 0:
            self.break_off()
            return
        if self._writing_paused and self._unsent <= UNSENT_BYTES // 2 and self.session is not None:
            self._writing_paused = False
            self.server.call(self.session.resume_writing)
        if self._closing and not self._down:
            self._end()
        self._run_down()

    def close(self) -> None:
        self._closing = True
        if not self._down:
            self._end()

    def abort(self) -> None:
        self._closing = True
        self._down.clear()
        self._end()

    def _end(self) -> None:
        """The server's end is closed."""
        self._clock.after(0, self._server_lost)
        if not self.broken:
            self.broken = True
            self._clock.after(self._delay_us(), self._client_lost)
