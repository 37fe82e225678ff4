"""HTTP beside the event loop's other work."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_SHUTDOWN_SECONDS = 1


class HttpServer:
    """An ASGI application on one address, in the running event loop."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                log_level="warning",
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; says on which port, which matters when port 0 was asked for. Raises OSError."""
        addresses = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        family, _, _, _, address = addresses[0]
        listener = socket.create_server(address[:2], family=family)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; requests under way have a second to end. Harmless when it was not started."""
        if self._serving:
            self._server.should_exit = True
            await self._serving


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever runs the loop."""
        yield
