"""The bounded queue of events between the connection and the application."""

import asyncio
from collections import deque
from typing import Final

from rockdove.client.events import (
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    JoinRefused,
    JoinRequested,
    MessageReceived,
    PresenceChanged,
    Read,
    Typing,
)

PASSING: Final = 1000  # receipts, presence and transients kept for an application that does not look

_PASSING_KINDS: Final = (Delivered, Read, Deleted, Typing, PresenceChanged, ContactChanged, JoinRequested, JoinRefused)


class Feed:
    """Messages of a log are never dropped: the inbox bounds them. Passing news is: the oldest goes first."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._passing = 0
        self._stirred = asyncio.Event()
        self._ended = False
        self.error: Exception | None = None  # what ended it, if it was not wanted

    def put(self, event: Event) -> None:
        """Queue an event."""
        if _is_passing(event):
            if self._passing == PASSING:
                del self._events[next(index for index, each in enumerate(self._events) if _is_passing(each))]
            else:
                self._passing += 1
        self._events.append(event)
        self._stirred.set()

    def finish(self, error: Exception | None) -> None:
        """No more will come: after what is queued, `next` raises `error` or returns None."""
        self._ended = True
        self.error = error
        self._stirred.set()

    async def next(self) -> Event | None:
        """The oldest event, waiting for one; None at the end. Being cancelled loses nothing."""
        while not self._events:
            if self.error:
                raise self.error
            if self._ended:
                return None
            self._stirred.clear()
            await self._stirred.wait()
        event = self._events.popleft()
        self._passing -= _is_passing(event)
        return event


def _is_passing(event: Event) -> bool:
    return isinstance(event, _PASSING_KINDS) or (isinstance(event, MessageReceived) and not event.message.seq)
