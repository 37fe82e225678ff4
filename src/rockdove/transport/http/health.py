"""How this node is: for load balancers, supervisors and Prometheus."""

from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def health_app(obstacle: Callable[[], str], metrics: Callable[[], bytes]) -> Starlette:
    """`/healthz` answers 200 while the event loop turns; `/readyz` likewise, but 503 and why while there is an `obstacle()`.

    `/metrics` answers with `metrics()`, in the text format of Prometheus.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        reason = obstacle()
        return PlainTextResponse(f"not ready: {reason}\n", 503) if reason else PlainTextResponse("ready\n")

    async def prometheus(_: Request) -> Response:
        return Response(metrics(), headers={"Content-Type": METRICS_TYPE})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", prometheus)])
