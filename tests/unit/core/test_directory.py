"""Names are looked up once, until somebody changes something."""

from asyncio import run
from collections import Counter
from typing import Any

import pytest

from rockdove.core import directory as module
from rockdove.core.directory import Directory
from rockdove.core.records import Batch, Change, Group, PutGroup
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from tests.protocol.virtual import Gate


class CountedAccounts(MemoryAccounts):
    """Counts look-ups, whose answers a test may hold back on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups: Counter[Any] = Counter()
        self.gate: Gate | None = None

    async def tenant(self, org: str, appkey: str) -> Any:
        self.lookups[org, appkey] += 1
        return await self._on_its_way(await super().tenant(org, appkey))

    async def user(self, tenant: int, name: str) -> Any:
        self.lookups[tenant, name] += 1
        return await self._on_its_way(await super().user(tenant, name))

    async def _on_its_way(self, answer: Any) -> Any:
        if self.gate is not None:
            await self.gate
        return answer


class CountedStore(MemoryStore):
    """Likewise, of groups."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        super().__init__(accounts)
        self.lookups: Counter[Any] = Counter()

    async def group_named(self, tenant: int, group_id: str) -> Any:
        self.lookups[tenant, group_id] += 1
        return await super().group_named(tenant, group_id)

    def put(self, group: Group) -> None:
        """Store a group."""
        batch = Batch()
        batch.changes.append((0, Change(Decided(PutGroup(group)), lambda *_: None)))
        self.commit(batch, lambda _: None)


class Decided:
    """A rule that has decided already."""

    conversation = 0

    def __init__(self, *effects: Any) -> None:
        self._effects = effects

    async def decide(self, *_: Any) -> Any:
        return self._effects


@pytest.fixture
def accounts() -> CountedAccounts:
    accounts = CountedAccounts()
    run(accounts.add_users(1, [("alice", ""), ("bob", "")], 0))
    return accounts


@pytest.fixture
def store(accounts: CountedAccounts) -> CountedStore:
    return CountedStore(accounts)


def test_what_was_found_is_remembered(accounts: CountedAccounts, store: CountedStore) -> None:
    directory = Directory(accounts, store)
    for _ in range(3):
        assert run(directory.user(1, "alice")).name == "alice"  # type: ignore[union-attr]
        assert run(directory.tenant("default", "default")).id == 1  # type: ignore[union-attr]
    assert accounts.lookups == {(1, "alice"): 1, ("default", "default"): 1}


def test_what_does_not_exist_is_looked_up_each_time_so_that_it_is_found_once_it_does(
    accounts: CountedAccounts, store: CountedStore
) -> None:
    directory = Directory(accounts, store)
    assert run(directory.user(1, "carol")) is None
    assert run(directory.tenant("acme", "chat")) is None
    run(accounts.add_users(1, [("carol", "")], 0))
    assert run(directory.user(1, "carol")) is not None


def test_after_a_change_everything_is_looked_up_again(accounts: CountedAccounts, store: CountedStore) -> None:
    directory = Directory(accounts, store)
    run(directory.user(1, "alice"))
    run(accounts.set_user(1, password_hash="new"))
    assert run(directory.user(1, "alice")).password_hash == ""  # type: ignore[union-attr]
    directory.forget()
    assert run(directory.user(1, "alice")).password_hash == "new"  # type: ignore[union-attr]


def test_an_answer_that_a_change_has_overtaken_is_not_remembered(accounts: CountedAccounts, store: CountedStore) -> None:
    directory = Directory(accounts, store)
    for ask in (lambda: directory.user(1, "alice"), lambda: directory.tenant("default", "default")):
        accounts.gate = Gate()
        asking = ask()
        asking.send(None)
        directory.forget()
        accounts.gate.open()
        with pytest.raises(StopIteration):
            asking.send(None)
        run(ask())
    assert accounts.lookups == {(1, "alice"): 2, ("default", "default"): 2}


def test_the_memory_is_bounded(accounts: CountedAccounts, store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    run(accounts.add_users(1, [(f"user{n}", "") for n in range(100)], 0))
    directory = Directory(accounts, store)
    for n in range(100):
        assert run(directory.user(1, f"user{n}")) is not None
        assert len(directory._users) <= 10


# ---------------------------------------------------------------- groups


def test_a_group_is_found_by_tenant_and_id_and_remembered(accounts: CountedAccounts, store: CountedStore) -> None:
    store.put(Group(7, 1, "crew", "Crew", 1, 0))
    directory = Directory(accounts, store)
    assert [run(directory.group(1, "crew")) for _ in range(3)] == [7, 7, 7]
    assert store.lookups == {(1, "crew"): 1}
    assert run(directory.group(2, "crew")) == 0


def test_a_group_that_does_not_exist_is_found_once_it_does(accounts: CountedAccounts, store: CountedStore) -> None:
    directory = Directory(accounts, store)
    assert run(directory.group(1, "crew")) == 0
    store.put(Group(7, 1, "crew", "Crew", 1, 0))
    assert run(directory.group(1, "crew")) == 7


def test_a_dissolved_group_is_still_found_because_its_log_can_be_read(accounts: CountedAccounts, store: CountedStore) -> None:
    store.put(Group(7, 1, "crew", "Crew", 1, 0, dissolved=True))
    assert run(Directory(accounts, store).group(1, "crew")) == 7


def test_the_memory_of_groups_is_bounded(
    accounts: CountedAccounts, store: CountedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    directory = Directory(accounts, store)
    for n in range(1, 31):
        store.put(Group(n, 1, f"group{n}", "Crew", 1, 0))
        assert run(directory.group(1, f"group{n}")) == n
        assert len(directory._groups) <= 10
