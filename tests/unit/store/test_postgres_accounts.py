"""Accounts in PostgreSQL while others change them, too."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import Profile, Tenant, UserState
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.database import open_database
from tests.engines.postgres import PostgresServer

WRITERS = 4
ADDED = 25  # users by each writer


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[PostgresAccounts]:
    """The accounts, as one more process sees them."""
    database = await open_database(dsn)
    try:
        yield PostgresAccounts(database)
    finally:
        await database.close()


def test_no_change_is_passed_over_whoever_commits_first(database: str) -> None:
    async def write(accounts: PostgresAccounts, writer: int) -> None:
        for number in range(ADDED):
            assert await accounts.add_users(1, [(f"user{writer}.{number}", "")], 0) == []

    async def follow() -> None:
        async with opened(database) as reader, opened(database) as first, opened(database) as second:
            position = (await reader.changes(-1)).position
            writing = asyncio.gather(*(write((first, second)[writer % 2], writer) for writer in range(WRITERS)))
            seen: set[int] = set()
            over = False
            while not over:
                over = writing.done()  # one more look after that
                changes = await reader.changes(position)
                assert changes.position >= position
                seen |= changes.users
                position = changes.position
            await writing
            assert seen == {user.id for user in await reader.users(1, "", WRITERS * ADDED + 1)}
            assert len(seen) == WRITERS * ADDED

    asyncio.run(follow())


def test_of_two_who_add_the_same_names_one_adds_them_all(database: str) -> None:
    async def add() -> None:
        async with opened(database) as one, opened(database) as other:
            for turn in range(20):
                pairs = [(f"user{turn}.{number}", "") for number in range(50)]
                names = [name for name, _ in pairs]
                results = await asyncio.gather(one.add_users(1, pairs, 0), other.add_users(1, pairs[::-1], 0))
                assert sorted(map(sorted, results)) == [[], sorted(names)]

    asyncio.run(add())


def test_who_is_removed_leaves_no_profile(database: str) -> None:
    async def remove() -> None:
        async with opened(database) as accounts, opened(database) as other:
            for turn in range(30):
                await accounts.add_users(1, [(f"user{turn}", "")], 0)
                user = await accounts.user(1, f"user{turn}")
                assert user is not None
                profile = Profile(user.id, user.name, "nick")
                await asyncio.gather(other.set_profile(profile), accounts.set_user(user.id, state=UserState.REMOVED))
            await accounts.set_profile(profile)
            assert await accounts._database.fetch("SELECT FROM profile") == []

    asyncio.run(remove())


def test_without_the_database_all_is_unavailable_and_later_all_is_well(
    start_postgres: Callable[..., PostgresServer],
) -> None:
    async def go_on(server: PostgresServer) -> None:
        async with opened(server.dsn()) as accounts:
            await accounts.add_users(1, [("alice", "")], 0)
            (tenant,) = await accounts.tenants()
            server.kill()
            for attempt in (
                accounts.tenants(),
                accounts.user(1, "alice"),
                accounts.add_users(1, [("bob", "")], 0),
                accounts.add_tenant(Tenant(0, "acme", "shop")),
                accounts.set_tenant(tenant),
                accounts.changes(0),
                accounts.signing_key(),
            ):
                with pytest.raises(StoreUnavailable, match="try again"):
                    await attempt
            server.start()
            assert [user.name for user in await accounts.users(1, "", 10)] == ["alice"]
            assert await accounts.add_users(1, [("bob", "")], 0) == []

    asyncio.run(go_on(start_postgres(durable=True)))
