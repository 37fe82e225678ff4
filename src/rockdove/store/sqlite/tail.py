"""The newest part of the log, in memory: what finds its messages again before the tables do.

A send writes one table, in order: `log`. The tables that find messages again would each cost a write at a random spot. So
they are filled later from here, sorted and in blocks, a slice with each commit. A restart reads this part of the log again.
"""

from array import array
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop
from math import ceil
from typing import Final, NamedTuple

from rockdove.core.records import DraftRun
from rockdove.store.sqlite.keys import KEYS, Keys

SEAL_AT: Final = 65_536  # messages; more would sort better, and take longer to read again at the start
PLACES: Final = 64  # in one block
HASTE: Final = 1.25  # so that a tail is settled a little before the next one is full


class Run:
    """Consecutive messages of one conversation."""

    __slots__ = ("first", "msgids", "senders")

    def __init__(self, first: int) -> None:
        self.first = first  # seq
        self.msgids = array("Q")
        self.senders = array("I")  # 0 where the message is never unread: others need not know who sent it

    @property
    def last(self) -> int:
        """The seq of the newest one."""
        return self.first + len(self.msgids) - 1

    def between(self, after: int, before: int) -> Sequence[int]:
        """The msgids of those with `after` < seq < `before`, upwards."""
        start = max(after + 1, self.first) - self.first
        stop = min(before, self.last + 1) - self.first
        return self.msgids[start : max(stop, 0)]

    def senders_between(self, after: int, before: int) -> "array[int]":
        """The senders of those with `after` < seq < `before`, upwards; 0 for one that does not count."""
        return self.senders[max(after + 1 - self.first, 0) : max(before - self.first, 0)]

    def foreign(self, user: int, after: int, through: int) -> int:
        """How many of those with `after` < seq <= `through` others than `user` have sent, without those that do not count."""
        senders = self.senders_between(after, through + 1)
        return len(senders) - senders.count(user) - senders.count(0)

    def uncount(self, seq: int) -> int:
        """Have this message be never unread from now on. Returns its sender."""
        sender = self.senders[seq - self.first]
        self.senders[seq - self.first] = 0
        return sender

    def recount(self, seq: int, sender: int) -> None:
        """Undo `uncount`."""
        self.senders[seq - self.first] = sender

    def block(self, start: int, stop: int) -> bytes:
        """The entries from index `start` to before `stop`, for the table."""
        return self.msgids[start:stop].tobytes() + self.senders[start:stop].tobytes()

    @classmethod
    def of_block(cls, first: int, block: bytes) -> "Run":
        """And back."""
        run = cls(first)
        count = len(block) // (run.msgids.itemsize + run.senders.itemsize)
        run.msgids.frombytes(block[: count * run.msgids.itemsize])
        run.senders.frombytes(block[count * run.msgids.itemsize :])
        return run


class Tail:
    """Messages that are in the log, and not yet in the tables beside it."""

    __slots__ = ("keys", "last_msgid", "runs", "size")

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}  # by conversation
        self.keys: dict[int, Keys] = {}  # by device
        self.size = 0  # messages
        self.last_msgid = 0

    def add(self, conversation: int, seq: int, msgid: int, sender: int, device: int, seqid: int, digest: int) -> None:
        """Append a message; see `grow`. A seqid of 0 is no key."""
        run = self.runs.get(conversation)
        if run is None:
            run = self.runs[conversation] = Run(seq)
        run.msgids.append(msgid)
        run.senders.append(sender)
        if seqid:
            keys = self.keys.get(device)
            if keys is None:
                keys = self.keys[device] = Keys()
            keys.add(seqid, msgid, seq, digest)

    def add_run(self, messages: DraftRun, digests: list[int]) -> None:
        """Append messages in a row that have their places; see `grow`."""
        conversation, first, device = messages.conversation, messages.first_seq, messages.device
        run = self.runs.get(conversation)
        if run is None:
            run = self.runs[conversation] = Run(first)
        run.msgids.fromlist(messages.msgids)
        run.senders.fromlist([messages.sender] * len(messages))
        keys = self.keys.get(device)
        if keys is None:
            keys = self.keys[device] = Keys()
        keys.extend(messages.seqids, messages.msgids, list(range(first, first + len(messages))), digests)

    def take_back(self, conversation: int, device: int, keys: int, messages: int = 1) -> None:
        """Undo the newest `add`, or an `add_run` of so many: its commit failed. `keys` of them had a seqid."""
        run = self.runs[conversation]
        del run.msgids[-messages:], run.senders[-messages:]
        if not run.msgids:
            del self.runs[conversation]
        if keys:
            self.keys[device].take_back(keys)

    def grow(self, messages: int, last_msgid: int) -> None:
        """So many were added, up to this one, and are durable."""
        self.size += messages
        self.last_msgid = last_msgid


class Slice(NamedTuple):
    """Rows for the tables, and where the next slice begins."""

    places: list[tuple[int, int, int, bytes]]  # conversation, first seq, last seq, block
    heads: list[tuple[int, int, int]]  # last seq, last msgid, conversation
    requests: list[tuple[int, Keys]]  # device, some of its keys by seqid upwards
    place: tuple[int, int]
    request: tuple[int, int]
    last: bool = False


class _Ascending:
    """Numbers from small to large, sorted as far as they are asked for: all at once, 60,000 of them take 50 ms."""

    __slots__ = ("_rest", "_sorted")

    def __init__(self, numbers: Iterable[int]) -> None:
        self._sorted: list[int] = []
        self._rest = list(numbers)
        heapify(self._rest)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._rest)

    def __getitem__(self, index: int) -> int:
        while index >= len(self._sorted):
            self._sorted.append(heappop(self._rest))
        return self._sorted[index]


class Settling:
    """A full tail on its way into the tables, a slice at a time, in the order of the tables."""

    __slots__ = ("_conversations", "_devices", "_ordered", "_place", "_request", "_rows_for_message", "tail")

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self._conversations = _Ascending(tail.runs)
        self._devices = _Ascending(tail.keys)
        self._place = (0, 0)  # the next conversation, and the next index of its run
        self._request = (0, 0)  # the next device, and the next index of its keys
        rows = len(tail.runs) + tail.size // PLACES + len(tail.keys) + tail.size // KEYS  # at most
        self._rows_for_message = HASTE * rows / tail.size
        self._ordered: tuple[int, Keys] = (-1, Keys())  # the keys of one device by seqid

    def slice(self, messages: int) -> Slice:
        """The next rows, as many as are written while so many messages come; the same again until `done` is called.

        What a row costs hardly depends on how much is in it, so their number is what is spread evenly.
        """
        result = Slice([], [], [], self._place, self._request)
        rows = ceil(messages * self._rows_for_message)
        index, start = self._place
        while index < len(self._conversations) and rows > 0:
            conversation = self._conversations[index]
            run = self.tail.runs[conversation]
            stop = min(start + PLACES, len(run.msgids))
            result.places.append((conversation, run.first + start, run.first + stop - 1, run.block(start, stop)))
            rows -= 1
            if stop == len(run.msgids):
                result.heads.append((run.last, run.msgids[-1], conversation))
                index, start = index + 1, 0
            else:
                start = stop
        device_index, begin = self._request
        while device_index < len(self._devices) and rows > 0:
            keys = self._by_seqid(device_index)
            part = keys.part(begin, begin + rows * KEYS)
            result.requests.append((self._devices[device_index], part))
            rows -= -(-len(part) // KEYS)
            begin += len(part)
            if begin == len(keys):
                device_index, begin = device_index + 1, 0
        last = index == len(self._conversations) and device_index == len(self._devices)
        return result._replace(place=(index, start), request=(device_index, begin), last=last)

    def _by_seqid(self, device_index: int) -> Keys:
        if self._ordered[0] != device_index:
            self._ordered = (device_index, self.tail.keys[self._devices[device_index]].ordered())
        return self._ordered[1]

    def done(self, slice_: Slice) -> None:
        """These rows are durable."""
        self._place = slice_.place
        self._request = slice_.request
