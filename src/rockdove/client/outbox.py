"""Messages on their way to the server: kept before they are sent, until they have a final answer."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from rockdove.client.errors import Refused
from rockdove.client.peer import Key
from rockdove.client.storage import Place, Storage, Unsent
from rockdove.wire import im_pb2 as pb

IN_FLIGHT: Final = 64  # conversations with an unanswered message at the same time
CAPACITY: Final = 10_000  # messages


class Outbox:
    """One line per conversation, and of each line only the head is ever on the wire.

    So a message that must be tried again can't be overtaken by the next one, whatever the server
    answers to which. Lines do not wait for each other.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lines: dict[Key, deque[Unsent]] = {}
        self._ready: deque[Key] = deque()  # lines whose head may be written
        self._flying: dict[int, Key] = {}  # seqid -> the line whose head is on the wire
        self._perhaps_stored: set[Key] = set()  # lines whose head has been on the wire, of this connection or another
        self._last_seqid = 0
        self._live = False
        self._size = 0
        for message in storage.unsent():
            self._append(message)
            self._last_seqid = max(self._last_seqid, message.seqid)
        self._perhaps_stored.update(key for key, line in self._lines.items() if line[0].seqid)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Unsent]:
        for line in self._lines.values():
            yield from line

    def post(self, key: Key, body: bytes) -> Unsent:
        """Keep a message durably. Raises Refused(RESOURCE_EXHAUSTED) when 10,000 wait already, OutboxUnusable."""
        if self._size >= CAPACITY:
            raise Refused(pb.RESOURCE_EXHAUSTED, f"{CAPACITY} messages wait to be sent; wait until some are")
        message = self._storage.add(key, body, self._last_seqid + 1 if self._live else 0)
        self._last_seqid = max(self._last_seqid, message.seqid)
        self._append(message)
        return message

    def _append(self, message: Unsent) -> None:
        line = self._lines.setdefault(message.key, deque())
        line.append(message)
        self._size += 1
        if len(line) == 1:
            self._ready.append(message.key)

    # ---------------------------------------------------------------- the connection

    def login(self, last_seqid: int) -> None:
        """Go on above the highest seqid that the server has of this device (protocol §3 last_seqid).

        What was never on the wire gets a fresh one where its own may have been used by another run meanwhile.
        """
        self._live = True
        self._last_seqid = max(self._last_seqid, last_seqid)
        fresh = []
        for key, line in self._lines.items():
            for index in range(key in self._perhaps_stored, len(line)):
                if line[index].seqid <= last_seqid:
                    self._last_seqid += 1
                    line[index] = replace(line[index], seqid=self._last_seqid)
                    fresh.append(line[index])
        if fresh:
            self._storage.renumber(fresh)

    def lost(self) -> None:
        """The connection is gone; every head is to be written again, under its seqid."""
        self._live = False
        self._flying.clear()
        self._ready = deque(self._lines)

    def next(self) -> Unsent | None:
        """A message to write now, oldest line first."""
        if not self._ready or len(self._flying) >= IN_FLIGHT:
            return None
        key = self._ready.popleft()
        head = self._lines[key][0]
        self._flying[head.seqid] = key
        self._perhaps_stored.add(key)
        return head

    def unsettled(self, key: Key) -> bool:
        """Whether this conversation's log may hold a message of ours whose place we don't know yet."""
        return key in self._perhaps_stored

    @property
    def awaiting(self) -> bool:
        """Whether an answer is due."""
        return bool(self._flying)

    # ---------------------------------------------------------------- answers

    def answered(self, seqid: int) -> Unsent | None:
        """The message on the wire under `seqid`; None when there is none."""
        key = self._flying.get(seqid)
        return self._lines[key][0] if key else None

    def defer(self, message: Unsent) -> None:
        """Not stored now (UNAVAILABLE, RESOURCE_EXHAUSTED): to be tried again, ahead of what comes after it."""
        del self._flying[message.seqid]
        self._ready.appendleft(message.key)

    def settle(self, message: Unsent, place: Place | None) -> None:
        """It has its final answer. `place` is where that leaves the conversation, noted in the same transaction."""
        self._storage.settle(message.number, place)
        del self._flying[message.seqid]
        self._perhaps_stored.discard(message.key)
        line = self._lines[message.key]
        line.popleft()
        self._size -= 1
        if line:
            self._ready.append(message.key)
        else:
            del self._lines[message.key]
