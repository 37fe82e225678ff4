"""Whether this node lives and should get traffic, for load balancers and supervisors."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def health_app(ready: Callable[[], bool]) -> Starlette:
    """`/healthz` answers 200 while the event loop turns, `/readyz` 200 while `ready()`, else 503."""

    async def healthz(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ready\n") if ready() else PlainTextResponse("not ready\n", 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
