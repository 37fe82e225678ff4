"""Retention on a store that cannot be written for a while."""

from asyncio import run

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Span
from rockdove.core.retention import SPANS, Retention
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from tests.protocol.virtual import START_MS, Journal


def test_a_store_that_stays_away_is_reported_once_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(older_than: int, limit: int) -> None:
        raise StoreUnavailable("full")

    store, journal = MemoryStore(MemoryAccounts()), Journal()
    retention = Retention(store, 1, journal)  # type: ignore[arg-type]
    for _ in range(2):
        with monkeypatch.context() as full:
            full.setattr(store, "forget_requests", refuse)
            for _ in range(3):
                run(retention.step(START_MS))
        run(retention.step(START_MS))
    assert journal.events == [("retention_waits", {"reason": "full"})] * 2


def test_what_cannot_be_forgotten_or_cut_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: int) -> int:
        raise StoreUnavailable("slow")

    async def spans(after: int, unseen_since_ms: int, limit: int) -> list[Span]:
        asked.append((after, limit))
        if limit > SPANS // 4:
            raise StoreUnavailable("too much")
        return [Span(after + 1, 7, 1, 1, 1, True)]

    asked: list[tuple[int, int]] = []
    store = MemoryStore(MemoryAccounts())
    for name, method in (("forget_requests", refuse), ("spans", spans), ("cut", refuse)):
        monkeypatch.setattr(store, name, method)
    retention = Retention(store, 1, Journal())  # type: ignore[arg-type]
    for _ in range(4):
        run(retention.step(START_MS))
    assert asked == [(0, SPANS), (0, SPANS // 2), (0, SPANS // 4), (1, SPANS // 4)]
