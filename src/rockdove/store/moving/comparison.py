"""Whether a table is the same on both sides: row for row, column for column, in the order of its key."""

import hashlib
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

from rockdove.store.moving import Watcher
from rockdove.store.moving.source import Source
from rockdove.store.moving.tables import Key, Row, Table
from rockdove.store.moving.target import Target

PAGE: Final = 2_000  # rows of each side in memory
TOLD: Final = 20  # differences of a table that are told; all are counted


class Compared(NamedTuple):
    """What came of one table."""

    table: str
    rows: int  # in the data directory
    digest: str  # SHA-256 of these rows, hexadecimal
    differences: int
    told: Sequence[str]  # the first differences, a sentence each


async def compare_table(source: Source, target: Target, table: Table, watcher: Watcher) -> Compared:
    """Read all of both sides."""
    watcher.begin(f"compare {table.name}", 0, source.count(table))
    rows = source.rows(table)
    comparison = _Comparison(table)
    ours: list[Row] = []
    theirs: list[Row] = []
    last: Key = ()
    while True:
        new = list(islice(rows, PAGE - len(ours)))
        found = await target.page(table, last, PAGE - len(theirs))
        last = table.key_of(found[-1]) if found else last
        comparison.read(new)
        watcher.advance(len(new))
        ours += new
        theirs += found
        if not ours and not theirs:
            return comparison.result(await target.count(table))
        comparison.compare(ours, theirs)


class _Comparison:
    """What is found out about one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._digest = hashlib.sha256()
        self._rows = 0
        self._differences = 0
        self._there = 0  # rows in the database, if each is there once
        self._told: list[str] = []

    def read(self, rows: Sequence[Row]) -> None:
        """The next rows of the data directory."""
        self._digest.update("".join(map(repr, rows)).encode())
        self._rows += len(rows)

    def compare(self, ours: list[Row], theirs: list[Row]) -> None:
        """Compare these rows as far as those of both sides are known, and remove them from the lists."""
        if ours == theirs:
            self._there += len(theirs)
            ours.clear()
            theirs.clear()
            return
        bound = min((self._table.key_of(page[-1]) for page in (ours, theirs) if len(page) == PAGE), default=None)
        here, there = self._taken(ours, bound), self._taken(theirs, bound)
        self._there += len(there)
        for key in sorted({*here, *there}):
            self._compare_row(key, here.get(key), there.get(key))

    def _taken(self, page: list[Row], bound: Key | None) -> dict[Key, Row]:
        """The rows up to that key, by their keys; they are removed from the page."""
        size = len(page) if bound is None else sum(self._table.key_of(row) <= bound for row in page)
        taken = {self._table.key_of(row): row for row in page[:size]}
        del page[:size]
        return taken

    def _compare_row(self, key: Key, here: Row | None, there: Row | None) -> None:
        if there is None:
            self._tell(key, "is missing in the database")
        elif here is None:
            self._tell(key, "is only in the database")
        elif here != there:
            pairs = zip(self._table.columns, here, there, strict=True)
            self._tell(key, f"differs in {', '.join(column for column, one, other in pairs if one != other)}")

    def _tell(self, key: Key, difference: str) -> None:
        """Without values: they are people's messages, and keys."""
        self._differences += 1
        if len(self._told) < TOLD:
            place = ", ".join(f"{column} {value}" for column, value in zip(self._table.key, key, strict=True))
            self._told.append(f"{self._table.name}, {place}: {difference}")

    def result(self, there: int) -> Compared:
        """After all: given how many rows the database says that it has."""
        if there != self._there:
            self._differences += 1
            self._told.append(f"{self._table.name}: {there - self._there} rows are in the database a second time")
        return Compared(self._table.name, self._rows, self._digest.hexdigest(), self._differences, self._told)
