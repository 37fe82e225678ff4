"""Moving: copy, compare, and only then let it be served."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from rockdove.store.moving import MovingError, Watcher
from rockdove.store.moving.comparison import Compared, compare_table
from rockdove.store.moving.source import Source, reading
from rockdove.store.moving.tables import TABLES, Row, Table
from rockdove.store.moving.target import ALL_COPIED, Progress, Target, writing

PART: Final = 10_000  # rows copied in one transaction


async def move(directory: Path, address: str, watcher: Watcher) -> list[Compared]:
    """Move the database in `directory` to the PostgreSQL database at `address`; says what was compared.

    After a crash, call it again: it goes on. Raises DataDirectoryError, DatabaseError, MovingError, StoreUnavailable.
    """
    async with _both(directory, address) as (source, target):
        progress = await target.begin(source.epoch)
        await _copy(source, target, progress, watcher)
        await target.prepare()
        tables = await _compare(source, target, watcher)
        if not any(table.differences for table in tables):
            await target.finish(source.last_ids(), source.last_msgid)
    return tables


async def compare(directory: Path, address: str, watcher: Watcher) -> list[Compared]:
    """Compare what was moved, before it is served; see `move`."""
    async with _both(directory, address) as (source, target):
        await target.check_moved(source.epoch)
        return await _compare(source, target, watcher)


@asynccontextmanager
async def _both(directory: Path, address: str) -> AsyncIterator[tuple[Source, Target]]:
    with reading(directory) as source:
        async with writing(address) as target:
            yield source, target


async def _copy(source: Source, target: Target, progress: Progress, watcher: Watcher) -> None:
    names = [table.name for table in TABLES]
    if progress.table not in {*names, ALL_COPIED.table}:
        raise MovingError("another version of rockdove has begun to move it; go on with that one")
    for table, following in zip(TABLES, [*map(Progress, names[1:]), ALL_COPIED], strict=True):
        if table.name == progress.table:
            watcher.begin(f"copy {table.name}", progress.rows, source.count(table))
            await _copy_table(source, target, table, progress, following, watcher)
            progress = following


async def _copy_table(
    source: Source, target: Target, table: Table, progress: Progress, following: Progress, watcher: Watcher
) -> None:
    rows = source.rows(table, progress.after)
    while progress is not following:
        part = _Part(table, rows, progress, following)
        await target.store(table, part, part.progress)
        watcher.advance(part.size)
        progress = part.progress()


class _Part:
    """The next rows of a table, which are gone through once, and then the progress that they make."""

    def __init__(self, table: Table, rows: Iterator[Row], before: Progress, following: Progress) -> None:
        self._table = table
        self._rows = rows
        self._before = before
        self._following = following
        self._last: Row = ()
        self.size = 0

    def __iter__(self) -> Iterator[Row]:
        for row in islice(self._rows, PART):
            self._last = row
            self.size += 1
            yield row

    def progress(self) -> Progress:
        """Where to go on."""
        if self.size < PART:
            return self._following
        return Progress(self._table.name, self._table.key_of(self._last), self._before.rows + self.size)


async def _compare(source: Source, target: Target, watcher: Watcher) -> list[Compared]:
    return [await compare_table(source, target, table, watcher) for table in TABLES]
