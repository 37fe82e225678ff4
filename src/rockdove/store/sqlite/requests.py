"""De-duplication: what was stored under a device's seqid (protocol §4 Retry is safe)."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from rockdove.store.sqlite.tail import REQUESTS, Request, Tail, pack_requests, unpack_requests

REMEMBERED: Final = 500_000  # devices whose position is kept
HIGHEST: Final = 1 << 64


class Requests:
    """Finds earlier requests. Of each device it knows a range of seqids that are free for sure.

    A client that counts upwards stays in this range: no table is looked at for it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._free: dict[int, tuple[int, int]] = {}  # by device: what lies between these was never used
        self._searches: dict[int, int] = {}  # by device: how often it used a seqid outside the range
        self._before_claim = (0, 0)  # what was free of the device that claimed last

    def highest(self, device: int, settled: int | None, tails: Sequence[Tail]) -> int:
        """The highest seqid stored for this device, 0 if none. `settled` is what its row says."""
        free = self._free.get(device)
        if free is not None and free[1] == HIGHEST:
            return free[0]
        stored = 0 if settled is None else from_order(settled)
        return max([stored, *(max(tail.requests[device]) for tail in tails if tail.requests.get(device))])

    def claim(self, device: int, seqid: int, tails: Sequence[Tail]) -> Request | None:
        """The earlier request with this key; or None: then the key is taken now."""
        free = self._free.get(device)
        if free is None:
            row = self._connection.execute("SELECT last_seqid FROM device WHERE id = ?", (device,)).fetchone()
            free = self._free[device] = (self.highest(device, row and row[0], tails), HIGHEST)
        self._before_claim = free
        if free[0] < seqid < free[1]:
            self._free[device] = (seqid, free[1])
            return None
        earlier = self.find(device, seqid, tails)
        if earlier is None:
            searches = self._searches[device] = self._searches.get(device, 0) + 1
            if searches & (searches - 1) == 0:  # ever rarer for one whose seqids have no order
                self._free[device] = (seqid, self._next_used(device, seqid, tails))
        return earlier

    def give_back(self, device: int) -> None:
        """The key that was claimed last, by this device, is not used after all."""
        self._free[device] = self._before_claim

    def release(self, devices: Iterable[int]) -> None:
        """The keys that these devices claimed last are free again: what is known of them is not true any more."""
        for device in devices:
            self._free.pop(device, None)

    def forget(self) -> None:
        """Keep the memory bounded."""
        if len(self._free) > REMEMBERED:
            self._free.clear()
        if len(self._searches) > REMEMBERED:
            self._searches.clear()

    def find(self, device: int, seqid: int, tails: Sequence[Tail]) -> Request | None:
        """The request with this key, if there was one."""
        for tail in tails:
            request = tail.requests.get(device, {}).get(seqid)
            if request is not None:
                return request
        row = self._connection.execute(
            "SELECT msgid, seq, digest FROM request WHERE device = ? AND seqid = ?", (device, to_order(seqid))
        ).fetchone()
        if row is not None:
            return (row[0], row[1], row[2])
        _, block = self._block(device, seqid)
        return block.get(seqid)

    def _block(self, device: int, seqid: int) -> tuple[int, dict[int, Request]]:
        """The only block that may hold the key: its first seqid as stored, and what is in it."""
        row = self._connection.execute(
            "SELECT first_seqid, last_seqid, entries FROM request_block WHERE device = ? AND first_seqid <= ?"
            " ORDER BY first_seqid DESC LIMIT 1",
            (device, to_order(seqid)),
        ).fetchone()
        if row is None or row[1] < to_order(seqid):
            return 0, {}
        return row[0], unpack_requests(row[2])

    def _next_used(self, device: int, seqid: int, tails: Sequence[Tail]) -> int:
        used = [HIGHEST]
        for tail in tails:
            used += [key for key in tail.requests.get(device, ()) if key > seqid]
        for query in (
            "SELECT min(seqid) FROM request WHERE device = ? AND seqid > ?",
            "SELECT min(first_seqid) FROM request_block WHERE device = ? AND first_seqid > ?",
        ):
            (found,) = self._connection.execute(query, (device, to_order(seqid))).fetchone()
            if found is not None:
                used.append(from_order(found))
        _, block = self._block(device, seqid)
        used += [key for key in block if key > seqid]
        return min(used)

    # -- settling, within a transaction

    def settle(self, device: int, requests: Sequence[tuple[int, Request]]) -> None:
        """Put keys, sorted by seqid, into the tables."""
        if not requests:
            return
        row = self._connection.execute("SELECT last_seqid FROM device WHERE id = ?", (device,)).fetchone()
        highest = -1 if row[0] is None else from_order(row[0])
        if requests[0][0] > highest or self._is_gap(device, requests[0][0], requests[-1][0]):
            blocks = [requests[at : at + REQUESTS] for at in range(0, len(requests), REQUESTS)]
            self._connection.executemany(
                "INSERT INTO request_block VALUES (?, ?, ?, ?)",
                [(device, to_order(block[0][0]), to_order(block[-1][0]), pack_requests(block)) for block in blocks],
            )
        else:  # some perhaps a second time, after a crash in the middle of settling
            self._connection.executemany(
                "INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?)",
                [(device, to_order(seqid), *request) for seqid, request in requests],
            )
        if requests[-1][0] > highest:
            self._connection.execute("UPDATE device SET last_seqid = ? WHERE id = ?", (to_order(requests[-1][0]), device))

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
        if seqid in block:
            del block[seqid]
            key = (device, first)
            if block:
                entries = pack_requests(list(block.items()))
                self._connection.execute(
                    "UPDATE request_block SET entries = ? WHERE device = ? AND first_seqid = ?", (entries, *key)
                )
            else:
                self._connection.execute("DELETE FROM request_block WHERE device = ? AND first_seqid = ?", key)


def to_order(seqid: int) -> int:
    """An unsigned 64-bit number as SQLite keeps it, in the same order."""
    return seqid - (1 << 63)


def from_order(value: int) -> int:
    """And back."""
    return value + (1 << 63)
