"""A server for the parts of a client that only ask: it writes down what it is asked, and answers as a test says."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from google.protobuf.message import Message

from rockdove.client import Refused
from rockdove.client.asking import Payload

Item = TypeVar("Item")


class Asked:
    """Answers with `answers`, one after another, and then with nothing; a Refused is raised."""

    def __init__(self, *answers: Message | Refused) -> None:
        self.payloads: list[Payload] = []
        self._answers = list(answers)

    async def __call__(self, payload: Payload, *, again: bool = True) -> bytes:
        self.payloads.append(type(payload).FromString(payload.SerializeToString()))
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Refused):
            raise answer
        return answer.SerializeToString() if answer else b""


def run(work: Coroutine[Any, Any, Item]) -> Item:
    """The result of `work`."""
    return asyncio.run(work)


async def all_of(items: AsyncIterator[Item]) -> list[Item]:
    """Everything that comes."""
    return [item async for item in items]
