"""The seqids that a device has used, and what was stored under each: columns, in the tail as in the blocks of the table."""

from array import array
from collections.abc import Iterator
from typing import Final

KEYS: Final = 32  # in one block
KEY_BYTES: Final = 28  # of each in its block

Request = tuple[int, int, int]  # msgid, seq, digest: what was stored under a (device, seqid) key


class Keys:
    """Keys of one device, each once, in the order in which they were used."""

    __slots__ = ("_indexes", "digests", "msgids", "seqids", "seqs")

    def __init__(self) -> None:
        self.seqids = array("Q")
        self.msgids = array("Q")
        self.seqs = array("Q")
        self.digests = array("I")
        self._indexes: dict[int, int] | None = None  # by seqid, as far as somebody has looked: most devices never retry

    def __len__(self) -> int:
        return len(self.seqids)

    def add(self, seqid: int, msgid: int, seq: int, digest: int) -> None:
        """Append a key that is not there."""
        self.seqids.append(seqid)
        self.msgids.append(msgid)
        self.seqs.append(seq)
        self.digests.append(digest)

    def extend(self, seqids: list[int], msgids: list[int], seqs: list[int], digests: list[int]) -> None:
        """Append keys that are not there; the columns are of one length."""
        self.seqids.fromlist(seqids)
        self.msgids.fromlist(msgids)
        self.seqs.fromlist(seqs)
        self.digests.fromlist(digests)

    def take_back(self, count: int) -> None:
        """Undo the newest `add`, or an `extend` by so many."""
        self._indexes = None
        for column in (self.seqids, self.msgids, self.seqs, self.digests):
            del column[-count:]

    def find(self, seqid: int) -> Request | None:
        """What was stored under this seqid, if anything was."""
        if self._indexes is None:
            self._indexes = {}
        for index in range(len(self._indexes), len(self.seqids)):
            self._indexes[self.seqids[index]] = index
        index = self._indexes.get(seqid, -1)
        return None if index < 0 else (self.msgids[index], self.seqs[index], self.digests[index])

    def items(self) -> Iterator[tuple[int, Request]]:
        """Each seqid, and what was stored under it."""
        return zip(self.seqids, zip(self.msgids, self.seqs, self.digests, strict=True), strict=True)

    def ordered(self) -> "Keys":
        """The same by seqid upwards."""
        if len(self) == 1:
            return self
        seqids = self.seqids.tolist()
        if seqids == sorted(seqids):
            return self
        result = Keys()
        for seqid, request in sorted(self.items()):
            result.add(seqid, *request)
        return result

    def part(self, start: int, stop: int) -> "Keys":
        """Those from index `start` to before `stop`."""
        if not start and stop >= len(self):
            return self
        result = Keys()
        result.seqids, result.msgids = self.seqids[start:stop], self.msgids[start:stop]
        result.seqs, result.digests = self.seqs[start:stop], self.digests[start:stop]
        return result

    def without(self, seqid: int) -> "Keys":
        """All but this one."""
        result = Keys()
        for key, request in self.items():
            if key != seqid:
                result.add(key, *request)
        return result

    def block(self) -> bytes:
        """All of them, for the table."""
        return b"".join(column.tobytes() for column in (self.seqids, self.msgids, self.seqs, self.digests))

    @classmethod
    def of_block(cls, block: bytes) -> "Keys":
        """And back."""
        result = cls()
        count = len(block) // KEY_BYTES
        at = 0
        for column in (result.seqids, result.msgids, result.seqs, result.digests):
            column.frombytes(block[at : at + count * column.itemsize])
            at += count * column.itemsize
        return result
