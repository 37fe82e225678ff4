"""Who is here and who is writing, as shown beside the prompt; and telling that the user is writing."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from rockdove.cli.chat.words import presence_words
from rockdove.cli.terminal import printable
from rockdove.client import Client, Group, Peer, RockdoveError, Status
from rockdove.locale import Texts

_TYPING_SECONDS: Final = 6.0  # after which somebody who has not written on is thought to have stopped
_TELL_SECONDS: Final = 3.0  # between two times of telling it
_NAMED: Final = 3  # who write at the same time
_CAPACITY: Final = 200  # users whose presence is remembered


class Company:
    """What is known of others; all of it is passing."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._typing: dict[tuple[Peer, str], float] = {}  # until when
        self._statuses: dict[str, Status] = {}
        self._told: dict[Peer, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def words(self, peer: Peer, texts: Texts) -> str:
        """A line about the company in this conversation, printable; empty when there is nothing to say."""
        now = time.monotonic()
        self._typing = {key: until for key, until in self._typing.items() if until > now}
        writers = sorted(user for where, user in self._typing if where == peer)
        if writers:
            return printable(texts["typing"].format(names=texts["comma"].join(writers[:_NAMED])))
        status = None if isinstance(peer, Group) else self._statuses.get(peer)
        return printable(f"{peer} · {presence_words(status, texts)}") if status else ""

    def status(self, user: str) -> Status | None:
        """What is known of this user."""
        return self._statuses.get(user)

    def types(self, peer: Peer, user: str) -> None:
        """`user` is writing."""
        self._typing[peer, user] = time.monotonic() + _TYPING_SECONDS

    def wrote(self, peer: Peer, user: str) -> None:
        """`user` has sent it."""
        self._typing.pop((peer, user), None)

    def seen(self, status: Status) -> None:
        """News of somebody."""
        self._statuses.pop(status.user, None)
        self._statuses[status.user] = status
        if len(self._statuses) > _CAPACITY:
            del self._statuses[next(iter(self._statuses))]

    def look_at(self, peer: Peer | None) -> None:
        """Find out about this one."""
        if peer and not isinstance(peer, Group):
            self._begin(self._ask(peer))

    def tell_typing(self, peer: Peer) -> None:
        """The user is writing; the others are told now and then."""
        now = time.monotonic()
        if now - self._told.get(peer, 0.0) >= _TELL_SECONDS:
            self._told = {peer: now}
            self._begin(self._client.presence.typing(peer))

    async def close(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, user: str) -> None:
        for status in await self._client.presence.query([user]):
            if status.here or status.last_seen_ms:
                self.seen(status)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            with suppress(RockdoveError):  # nobody misses it
                await work

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
