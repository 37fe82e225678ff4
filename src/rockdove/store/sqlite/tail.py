"""The newest part of the log, in memory: what finds its messages again before the tables do.

A send writes one table, in order: `message`. The tables that find messages again, `place` and `request`, would each cost a
write at a random spot. So they are filled later, many rows at a time and sorted, from here. A restart reads this part of
the log again.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

SEAL_AT: Final = 65_536  # messages; more would sort better, and take longer to read again at the start


class Request(NamedTuple):
    """What was stored under a (device, seqid) key."""

    msgid: int
    seq: int
    digest: int


class Run:
    """Consecutive messages of one conversation."""

    __slots__ = ("entries", "first")

    def __init__(self, first: int) -> None:
        self.first = first  # seq
        self.entries: list[tuple[int, int]] = []  # (msgid, sender)

    @property
    def last(self) -> int:
        """The seq of the newest one."""
        return self.first + len(self.entries) - 1

    def between(self, after: int, before: int) -> Sequence[tuple[int, int, int]]:
        """(seq, msgid, sender) of those with `after` < seq < `before`, upwards."""
        start = max(after + 1, self.first)
        stop = min(before, self.last + 1)
        entries = self.entries[start - self.first : max(stop - self.first, 0)]
        return [(seq, msgid, sender) for seq, (msgid, sender) in enumerate(entries, start)]


class Tail:
    """Messages that are in `message`, and not yet in the tables beside it."""

    __slots__ = ("last_msgid", "requests", "runs", "size")

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}  # by conversation
        self.requests: dict[int, dict[int, Request]] = {}  # by device, by seqid
        self.size = 0
        self.last_msgid = 0

    def add(self, conversation: int, seq: int, msgid: int, sender: int, device: int, seqid: int, digest: int) -> None:
        """Append a message. A seqid of 0 is no key."""
        run = self.runs.get(conversation)
        if run is None:
            run = self.runs[conversation] = Run(seq)
        run.entries.append((msgid, sender))
        if seqid:
            requests = self.requests.get(device)
            if requests is None:
                requests = self.requests[device] = {}
            requests[seqid] = Request(msgid, seq, digest)
        self.size += 1
        self.last_msgid = msgid

    def take_back(self, conversation: int, device: int, seqid: int) -> None:
        """Undo the newest `add` of this conversation: its commit failed."""
        run = self.runs[conversation]
        run.entries.pop()
        if not run.entries:
            del self.runs[conversation]
        if seqid:
            del self.requests[device][seqid]
        self.size -= 1


class Settling:
    """A full tail on its way into the tables, a slice at a time, in the order of the tables."""

    __slots__ = ("_conversations", "_devices", "_place", "_request", "tail")

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self._conversations = sorted(tail.runs)
        self._devices = sorted(tail.requests)
        self._place = (0, 0)  # the next conversation, and the next entry of its run
        self._request = 0  # the next device

    @property
    def finished(self) -> bool:
        """Whether every slice was done."""
        return self._place[0] == len(self._conversations) and self._request == len(self._devices)

    def slice(self, size: int) -> "Slice":
        """The next rows, about `size` of them. Taken again until `done` is called."""
        result = Slice([], [], [], [], self._place, self._request)
        index, offset = self._place
        while index < len(self._conversations) and len(result.places) < size:
            conversation = self._conversations[index]
            run = self.tail.runs[conversation]
            stop = min(len(run.entries), offset + size - len(result.places))
            for at in range(offset, stop):
                msgid, sender = run.entries[at]
                result.places.append((conversation, run.first + at, msgid, sender))
            result.heads.append((run.first + stop - 1, run.entries[stop - 1][0], conversation))
            index, offset = (index + 1, 0) if stop == len(run.entries) else (index, stop)
        device_index = self._request
        while device_index < len(self._devices) and len(result.places) + len(result.requests) < size:
            device = self._devices[device_index]
            requests = self.tail.requests[device]
            for seqid in sorted(requests):
                result.requests.append((device, signed(seqid), *requests[seqid]))
            if requests:
                result.devices.append((device, max(requests)))
            device_index += 1
        return result._replace(place=(index, offset), request=device_index)

    def done(self, slice_: "Slice") -> None:
        """These rows are durable."""
        self._place = slice_.place
        self._request = slice_.request


class Slice(NamedTuple):
    """Rows for the tables, and where the next slice begins."""

    places: list[tuple[int, int, int, int]]  # conversation, seq, msgid, sender
    heads: list[tuple[int, int, int]]  # last_seq, last_msgid, conversation
    requests: list[tuple[int, int, int, int, int]]  # device, seqid, msgid, seq, digest
    devices: list[tuple[int, int]]  # device, highest seqid
    place: tuple[int, int]
    request: int


def signed(value: int) -> int:
    """An unsigned 64-bit number as SQLite keeps it."""
    return value - (1 << 64) if value >> 63 else value


def unsigned(value: int) -> int:
    """And back."""
    return value & 0xFFFF_FFFF_FFFF_FFFF
