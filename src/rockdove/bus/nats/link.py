"""One connection to a NATS server, from its start until it is lost. All that knows nats-py is here.

nats-py could come back by itself, but a connection that is lost is not used again, because it would
- end for good when the server says an error, such as that the authentication has expired;
- announce again what was left while it was away, and stay with it;
- wait, before it tries anew, until a server that is frozen has taken what was sent to it.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, MaxPayloadError
from nats.protocol.parser import PERMISSIONS_ERR

from rockdove.bus.nats.server import Server

CONNECT_SECONDS: Final = 5
STEP_SECONDS: Final = 2  # of that, for each answer of the server
PING_SECONDS: Final = 2  # between two looks whether the server is still there
SILENCE_SECONDS: Final = 4  # without an answer to a ping the connection is lost
CLOSE_SECONDS: Final = 1  # for what was not sent yet
UNSENT_BYTES: Final = 4 * 1024 * 1024  # more than waits to be sent is dropped
NO_RESPONDERS: Final = "503"


class LinkError(Exception):
    """There is no connection; the text says why, and tells no secret."""


class Access(NamedTuple):
    """Who we are, beyond what stands in the URLs."""

    credentials: Path | None = None  # a file as `nsc` writes it
    tls: ssl.SSLContext | None = None  # None: what the system trusts, when the server wants TLS


NOBODY: Final = Access()  # beyond them


class Message(Protocol):
    """What arrives."""

    subject: str
    reply: str
    data: bytes
    headers: dict[str, str] | None


def nobody_attends(message: Message) -> bool:
    """Whether it is the server's word that a question reached nobody."""
    return not message.data and message.headers is not None and message.headers.get("Status") == NO_RESPONDERS


class Link:
    """An open connection."""

    def __init__(self, client: Client, on_message: Callable[[Message], None], lost: "asyncio.Future[str]") -> None:
        """Use `open_link`."""
        self._client = client
        self._ears = _Ears(on_message)
        self._no_queue: asyncio.Queue[Msg] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost = lost  # done when it is, with the reason
        self._keep(self._watch())

    def subscribe(self, subject: str) -> Subscription | None:
        """Hear what is published there; None when the connection is lost."""
        subscription: Subscription | None = self._at_once(self._client.subscribe(subject, future=cast("Any", self._ears)))
        if subscription is not None:
            subscription._pending_queue = self._no_queue  # one for all: it is never used, and takes 3 KB
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """No more."""
        self._at_once(subscription.unsubscribe())

    def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Send. False: it was dropped, as too much waits already. Raises ValueError when it is more than the server takes."""
        if self._client.pending_data_size > UNSENT_BYTES:
            return False
        self._at_once(self._client.publish(subject, data, reply))
        return True

    async def round_trip(self, timeout_seconds: float) -> bool:
        """Whether within that time the server has done all that was asked before."""
        await asyncio.wait({self._keep(self._two_pings())}, timeout=timeout_seconds)
        return not self.lost.done()

    async def close(self) -> None:
        """Send what was not sent, within CLOSE_SECONDS, and let go."""
        for task in self._tasks:
            task.cancel()
        self._lose("closed")
        await _close(self._client)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            # Never cancelled: nats-py would stumble over an answer that nobody waits for.
            ping = self._keep(self._ping())
            await asyncio.wait({ping}, timeout=SILENCE_SECONDS)
            if not ping.done():
                self._lose("the server does not answer")

    async def _two_pings(self) -> None:
        """Where much waits to be sent, a ping of nats-py overtakes what was asked before it: hence the second one."""
        await self._ping()
        await self._ping()

    async def _ping(self) -> None:
        try:
            await self._client.flush(timeout=3600)
        except (OSError, Error) as error:
            self._lose(_reason(error))

    def _keep(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _at_once(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of nats-py that does not wait: it only adds to what the next turn of the loop sends."""
        try:
            work.send(None)
        except StopIteration as end:
            return end.value
        except MaxPayloadError:
            raise ValueError("more than the server takes") from None
        except (OSError, Error) as error:
            self._lose(_reason(error))
        else:  # it does when its sender has ended
            work.close()
            self._lose("the connection was closed")
        return None

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)


class _Ears:
    """Takes the place of the future of nats-py's subscriptions for one answer, and takes any number.

    They have no task and no queue of their own: what arrives is heard at once, and who hears slowly reads slowly.
    """

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        self.set_result = on_message

    def cancelled(self) -> bool:
        return False


class _Client(Client):
    """nats-py goes on without TLS where a server does not ask for it; this one need not."""

    def __init__(self, needs_tls: bool) -> None:
        super().__init__()
        self._needs_tls = needs_tls

    def _connect_command(self) -> bytes:
        """What says who we are."""
        if self._needs_tls and not self._server_info.get("tls_required"):
            raise LinkError("the server does not offer TLS")
        return super()._connect_command()


async def open_link(
    server: Server, access: Access, name: str, on_message: Callable[[Message], None], on_complaint: Callable[[str], None]
) -> Link:
    """Connect as `name`, which is for the operators of NATS. Raises LinkError.

    `on_complaint` gets what the server does not allow. Neither it nor `on_message` may raise.
    """
    client = _Client(server.secure or access.tls is not None)
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    opened = False

    async def on_error(error: Exception) -> None:
        if not opened:
            raise error  # else nats-py tries again and again
        if PERMISSIONS_ERR in str(error):
            on_complaint(_reason(error))
        elif not lost.done():
            lost.set_result(_reason(error))

    async def on_closed() -> None:
        if not lost.done():
            lost.set_result(_reason(client.last_error))

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect(
                f"nats://{server.address}",
                error_cb=on_error,
                closed_cb=on_closed,
                name=name,
                allow_reconnect=False,
                connect_timeout=STEP_SECONDS,
                no_echo=True,
                pending_size=0,  # publishing never waits; see UNSENT_BYTES
                flusher_queue_size=0,
                tls=access.tls,
                user_credentials=access.credentials,
                user=server.user,
                password=server.password,
                token=server.token,
            )
    except BaseException as error:
        _abort(client)
        if isinstance(error, Exception):  # of many kinds: files, names, sockets, TLS, what the server says
            raise LinkError(_reason(error)) from None
        raise
    opened = True
    return Link(client, on_message, lost)


def _reason(error: Exception | None) -> str:
    """For people."""
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    return str(error or "").removeprefix("nats: ").strip("'") or "the connection was closed"


async def _close(client: Client) -> None:
    with suppress(Exception):  # of a socket that is gone already, of which loops tell in their own ways
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.close()
    _abort(client)


def _abort(client: Client) -> None:
    """Let go of the socket, whatever waits to be sent: a server that is frozen never takes it."""
    writer = getattr(client._transport, "_io_writer", None)  # nats-py only closes politely
    if writer is not None:
        writer.transport.abort()
