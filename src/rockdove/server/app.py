"""The one place that knows all parts: build, start, drain, stop."""

import asyncio
import gc
import os
import resource
import secrets
import signal
import sqlite3
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any, Final

import structlog
import uvloop

from rockdove.auth import TokenAuth
from rockdove.core.errors import StoreFailed, StoreUnavailable
from rockdove.core.node import Node
from rockdove.core.ports import Log
from rockdove.core.records import NodeState
from rockdove.core.settings import DAY_MS, Settings
from rockdove.server.build import build
from rockdove.server.bus import make_bus
from rockdove.server.config import Address, Config
from rockdove.server.metrics import Metrics
from rockdove.server.pulse import Pulse
from rockdove.server.scheduler import LoopScheduler
from rockdove.server.storage import open_storage
from rockdove.transport.http import HttpServer
from rockdove.transport.http.health import health_app
from rockdove.transport.tcp import Listener

RESERVED_FILES: Final = (
    128  # descriptors kept for the database, connections being refused, and listeners, sixteen for each address
)
FAREWELL_SECONDS: Final = 3.0  # for clients to read their last frame
STORE_SECONDS: Final = 1.0  # for what the store has not answered when they have gone
SILENT_SECONDS: Final = 10.0  # of a shared store, after which no new clients should come here
GARBAGE_THRESHOLDS: Final = (10_000, 100, 1_000)  # objects live long: many small collections, in some 5 ms, and few large ones


class StartError(Exception):
    """The server cannot start; the text is one line that says what to do."""


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0, or 1 after the store failed.

    Raises StoreError and StartError.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Server(config, structlog.get_logger("rockdove").bind()).serve())
    except sqlite3.DatabaseError as error:
        raise StartError(
            f"the database in {config.data} cannot be read: {error}; look at the disk, or restore a backup"
        ) from None
    except (StoreUnavailable, StoreFailed) as error:
        raise StartError(str(error)) from None


class Tokens:
    """`core.ports.Randomness` from the operating system."""

    def token(self) -> str:
        return secrets.token_hex(8)


class _Server:
    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._over = asyncio.Event()  # everything is stored, or nothing will be any more
        self._exit_code = 0
        self._node: Node | None = None
        self._obstacle = "the server starts"  # to taking connections
        self._listeners: dict[str, Listener] = {}  # by transport
        self._max_connections = config.max_connections or _open_files_limit() - RESERVED_FILES

    async def serve(self) -> int:
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        async with AsyncExitStack() as stack:
            storage = await stack.enter_async_context(open_storage(self._config))
            auth = TokenAuth(await storage.accounts.signing_key(), self._config.resume_token_days)
            stack.callback(auth.close)
            loop = asyncio.get_running_loop()
            bus = make_bus(self._config, storage.store.epoch, self._log)
            node = self._node = Node(
                self._settings(),
                storage.store,
                storage.accounts,
                auth,
                LoopScheduler(loop, self._failed, at_once=not storage.store.shared),
                Tokens(),
                self._log,
                storage.nodes,
                bus,
                NodeState(0, self._config.node_name, version("rockdove"), time.time_ns() // 1_000_000),
            )
            node.commit.on_failure(self._failed)
            node.commit.figures.clock = time.perf_counter
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._signalled)
            if bus is not None:
                await bus.start()
                stack.push_async_callback(bus.stop)
            pulse = Pulse(lambda: node.neighbours.beats, self._log)
            http = await self._listen(node, pulse)
            node.start()
            gc.freeze()
            self._obstacle = ""
            self._log.info("ready", build=build(), store=storage.place, max_connections=self._max_connections)
            await self._stop.wait()
            self._obstacle = "the server stops"
            await self._drain(node)
            if http is not None:
                await http.stop()
        self._log.info("stopped", exit_code=self._exit_code)
        return self._exit_code

    def _settings(self) -> Settings:
        return Settings(
            heartbeat_seconds=self._config.heartbeat_seconds,
            max_frame_bytes=self._config.max_frame_bytes,
            window=self._config.window,
            device_expiry_ms=self._config.device_expiry_days * DAY_MS,
            group_max_members=self._config.group_max_members,
            logins_at_once=self._config.logins_at_once,
            logins_waiting=self._config.logins_waiting,
            maintenance_ms=self._config.maintenance_seconds * 1000,
        )

    # -- listening

    async def _listen(self, node: Node, pulse: Pulse) -> HttpServer | None:
        config = self._config
        http = None
        if config.http is not None:
            metrics = Metrics(node, self._listeners, pulse)
            http = HttpServer(health_app(lambda: self._unready(node, pulse), metrics.text), *config.http)
            await self._start("http", config.http, http.start())
        if config.tcp is not None:
            listener = self._listener("tcp", node)
            await self._start("tcp", config.tcp, listener.start(*config.tcp))
        if config.tls is not None:
            listener = self._listener("tls", node)
            await self._start("tls", config.tls, listener.start(*config.tls, config.tls_context()))
        return http

    def _unready(self, node: Node, pulse: Pulse) -> str:
        """Why no new clients should be sent here; empty if they should."""
        if not self._obstacle and node.store.shared and pulse.silent_seconds > SILENT_SECONDS:
            return f"the database has not answered for {pulse.silent_seconds:.0f} s"
        return self._obstacle

    def _listener(self, transport: str, node: Node) -> Listener:
        listener = self._listeners[transport] = Listener(node, self._has_room, self._config.proxy_protocol or ())
        return listener

    async def _start(self, transport: str, address: Address, starting: Coroutine[Any, Any, int]) -> None:
        try:
            port = await starting
        except OSError as error:
            number = error.errno or 0  # asyncio's own text repeats the address
            reason = (os.strerror(number) if number > 0 else error.strerror or str(error)).lower()
            raise StartError(f"cannot listen on {address}: {reason}; choose another address with --{transport}") from None
        self._log.info("listening", transport=transport, host=address.host, port=port)

    def _has_room(self) -> bool:
        here = 0
        for listener in self._listeners.values():
            here += len(listener.connections) + listener.arriving
        return here < self._max_connections

    def _connections(self) -> int:
        return sum(len(listener.connections) for listener in self._listeners.values())

    # -- stopping

    def _signalled(self) -> None:
        """The operator wants it to stop; the second time, not to take any time over it."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoreFailed):
            # What the disk holds is no longer known: acknowledge nothing more, and let a restart find out.
            self._log.error("store_failed", reason=str(error), action="the server stops")
            self._exit_code = 1
            if self._node is not None:
                self._node.commit.stop()
            self._stop.set()
            self._hurry.set()
            self._over.set()
            return
        try:
            raise error
        except Exception:
            self._log.exception("work_failed")

    async def _drain(self, node: Node) -> None:
        for listener in self._listeners.values():
            listener.stop()
        seconds = self._config.moving_seconds
        if not self._exit_code:
            self._log.info("draining", connections=self._connections(), seconds=seconds)
            node.drain(seconds * 1000)
            await self._wait_until_gone(seconds, self._hurry)
            node.drain()
            await self._wait_until_gone(FAREWELL_SECONDS, self._over)
            node.commit.then(self._over.set)
            with suppress(TimeoutError):  # a store that does not answer: nobody was told that anything is stored there
                async with asyncio.timeout(STORE_SECONDS):
                    await self._over.wait()
        for listener in self._listeners.values():
            for connection in list(listener.connections):
                connection.abort()

    async def _wait_until_gone(self, seconds: float, unless: asyncio.Event) -> None:
        """Wait until no client is here, so long at most."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._connections() and not unless.is_set():
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.01)


def _open_files_limit() -> int:
    """Raise the limit as far as we may; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard, RESERVED_FILES + 1)
