"""Requests other than MESSAGE, by their payload."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from rockdove.wire import im_pb2 as pb

Payload = pb.Contact | pb.Group | pb.Sync | pb.Receipt | pb.Presence | pb.User
REQUEST_TYPES: Final[dict[type[Any], pb.RequestType]] = {
    pb.Contact: pb.CONTACT,
    pb.Group: pb.GROUP,
    pb.Sync: pb.SYNC,
    pb.Receipt: pb.RECEIPT,
    pb.Presence: pb.PRESENCE,
    pb.User: pb.USER,
}

_Item = TypeVar("_Item")


class Ask(Protocol):
    """Client.request, for those parts of the client that need nothing else of it."""

    async def __call__(self, payload: Payload, *, again: bool = True) -> bytes:
        """Response.payload. Raises Refused."""


async def pages(ask: Callable[[str], Awaitable[tuple[Iterable[_Item], str]]]) -> AsyncIterator[_Item]:
    """All items of an answer that comes in pages. `ask` takes a page token, and returns a page and the next token."""
    after = ""
    while True:
        items, after = await ask(after)
        for item in items:
            yield item
        if not after:
            return


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in lists of at most `size`, for requests that take no more."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
