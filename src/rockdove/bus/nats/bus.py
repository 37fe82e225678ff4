"""The bus of a node on NATS: interest there says which nodes have sessions of a user, and goes with the node's connection."""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from nats.aio.subscription import Subscription

from rockdove.bus.nats.link import NOBODY, SILENCE_SECONDS, Access, Link, LinkError, Message, nobody_attends, open_link
from rockdove.bus.nats.server import Server
from rockdove.core.ports import Log

START_SECONDS: Final = 2.0  # a node starts without the bus after that
SETTLE_SECONDS: Final = 1.0
GAP_SECONDS: Final = 1.0  # between two gaps told
RETRY_SECONDS: Final = 0.25  # bound of the pause before the first try to come back; doubles
RETRY_CAP_SECONDS: Final = 4.0
STRIDE: Final = 500  # topics attended to again in one turn of the loop


class NatsBus:
    """`core.ports.Bus`. While there is no connection, `attend` and `leave` are remembered, and nothing else."""

    def __init__(self, servers: Sequence[Server], epoch: int, name: str, log: Log, access: Access = NOBODY) -> None:
        """`epoch` is the store's: stores that share a NATS do not hear each other. `name` is shown to the operators of NATS."""
        self._servers = servers
        self._name = name
        self._access = access
        self._log = log
        self._prefix = f"rockdove.{epoch:x}."
        self._topics: dict[str, Subscription | None] = {}  # None: not announced yet
        self._answers = f"{self._prefix}_answers.{secrets.token_hex(8)}."  # no topic has a "_"
        self._asked: dict[str, _Asked] = {}
        self._questions = 0
        self._link: Link | None = None
        self._connected = False
        self._failure = ""  # why there is no connection, as it was logged
        self._oversized = self._dropping = self._refused = False  # logged, on this connection
        self._settling: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._gap: asyncio.TimerHandle | None = None
        self._gap_told = 0.0

    def listen(
        self,
        on_ring: Callable[[str, bytes], None],
        on_question: Callable[[str, bytes, Callable[[bytes], None]], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._on_ring = on_ring
        self._on_question = on_question
        self._on_gap = on_gap

    # -- life

    async def start(self) -> None:
        """Connect; after START_SECONDS without success go on trying beside the node. `listen` comes before."""
        first = asyncio.Event()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected(first))
        with suppress(TimeoutError):
            await asyncio.wait_for(first.wait(), START_SECONDS)
        first.set()  # what is rung from here on, before there is a connection, is missed

    async def stop(self) -> None:
        """Send what was rung, within a second, and end."""
        self._connected = False
        if self._gap is not None:
            self._gap.cancel()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    async def _keep_connected(self, tried: asyncio.Event) -> None:
        attempt = 0
        while True:
            for server in random.sample(self._servers, len(self._servers)):
                try:
                    if await self._serve(server, tried):
                        attempt = 0
                except Exception:
                    self._log.exception("bus_failed", server=server.address)
                tried.set()
                bound = min(RETRY_CAP_SECONDS, RETRY_SECONDS * 2.0**attempt)
                await asyncio.sleep(bound * random.random())  # noqa: S311 - only spreads the nodes
            attempt = min(attempt + 1, 16)

    async def _serve(self, server: Server, tried: asyncio.Event) -> bool:
        """One connection, from its start to its end; whether there was one."""
        try:
            link = await open_link(server, self._access, self._name, self._hear, self._hear_complaint)
        except LinkError as error:
            self._log_failure(server, str(error))
            return False
        self._link = link
        try:
            await self._announce(link)
            self._connected = not link.lost.done()
            if self._connected:
                self._failure = ""
                self._log.info("bus_connected", server=server.address)
                if tried.is_set():
                    self._tell_gap()
                tried.set()
            await asyncio.wait({link.lost})
            if self._connected:
                self._log.warning("bus_lost", server=server.address, reason=link.lost.result())
            else:
                self._log_failure(server, link.lost.result())
            return self._connected
        finally:
            self._link, self._connected = None, False
            self._oversized = self._dropping = self._refused = False
            self._topics = dict.fromkeys(self._topics)
            for asked in self._asked.values():
                asked.finish()
            await link.close()

    async def _announce(self, link: Link) -> None:
        """Attend to everything, in strides; what is attended to or left meanwhile goes to the link by itself."""
        link.subscribe(f"{self._answers}*")
        for number, topic in enumerate(list(self._topics)):
            if self._topics.get(topic, link) is None:
                self._topics[topic] = link.subscribe(self._prefix + topic)
            if number % STRIDE == STRIDE - 1:
                await asyncio.sleep(0)
        await link.round_trip(SILENCE_SECONDS)

    def _log_failure(self, server: Server, reason: str) -> None:
        if reason != self._failure:  # said once, not with every try
            self._failure = reason
            self._log.warning("bus_unreachable", server=server.address, reason=reason, action="tries again and again")

    def _tell_gap(self) -> None:
        if self._gap is None:
            loop = asyncio.get_running_loop()
            self._gap = loop.call_at(max(loop.time(), self._gap_told + GAP_SECONDS), self._gap_is_due)

    def _gap_is_due(self) -> None:
        self._gap = None
        self._gap_told = asyncio.get_running_loop().time()
        try:
            self._on_gap()
        except Exception:
            self._log.exception("bus_callback_failed")

    # -- topics

    @property
    def connected(self) -> bool:
        return self._connected

    def attend(self, topic: str) -> None:
        if topic not in self._topics:
            self._topics[topic] = self._link.subscribe(self._prefix + topic) if self._link is not None else None

    def leave(self, topic: str) -> None:
        subscription = self._topics.pop(topic, None)
        if subscription is not None and self._link is not None:
            self._link.unsubscribe(subscription)

    async def settled(self) -> None:
        if self._link is None or not self._connected:
            return
        if self._settling is None:
            self._settling = asyncio.get_running_loop().create_task(self._settle(self._link))
        await asyncio.wait({self._settling})

    async def _settle(self, link: Link) -> None:
        self._settling = None  # who comes from now on may have attended to more
        await link.round_trip(SETTLE_SECONDS)

    # -- what goes out

    def ring(self, topic: str, news: bytes) -> None:
        if self._connected:
            self._publish(self._prefix + topic, news)

    async def ask(self, topic: str, question: bytes, answers: int, timeout_ms: int) -> Sequence[bytes]:
        if not self._connected:
            return []
        self._questions += 1
        reply = f"{self._answers}{self._questions}"
        asked = self._asked[reply] = _Asked(answers)
        try:
            if self._publish(self._prefix + topic, question, reply):
                await asyncio.wait({asked.finished}, timeout=timeout_ms / 1000)
        finally:
            del self._asked[reply]
        return asked.heard

    def _publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Whether it is on its way."""
        if self._link is None:
            return False
        try:
            sent = self._link.publish(subject, data, reply)
        except ValueError:
            if not self._oversized:
                self._oversized = True
                self._log.error("bus_takes_less", size=len(data), action="raise max_payload of the NATS servers to 1 MB")
            return False
        if not sent and not self._dropping:
            self._dropping = True
            self._log.warning("bus_slow", action="rings are dropped")
        return sent

    # -- what comes in

    def _hear(self, message: Message) -> None:
        try:
            if message.subject.startswith(self._answers):
                self._hear_answer(message)
                return
            topic = message.subject[len(self._prefix) :]
            if message.reply:
                self._on_question(topic, message.data, partial(self._answer, message.reply))
            else:
                self._on_ring(topic, message.data)
        except Exception:
            self._log.exception("bus_callback_failed")

    def _hear_answer(self, message: Message) -> None:
        asked = self._asked.get(message.subject)
        if asked is None:
            return  # too late
        if nobody_attends(message):
            asked.finish()
        else:
            asked.hear(message.data)

    def _answer(self, reply: str, answer: bytes) -> None:
        self._publish(reply, answer)

    def _hear_complaint(self, text: str) -> None:
        if not self._refused:
            self._refused = True
            self._log.error(
                "bus_refused", reason=text, action=f"allow this user of NATS to publish and subscribe {self._prefix}>"
            )


class _Asked:
    """A question that waits for its answers."""

    __slots__ = ("finished", "heard", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.heard: list[bytes] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, answer: bytes) -> None:
        """One answer; those beyond the last one wanted do not count."""
        if len(self.heard) < self.wanted:
            self.heard.append(answer)
        if len(self.heard) >= self.wanted:
            self.finish()

    def finish(self) -> None:
        """No more answers will come."""
        if not self.finished.done():
            self.finished.set_result(None)
