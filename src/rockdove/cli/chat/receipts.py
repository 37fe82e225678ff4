"""Telling the server what was shown, no more often than it can be told."""

import asyncio

from rockdove.client import Client, Message, Peer, Refused


class ReadReceipts:
    """Call `shown` for each message shown; while one receipt is on its way, the next ones become one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wanted: dict[Peer, int] = {}
        self._told: dict[Peer, int] = {}
        self._task: asyncio.Task[None] | None = None

    def shown(self, message: Message) -> None:
        """The user has seen this message, and so all before it."""
        if message.sender != self._client.user and message.seq > max(
            self._told.get(message.peer, 0), self._wanted.get(message.peer, 0)
        ):
            self._wanted[message.peer] = message.seq
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._wanted:
            peer, seq = self._wanted.popitem()
            self._told[peer] = seq
            try:
                await self._client.read(peer, seq)
            except Refused:
                continue  # no longer a member, say: nobody wants to know

    async def close(self, patience_seconds: float) -> None:
        """Wait until all is told, but not longer than that."""
        if self._task:
            await asyncio.wait([self._task], timeout=patience_seconds)
            self._task.cancel()
