"""A message on its way."""
# ruff: noqa: ASYNC109  # running out of time has a meaning of its own here: OutcomeUnknown

import asyncio
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from rockdove.client.errors import OutcomeUnknown
from rockdove.client.message import Message, Sent


class Posting:
    """A message on its way. `await` it for its Sent; to stop waiting does not take the message back."""

    def __init__(self, message: Message, answer: "asyncio.Future[Any]") -> None:
        self._message = message
        self._answer = answer

    def done(self) -> bool:
        """Whether the final answer is there."""
        return self._answer.done()

    @property
    def message(self) -> Message:
        """The message as it is known now: without msgid and seq until it is stored."""
        if not self._answer.done() or self._answer.exception():
            return self._message
        sent: Sent = self._answer.result()
        return replace(self._message, msgid=sent.msgid, seq=sent.seq, timestamp_ms=sent.timestamp_ms)

    async def wait(self, timeout: float | None = None) -> Sent:
        """The Sent. Raises Refused, or OutcomeUnknown after `timeout` seconds and when the client stops."""
        sent: Sent = await within(timeout, self._answer)
        return sent

    def __await__(self) -> Generator[Any, None, Sent]:
        return self.wait().__await__()


async def within(timeout: float | None, answer: "asyncio.Future[Any]") -> Any:
    """The answer, which is not cancelled with the wait for it. Raises OutcomeUnknown after `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.shield(answer)
    except TimeoutError:
        raise OutcomeUnknown(f"no answer within {timeout} s; it may still come") from None
