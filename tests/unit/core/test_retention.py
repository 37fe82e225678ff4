"""Retention on a store that cannot be written for a while."""

from asyncio import run

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.retention import Retention
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
