"""Several nodes on one PostgreSQL and one NATS server, all real; each can be killed, frozen and started again."""

import asyncio
import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.engines.engine import HOST, free_port
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import ROCKDOVE, ServerProcess, add_users

SETTINGS = {"ROCKDOVE_HEARTBEAT_SECONDS": "2", "ROCKDOVE_DRAIN_SECONDS": "0"}


class Installation(AbstractContextManager["Installation"]):
    """The engines and the nodes. Nodes have names, and keep their ports while they are away. Close it in the end."""

    def __init__(
        self,
        directory: Path,
        names: Iterable[str] = ("one", "two"),
        *,
        durable: bool = False,
        standby: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`durable`: PostgreSQL writes to the disk before it says so. With `standby`, there is a synchronous standby.

        `settings` are those of the nodes, as environment variables.
        """
        self._directory = directory
        self._settings = SETTINGS | dict(settings or {})
        self._stack = ExitStack()
        try:
            self.postgres = self._stack.enter_context(closing(PostgresServer(durable=durable)))
            self.nats = self._stack.enter_context(closing(NatsServer()))
            self.database = self.postgres.create_database()
            self.store = self.postgres.dsn(self.database)
            if standby:
                self.standby = self._stack.enter_context(closing(PostgresServer(durable=durable, standby_of=self.postgres)))
                self.store = re.sub(r"(:\d+)/", rf"\1,{HOST}:{self.standby.port}/", self.store)
            self._ports = {name: free_port() for name in names}
            self.nodes: dict[str, ServerProcess] = {}
            self._ended: list[ServerProcess] = []
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for node in self.nodes.values():
            node.kill()  # one that is frozen, too
        self._stack.close()

    @classmethod
    def running(
        cls,
        directory: Path,
        users: Iterable[str],
        names: Sequence[str] = ("one", "two"),
        *,
        more: Sequence[str] = (),
        **options: Any,
    ) -> Self:
        """One whose nodes are ready; these users have PASSWORD. `more` nodes have a place, and are not started."""
        installation = cls(directory, (*names, *more), **options)
        try:
            for name in names:
                installation.start(name)
            installation.until_ready(*names)
            add_users(installation.store, users)
        except BaseException:
            installation.__exit__(None, None, None)
            raise
        return installation

    @property
    def ports(self) -> Sequence[int]:
        """Of all nodes, also of those that are away."""
        return list(self._ports.values())

    def port(self, name: str) -> int:
        """Where this node listens."""
        return self._ports[name]

    def start(self, name: str, program: Sequence[str] = (str(ROCKDOVE),)) -> ServerProcess:
        """Start a node; does not wait for it."""
        arguments = ["--store", self.store, "--bus", self.nats.url, "--node-name", name]
        arguments += ["--tcp", f"{HOST}:{self._ports[name]}"]
        node = ServerProcess(self._directory, *arguments, program=program, environment=self._settings)
        self.nodes[name] = node
        return node

    def until_ready(self, *names: str) -> None:
        """Wait until these nodes serve and hear the others."""
        for name in names:
            self.nodes[name].wait_for_event("bus_connected")
            self.nodes[name].wait_for_event("ready")

    def restart(self, name: str, program: Sequence[str] = (str(ROCKDOVE),)) -> None:
        """Start a node anew, and wait until it serves."""
        self.start(name, program)
        self.until_ready(name)

    def kill(self, name: str) -> None:
        """kill -9 of a node; harmless when it has ended."""
        self.nodes[name].kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP of a node: its connections stay open, and nothing is answered."""
        self.nodes[name].signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT, after `freeze`."""
        self.nodes[name].signal(signal.SIGCONT)

    def assert_no_fault(self) -> None:
        """No node has met a bug of its own. Restarted nodes: what the last one of that name has logged."""
        for name, node in self.nodes.items():
            faults = [line for line in node.log.splitlines() if re.search(r'"level": ?"error"|Traceback', line)]
            assert not faults, f"node {name}:\n" + "\n".join(faults[:5])


async def in_thread(call: object, *arguments: object) -> None:
    """Wait for other processes without holding up the clients."""
    await asyncio.to_thread(call, *arguments)  # type: ignore[arg-type]
