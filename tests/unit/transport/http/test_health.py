"""Load balancers learn over HTTP whether this node lives and wants traffic."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from rockdove.transport.http import HttpServer
from rockdove.transport.http.health import health_app


async def get(port: int, path: str) -> tuple[int, str]:
    """Status and the whole answer to one GET, in lower case."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 60)).decode()
    writer.close()
    return int(answer.split()[1]), answer.lower()


def served(scenario: Callable[[int], Awaitable[None]], obstacle: Callable[[], str] = lambda: "") -> None:
    """Run `scenario` with the port of a server, in the same event loop."""

    async def serve() -> None:
        server = HttpServer(health_app(obstacle, lambda: b"figures 1\n"), "127.0.0.1", 0)
        port = await server.start()
        try:
            await scenario(port)
        finally:
            await server.stop()

    asyncio.run(serve())


def test_readiness_comes_and_goes_while_the_process_lives() -> None:
    obstacle = ["the server starts"]

    async def scenario(port: int) -> None:
        assert (await get(port, "/healthz"))[0] == 200
        assert (await get(port, "/readyz"))[0] == 503
        obstacle[0] = ""
        assert (await get(port, "/readyz"))[0] == 200
        obstacle[0] = "the server stops"
        status, answer = await get(port, "/readyz")
        assert status == 503
        assert answer.endswith("not ready: the server stops\n")
        assert (await get(port, "/healthz"))[0] == 200
        assert (await get(port, "/other"))[0] == 404

    served(scenario, lambda: obstacle[0])


def test_answers_do_not_tell_what_serves_them() -> None:
    async def scenario(port: int) -> None:
        assert "\r\nserver:" not in (await get(port, "/healthz"))[1]

    served(scenario)


def test_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def scenario(port: int) -> None:
        inside = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        await get(port, "/healthz")
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == inside
        assert inside[1] == before[1]

    served(scenario)


def test_a_port_in_use_is_an_os_error_and_a_stopped_server_frees_it() -> None:
    async def scenario() -> None:
        first = HttpServer(health_app(lambda: "", bytes), "127.0.0.1", 0)
        port = await first.start()
        second = HttpServer(health_app(lambda: "", bytes), "127.0.0.1", port)
        try:
            await second.start()
        except OSError:
            pass
        else:
            raise AssertionError("two servers on one port")
        await second.stop()  # harmless
        await first.stop()
        third = HttpServer(health_app(lambda: "", bytes), "127.0.0.1", port)
        assert await third.start() == port
        await third.stop()

    asyncio.run(scenario())


def test_metrics_are_text_for_prometheus() -> None:
    async def scenario(port: int) -> None:
        status, answer = await get(port, "/metrics")
        assert status == 200
        assert "content-type: text/plain; version=0.0.4; charset=utf-8\r\n" in answer
        assert answer.endswith("\r\n\r\nfigures 1\n")

    served(scenario)
