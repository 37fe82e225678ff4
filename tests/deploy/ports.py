"""Ports on loopback for programs that cannot choose them by themselves."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.deploy.files import DEADLINE_SECONDS


@contextmanager
def free_ports(number: int) -> Iterator[list[int]]:
    """Ports that nobody else is given meanwhile. A server that sets SO_REUSEADDR, as most do, may listen there."""
    with ExitStack() as stack:
        ports = []
        for _ in range(number):
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
            ports.append(holder.getsockname()[1])
        yield ports


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process listens there. Raises AssertionError when it ends before."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody listens on port {port}; exit code {process.poll()}")
