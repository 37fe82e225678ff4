"""De-duplication: what was stored under a device's seqid (protocol §4 Retry is safe)."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from rockdove.store.sqlite.keys import KEYS, Keys, Request
from rockdove.store.sqlite.tail import Tail

REMEMBERED: Final = 500_000  # devices whose position is kept
HIGHEST: Final = 1 << 64


class Free:
    """What lies between these seqids of a device was never used."""

    __slots__ = ("above", "below")

    def __init__(self, above: int, below: int) -> None:
        self.above = above
        self.below = below


class Requests:
    """Finds earlier requests. Of each device it knows a range of seqids that are free for sure.

    A client that counts upwards stays in this range: no table is looked at for it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.known: dict[int, Free] = {}  # by device
        self._searches: dict[int, int] = {}  # by device: how often it used a seqid outside the range

    def highest(self, device: int, settled: int | None, tails: Sequence[Tail]) -> int:
        """The highest seqid stored for this device, 0 if none. `settled` is what its row says."""
        free = self.known.get(device)
        if free is not None and free.below == HIGHEST:
            return free.above
        stored = 0 if settled is None else from_order(settled)
        return max([stored, *(max(tail.keys[device].seqids, default=0) for tail in tails if device in tail.keys)])

    def free(self, device: int, tails: Sequence[Tail]) -> Free:
        """What is free of this device's seqids. Who uses one raises `above` to it."""
        free = self.known.get(device)
        if free is None:
            row = self._connection.execute("SELECT last_seqid FROM device WHERE id = ?", (device,)).fetchone()
            free = self.known[device] = Free(self.highest(device, row and row[0], tails), HIGHEST)
        return free

    def claim(self, device: int, seqid: int, free: Free, tails: Sequence[Tail]) -> Request | None:
        """For a seqid outside of what is free: the earlier request with this key; or None, then the key is taken now."""
        earlier = self.find(device, seqid, tails)
        if earlier is None:
            searches = self._searches[device] = self._searches.get(device, 0) + 1
            if searches & (searches - 1) == 0:  # ever rarer for one whose seqids have no order
                free.above, free.below = seqid, self._next_used(device, seqid, tails)
        return earlier

    def release(self, devices: Iterable[int]) -> None:
        """The keys that these devices claimed last are free again: what is known of them is not true any more."""
        for device in devices:
            self.known.pop(device, None)

    def forget(self) -> None:
        """Keep the memory bounded."""
        if len(self.known) > REMEMBERED:
            self.known.clear()
        if len(self._searches) > REMEMBERED:
            self._searches.clear()

    def find(self, device: int, seqid: int, tails: Sequence[Tail]) -> Request | None:
        """The request with this key, if there was one."""
        for tail in tails:
            keys = tail.keys.get(device)
            request = keys.find(seqid) if keys is not None else None
            if request is not None:
                return request
        row = self._connection.execute(
            "SELECT msgid, seq, digest FROM request WHERE device = ? AND seqid = ?", (device, to_order(seqid))
        ).fetchone()
        if row is not None:
            return (row[0], row[1], row[2])
        _, block = self._block(device, seqid)
        return block.find(seqid)

    def _block(self, device: int, seqid: int) -> tuple[int, Keys]:
        """The only block that may hold the key: its first seqid as stored, and what is in it."""
        row = self._connection.execute(
            "SELECT first_seqid, last_seqid, entries FROM request_block WHERE device = ? AND first_seqid <= ?"
            " ORDER BY first_seqid DESC LIMIT 1",
            (device, to_order(seqid)),
        ).fetchone()
        if row is None or row[1] < to_order(seqid):
            return 0, Keys()
        return row[0], Keys.of_block(row[2])

    def _next_used(self, device: int, seqid: int, tails: Sequence[Tail]) -> int:
        used = [HIGHEST]
        for tail in tails:
            if device in tail.keys:
                used += [key for key in tail.keys[device].seqids if key > seqid]
        for query in (
            "SELECT min(seqid) FROM request WHERE device = ? AND seqid > ?",
            "SELECT min(first_seqid) FROM request_block WHERE device = ? AND first_seqid > ?",
        ):
            (found,) = self._connection.execute(query, (device, to_order(seqid))).fetchone()
            if found is not None:
                used.append(from_order(found))
        _, block = self._block(device, seqid)
        used += [key for key in block.seqids if key > seqid]
        return min(used)

    # -- settling, within a transaction

    def settle(self, device: int, keys: Keys) -> None:
        """Put keys, by seqid upwards, into the tables."""
        if not len(keys):  # compiled, what is merely empty counts as true
            return
        first, last = keys.seqids[0], keys.seqids[-1]
        row = self._connection.execute("SELECT last_seqid FROM device WHERE id = ?", (device,)).fetchone()
        highest = -1 if row[0] is None else from_order(row[0])
        if first > highest or self._is_gap(device, first, last):
            blocks = (keys.part(at, at + KEYS) for at in range(0, len(keys), KEYS))
            self._connection.executemany(
                "INSERT INTO request_block VALUES (?, ?, ?, ?)",
                [(device, to_order(block.seqids[0]), to_order(block.seqids[-1]), block.block()) for block in blocks],
            )
        else:  # some perhaps a second time, after a crash in the middle of settling
            self._connection.executemany(
                "INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?)",
                [(device, to_order(seqid), *request) for seqid, request in keys.items()],
            )
        if last > highest:
            self._connection.execute("UPDATE device SET last_seqid = ? WHERE id = ?", (to_order(last), device))

    def _is_gap(self, device: int, first: int, last: int) -> bool:
        """Whether no block touches these seqids."""
        row = self._connection.execute(
            "SELECT last_seqid FROM request_block WHERE device = ? AND first_seqid <= ? ORDER BY first_seqid DESC LIMIT 1",
            (device, to_order(last)),
        ).fetchone()
        return row is None or from_order(row[0]) < first

    def drop(self, device: int, seqid: int) -> None:
        """Remove a key."""
        self._connection.execute("DELETE FROM request WHERE device = ? AND seqid = ?", (device, to_order(seqid)))
        first, block = self._block(device, seqid)
        if block.find(seqid) is not None:
            rest, key = block.without(seqid), (device, first)
            if len(rest):
                self._connection.execute(
                    "UPDATE request_block SET entries = ? WHERE device = ? AND first_seqid = ?", (rest.block(), *key)
                )
            else:
                self._connection.execute("DELETE FROM request_block WHERE device = ? AND first_seqid = ?", key)


def to_order(seqid: int) -> int:
    """An unsigned 64-bit number as SQLite keeps it, in the same order."""
    return seqid - (1 << 63)


def from_order(value: int) -> int:
    """And back."""
    return value + (1 << 63)
