"""rockdove as it might be in the next version: one more table, one more kind of news, one more question to other nodes."""

import sys
from collections.abc import Coroutine
from typing import Any, Final

from rockdove.cli import main
from rockdove.core.delivery.ring import Ring
from rockdove.core.neighbours import Neighbours
from rockdove.core.topics import NODES
from rockdove.store.migrations import Migration, migrations_of
from rockdove.store.postgres import database

UNKNOWN: Final = b"\xfa\x7f\x05later"  # field 2047 with these bytes: of a later version
ITEM: Final = b"\x0a" + bytes([len(UNKNOWN)]) + UNKNOWN  # an Item of News with nothing else
ASK_MS: Final = 200


def migrations_of_later(package: str) -> list[Migration]:
    known = migrations_of(package)
    return [*known, Migration(len(known) + 1, "later", "ALTER TABLE device ADD COLUMN later text; CREATE TABLE later (id int)")]


def ring_with_more(ring: Ring, topic: str, payload: bytes) -> None:
    ring.sent += 1
    ring._bus.ring(topic, ITEM + payload + ITEM)


async def beat_and_ask(neighbours: Neighbours, beat: Coroutine[Any, Any, None]) -> None:
    await beat
    if neighbours._bus is not None:
        await neighbours._bus.ask(NODES, UNKNOWN, len(neighbours.living), ASK_MS)


if __name__ == "__main__":
    beat = Neighbours.beat
    database.migrations_of = migrations_of_later
    Ring._ring = ring_with_more
    Neighbours.beat = lambda neighbours: beat_and_ask(neighbours, beat(neighbours))
    sys.exit(main())
