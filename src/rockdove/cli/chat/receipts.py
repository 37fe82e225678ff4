"""Telling the server what was shown, no more often than it can be told."""

import asyncio

from rockdove.client import Chat, Client, Message, Refused
from rockdove.client.message import Key


class ReadReceipts:
    """Call `shown` for each message shown; while one receipt is on its way, the next ones become one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wanted: dict[Key, int] = {}
        self._told: dict[Key, int] = {}
        self._task: asyncio.Task[None] | None = None

    def shown(self, message: Message) -> None:
        """The user has seen this message, and so all before it."""
        if message.sender != self._client.user and message.seq > max(
            self._told.get(message.key, 0), self._wanted.get(message.key, 0)
        ):
            self._wanted[message.key] = message.seq
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._wanted:
            key, seq = self._wanted.popitem()
            self._told[key] = seq
            try:
                await self._client.read(key[1], seq, chat=Chat(key[0]))
            except Refused:
                continue  # no longer a member, say: nobody wants to know

    async def close(self, patience_seconds: float) -> None:
        """Wait until all is told, but not longer than that."""
        if self._task:
            await asyncio.wait([self._task], timeout=patience_seconds)
            self._task.cancel()
