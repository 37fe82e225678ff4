"""A node on virtual time: nothing happens between two calls of a test, and half a minute takes none."""

from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from heapq import heappop, heappush
from itertools import count, cycle
from traceback import format_exc, format_exception
from typing import Any

from rockdove.auth import TokenAuth
from rockdove.auth.password import verify_password
from rockdove.bus.local import Hub, LocalBus
from rockdove.core.node import Node
from rockdove.core.ports import Store
from rockdove.core.records import Batch, NodeState
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from tests.protocol.client import Client
from tests.protocol.storage import Storage
from tests.protocol.world import add_accounts

START_MS = 1_767_225_600_000  # 2026-01-01 UTC
SOCKET_BYTES = 64 * 1024  # what a connection takes without its client reading


class Gate:
    """Something that work waits for until a test opens it."""

    def __init__(self) -> None:
        self._open = False
        self._waiting: list[Callable[[], None]] = []

    def __await__(self) -> Generator["Gate", None, None]:
        if not self._open:
            yield self

    def wait(self, call: Callable[[], None]) -> None:
        self._waiting.append(call)

    def open(self) -> None:
        self._open = True
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


class Clock:
    """`core.ports.Scheduler` that moves when it is told to."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        """`on_error` gets what spawned work lets escape."""
        self._on_error = on_error
        self._now_ms = START_MS
        self._soon: deque[Callable[[], None]] = deque()
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        heappush(self._later, (self._now_ms + delay_ms, next(self._order), call))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            gate = work.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._on_error(error)
            return
        gate.wait(lambda: self.spawn(work))

    def now_ms(self) -> int:
        return self._now_ms

    def turn(self) -> None:
        """One turn of the loop."""
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    def settle(self) -> None:
        """Turn until nothing is left to do at this time."""
        while self._soon:
            self.turn()

    def advance(self, ms: int) -> None:
        """Let time pass, and everything happen that is due meanwhile."""
        self.settle()
        until_ms = self._now_ms + ms
        while self._later and self._later[0][0] <= until_ms:
            at_ms, _, call = heappop(self._later)
            self._now_ms = max(self._now_ms, at_ms)
            call()
            self.settle()
        self._now_ms = until_ms

    def forget(self) -> None:
        """Drop all that was going to happen."""
        self._soon.clear()
        self._later.clear()

    def leap(self, ms: int) -> None:
        """Let time pass without anything happening, as in a machine that sleeps."""
        self.settle()
        self._now_ms += ms


class Socket:
    """Both ends of one virtual connection: `core.ports.Link`, and the client's `Pipe`."""

    pings_to_settle = False

    def __init__(self, clock: Clock) -> None:
        self.session: Session
        self._clock = clock
        self._to_server = b""
        self._server_reads = True
        self._to_client = b""
        self._unsent = b""  # the client does not read
        self._client_reads = True
        self._paused = False
        self._closing = False
        self.ended = False

    # -- the server's end

    def write(self, data: bytes) -> None:
        if self._closing or self.ended:
            return
        if self._client_reads:
            self._to_client += data
            return
        self._unsent += data
        if len(self._unsent) > SOCKET_BYTES and not self._paused:
            self._paused = True
            self.session.pause_writing(self._clock.now_ms())

    def close(self) -> None:
        self._closing = True
        if not self._unsent:
            self.abort()

    def abort(self) -> None:
        if not self.ended:
            self.ended = self._closing = True
            self._clock.soon(self.session.link_lost)

    def pause_reading(self) -> None:
        self._server_reads = False

    def resume_reading(self) -> None:
        self._server_reads = True
        self._clock.soon(self._deliver)

    # -- the client's end

    def client_write(self, data: bytes) -> None:
        self._to_server += data
        self._deliver()

    def _deliver(self) -> None:
        if self._server_reads and self._to_server and not self._closing:
            data, self._to_server = self._to_server, b""
            self.session.receive(data, self._clock.now_ms())

    def more(self) -> bytes:
        self._clock.settle()
        data, self._to_client = self._to_client, b""
        return data

    def hang_up(self) -> None:
        self.abort()
        self._clock.settle()

    def stop_reading(self) -> None:
        """The client reads nothing more for now."""
        self._client_reads = False

    def read_again(self) -> None:
        """The client reads all that has waited, and goes on reading."""
        self._client_reads = True
        self._to_client += self._unsent
        self._unsent = b""
        if self._closing:
            self.abort()
        elif self._paused:
            self._paused = False
            self.session.resume_writing()

    @property
    def unread_bytes(self) -> int:
        """How much the server has written that the client has not read."""
        return len(self._unsent)

    @property
    def untaken_bytes(self) -> int:
        """How much the client has written that the server has not read."""
        return len(self._to_server)


class ClientEnd:
    """The client's `Pipe` of a `Socket`: both ends have a `write`."""

    pings_to_settle = False

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    @property
    def ended(self) -> bool:
        return self.socket.ended

    def write(self, data: bytes) -> None:
        self.socket.client_write(data)

    def more(self) -> bytes:
        return self.socket.more()

    def hang_up(self) -> None:
        self.socket.hang_up()


class Valve:
    """A store whose commits a test may hold back or let fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: list[tuple[Batch, Callable[[Exception | None], None]]] = []
        self.holds = False
        self.fails_with: Exception | None = None
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        if self.fails_with is not None:
            done(self.fails_with)
        elif self.holds:
            self._held.append((batch, done))
        else:
            self.commits += 1
            self._store.commit(batch, done)

    def release(self) -> None:
        """Commit what was held back, and hold back no more."""
        self.holds = False
        held, self._held = self._held, []
        for batch, done in held:
            self.commit(batch, done)


class PatientChecker:
    """Checks passwords on the spot, or when a test lets it."""

    def __init__(self) -> None:
        self.gate: Gate | None = None

    async def verify(self, password_hash: str, password: str) -> bool:
        if self.gate is not None:
            await self.gate
        return verify_password(password_hash, password)

    def close(self) -> None:
        pass


class Journal:
    """`core.ports.Log` that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self.faults: list[str] = []  # bugs of the server

    def debug(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    info = warning = error = debug

    def exception(self, event: str, **fields: object) -> None:
        self.faults.append(f"{event} {fields}\n{format_exc()}")

    def fault(self, error: Exception) -> None:
        """Note what spawned work has let escape."""
        self.faults.append("".join(format_exception(error)))


class Counter:
    """`core.ports.Randomness` without any."""

    def __init__(self) -> None:
        self._count = count(1)

    def token(self) -> str:
        return f"{next(self._count):016x}"


class Living:
    """`core.ports.Nodes`: all are there, as long as the world is."""

    def __init__(self, number: int, count: int) -> None:
        self.number = number
        self._states = [NodeState(of + 1, f"node{of + 1}", "", START_MS) for of in range(count)]

    async def beat(self, state: NodeState) -> Sequence[NodeState]:
        return [state if other.number == state.number else other for other in self._states]

    async def leave(self) -> None:
        pass


class VirtualWorld:
    """`World` on virtual time, of one node or of several that share a store and a prompt bus: connections take turns.

    `node` is the first one.
    """

    node: Node

    def __init__(self, storage: Storage, nodes: int = 1, **settings: Any) -> None:
        self.journal = Journal()
        self.clock = Clock(self.journal.fault)
        self._storage = storage
        self._settings = Settings(**settings)
        self._node_count = nodes
        self._sockets: list[Socket] = []
        self._open()
        self.do(add_accounts(self.accounts))
        self._start()

    def _open(self) -> None:
        store, self.accounts = self._storage.open()
        self.store = Valve(store)

    def _start(self) -> None:
        self.passwords = PatientChecker()
        auth = TokenAuth(self.do(self.accounts.signing_key()))
        auth.close()
        auth._passwords = self.passwords  # type: ignore[assignment]
        self.failures: list[Exception] = []
        self.randomness = Counter()
        self.hub = Hub()
        self.nodes = [self._make_node(auth, *self._cluster(self.hub, of + 1)) for of in range(self._node_count)]
        self.node = self.nodes[0]
        self._turns = cycle(self.nodes)
        self.clock.settle()

    def _cluster(self, hub: Hub, number: int) -> tuple[Living, LocalBus] | tuple[None, None]:
        """What a node has of the others."""
        if self._node_count == 1:
            return None, None
        return Living(number, self._node_count), hub.join(self.clock, self._next_turn)

    async def _next_turn(self, _: int) -> None:
        """What waits for an answer waits no longer than for it: time moves when a test says so."""
        gate = Gate()
        self.clock.soon(gate.open)
        await gate

    def _make_node(self, auth: TokenAuth, nodes: Living | None, bus: LocalBus | None) -> Node:
        node = Node(
            self._settings,
            self.store,  # type: ignore[arg-type]
            self.accounts,
            auth,
            self.clock,
            self.randomness,
            self.journal,
            nodes,
            bus,
        )
        node.commit.on_failure(self.failures.append)
        node.start()
        return node

    def connect(self, address: str = "192.0.2.1") -> Client:
        socket = Socket(self.clock)
        socket.session = next(self._turns).connect(socket, address)
        self._sockets.append(socket)
        return Client(ClientEnd(socket))

    def session_of(self, user: int, device: str) -> Session:
        """Where the device is logged in."""
        (session,) = filter(None, (node.registry.of_device(user, device) for node in self.nodes))
        return session

    def drain(self, within_ms: int = 0) -> None:
        """Have all nodes end."""
        for node in self.nodes:
            node.drain(within_ms)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            work.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("no store of these tests waits for anything")

    def crash(self) -> None:
        """The process is gone, whatever it was doing; another one starts on the same store."""
        for socket in self._sockets:
            socket.ended = True
        self._sockets.clear()
        self.clock.forget()
        self.store.close()
        self._open()
        self._start()

    def close(self) -> None:
        self.store.close()


def socket_of(client: Client) -> Socket:
    """The virtual connection of a client."""
    assert isinstance(client.pipe, ClientEnd)
    return client.pipe.socket
