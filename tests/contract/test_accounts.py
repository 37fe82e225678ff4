"""Every adapter of core.ports.Accounts keeps the same promises."""

from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from rockdove.core.ports import Accounts
from rockdove.core.records import FOREVER, NO_RETENTION, Profile, Tenant, User, UserState
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.postgres import database as postgres
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from tests.contract.elsewhere import Elsewhere, LoopThread


class Views(NamedTuple):
    """The same accounts as a server and another process see them."""

    server: Accounts
    command: Accounts


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def views(request: pytest.FixtureRequest) -> Views:
    views: Views = request.getfixturevalue(f"{request.param}_views")
    return views


@pytest.fixture
def memory_views() -> Views:
    accounts = MemoryAccounts()
    return Views(accounts, accounts)


@pytest.fixture
def sqlite_views(tmp_path: Path) -> Iterator[Views]:
    with closing(open_database(tmp_path)) as server, closing(open_database(tmp_path)) as command:
        yield Views(SqliteAccounts(server), SqliteAccounts(command))


@pytest.fixture
def postgres_views(database: str) -> Iterator[Views]:
    with closing(LoopThread()) as thread:
        opened = [thread.run(postgres.open_database(database)) for _ in Views._fields]
        yield Views(*(cast("Accounts", Elsewhere(thread, PostgresAccounts(each))) for each in opened))
        for each in opened:
            thread.run(each.close())


@pytest.fixture
def accounts(views: Views) -> Accounts:
    return views.server


def add_user(accounts: Accounts, name: str, tenant: int = 1) -> User:
    assert run(accounts.add_users(tenant, [(name, f"hash of {name}")], 0)) == []
    user = run(accounts.user(tenant, name))
    assert user
    return user


def add_tenant(accounts: Accounts, org: str, appkey: str) -> Tenant:
    tenant = run(accounts.add_tenant(Tenant(0, org, appkey, token_secret=b"s" * 32)))
    assert tenant
    return tenant


# ---------------------------------------------------------------- tenants


def test_one_tenant_is_there_from_the_start(accounts: Accounts) -> None:
    (tenant,) = run(accounts.tenants())
    assert (tenant.org, tenant.appkey) == ("default", "default")
    assert (tenant.retention_days, tenant.strangers, tenant.password_cost) == (FOREVER, True, "standard")
    assert tenant.messages_per_second == 0
    assert len(tenant.token_secret.decode("ascii")) >= 32  # text, to be pasted elsewhere


def test_a_tenant_is_read_back_as_it_was_added(accounts: Accounts) -> None:
    wanted = Tenant(0, "acme", "shop", NO_RETENTION, False, "light", 20, 60, 0, b"\x00secret")
    added = run(accounts.add_tenant(wanted))
    assert added is not None
    assert added == replace(wanted, id=added.id)
    assert added.id > 1
    assert run(accounts.tenant("acme", "shop")) == added


def test_a_tenant_name_is_taken_as_a_pair_and_only_once(accounts: Accounts) -> None:
    first = add_tenant(accounts, "acme", "shop")
    assert run(accounts.add_tenant(Tenant(0, "acme", "shop"))) is None
    assert add_tenant(accounts, "acmes", "hop").id != first.id
    assert add_tenant(accounts, "acme", "Shop").id != first.id
    assert run(accounts.tenant("acme", "shop")) == first


def test_tenants_are_listed_by_org_and_appkey(accounts: Accounts) -> None:
    for org, appkey in [("b", "a"), ("a", "z"), ("a", "b"), ("z", "a")]:
        add_tenant(accounts, org, appkey)
    names = [(tenant.org, tenant.appkey) for tenant in run(accounts.tenants())]
    assert names == [("a", "b"), ("a", "z"), ("b", "a"), ("default", "default"), ("z", "a")]


def test_settings_are_replaced_and_the_name_stays(accounts: Accounts) -> None:
    tenant = add_tenant(accounts, "acme", "shop")
    changed = replace(
        tenant,
        retention_days=7,
        strangers=False,
        password_cost="strong",
        messages_per_second=3,
        recall_seconds=9,
        edit_seconds=8,
        token_secret=b"n",
    )
    run(accounts.set_tenant(replace(changed, org="other", appkey="other")))
    assert run(accounts.tenant("acme", "shop")) == changed
    assert run(accounts.tenant("other", "other")) is None


# ---------------------------------------------------------------- users


def test_a_user_is_found_by_name_and_id_in_its_tenant_only(accounts: Accounts) -> None:
    other = add_tenant(accounts, "acme", "shop")
    alice = add_user(accounts, "alice")
    assert alice == User(alice.id, 1, "alice", UserState.ACTIVE, "hash of alice", 0)
    assert run(accounts.user_by_id(alice.id)) == alice
    assert run(accounts.user(other.id, "alice")) is None
    assert run(accounts.user(1, "Alice")) is None
    assert run(accounts.user_by_id(alice.id + 1)) is None


def test_users_are_found_by_many_names_removed_ones_included(accounts: Accounts) -> None:
    other = add_tenant(accounts, "acme", "shop")
    alice, bob, _ = add_user(accounts, "alice"), add_user(accounts, "bob"), add_user(accounts, "carol")
    add_user(accounts, "alice", other.id)
    run(accounts.set_user(bob.id, state=UserState.REMOVED))
    names = ["alice", "bob", "alice", "nobody", 'a"b']
    assert run(accounts.ids_named(1, names, removed=True)) == {"alice": alice.id, "bob": bob.id}
    assert run(accounts.ids_named(1, names, removed=False)) == {"alice": alice.id}
    assert run(accounts.ids_named(1, [], removed=True)) == {}


def test_the_same_name_in_two_tenants_is_two_users(accounts: Accounts) -> None:
    other = add_tenant(accounts, "acme", "shop")
    assert add_user(accounts, "alice").id != add_user(accounts, "alice", other.id).id


def test_a_taken_name_among_many_stores_none_of_them(accounts: Accounts) -> None:
    add_user(accounts, "bob")
    add_user(accounts, "dave")
    pairs = [(name, "h") for name in ("alice", "bob", "carol", "dave")]
    assert run(accounts.add_users(1, pairs, 0)) == ["bob", "dave"]
    assert [user.name for user in run(accounts.users(1, "", 10))] == ["bob", "dave"]
    bob = run(accounts.user(1, "bob"))
    assert bob is not None
    assert bob.password_hash == "hash of bob"


def test_a_name_given_twice_stores_nothing(accounts: Accounts) -> None:
    assert run(accounts.add_users(1, [("alice", "one"), ("bob", "two"), ("alice", "three")], 0)) == ["alice"]
    assert run(accounts.users(1, "", 10)) == []


def test_adding_nobody_is_not_an_error(accounts: Accounts) -> None:
    assert run(accounts.add_users(1, [], 0)) == []


def test_users_are_listed_by_name_in_pages_without_removed_ones(accounts: Accounts) -> None:
    other = add_tenant(accounts, "acme", "shop")
    add_user(accounts, "alice", other.id)
    for name in ("dave", "alice", "Zoe", "carol", "bob"):
        add_user(accounts, name)
    carol = run(accounts.user(1, "carol"))
    assert carol is not None
    run(accounts.set_user(carol.id, state=UserState.REMOVED))
    assert [user.name for user in run(accounts.users(1, "", 3))] == ["Zoe", "alice", "bob"]
    assert [user.name for user in run(accounts.users(1, "bob", 3))] == ["dave"]


def test_a_new_password_voids_older_credentials(accounts: Accounts) -> None:
    alice = add_user(accounts, "alice")
    run(accounts.set_user(alice.id, password_hash="new"))
    changed = run(accounts.user_by_id(alice.id))
    assert changed is not None
    assert changed.password_hash == "new"
    assert changed.credential_version > alice.credential_version


def test_disabling_keeps_the_password_and_the_credentials(accounts: Accounts) -> None:
    alice = add_user(accounts, "alice")
    run(accounts.set_user(alice.id, state=UserState.DISABLED))
    assert run(accounts.user_by_id(alice.id)) == alice._replace(state=UserState.DISABLED)
    run(accounts.set_user(alice.id, state=UserState.ACTIVE))
    assert run(accounts.user_by_id(alice.id)) == alice


def test_removal_forgets_the_password_voids_credentials_and_keeps_the_name(accounts: Accounts) -> None:
    alice = add_user(accounts, "alice")
    run(accounts.set_user(alice.id, state=UserState.REMOVED))
    gone = run(accounts.user(1, "alice"))
    assert gone is not None
    assert (gone.id, gone.state, gone.password_hash) == (alice.id, UserState.REMOVED, "")
    assert gone.credential_version > alice.credential_version
    assert run(accounts.add_users(1, [("alice", "h")], 0)) == ["alice"]


# ---------------------------------------------------------------- changes


def test_the_first_look_tells_only_the_position(views: Views) -> None:
    add_user(views.command, "alice")
    changes = run(views.server.changes(-1))
    assert changes.users == changes.tenants == frozenset()
    assert run(views.server.changes(changes.position)) == changes


def test_every_write_made_elsewhere_is_told_once(views: Views) -> None:
    position = run(views.server.changes(-1)).position
    alice = add_user(views.command, "alice")
    seen = run(views.server.changes(position))
    assert (set(seen.tenants), set(seen.users)) == (set(), {alice.id})

    tenant = add_tenant(views.command, "acme", "shop")
    bob = add_user(views.command, "bob", tenant.id)
    run(views.command.set_user(alice.id, state=UserState.DISABLED))
    again = run(views.server.changes(seen.position))
    assert (set(again.tenants), set(again.users)) == ({tenant.id}, {alice.id, bob.id})

    run(views.command.set_tenant(replace(tenant, strangers=False)))
    last = run(views.server.changes(again.position))
    assert (set(last.tenants), set(last.users)) == ({tenant.id}, set())
    assert run(views.server.changes(last.position)).users == frozenset()
    assert run(views.server.changes(position)).users == {alice.id, bob.id}


def test_own_writes_are_told_too(accounts: Accounts) -> None:
    position = run(accounts.changes(-1)).position
    alice = add_user(accounts, "alice")
    first = run(accounts.changes(position))
    assert first.users == {alice.id}
    run(accounts.set_user(alice.id, password_hash="new"))
    assert run(accounts.changes(first.position)).users == {alice.id}


def test_adding_users_that_fails_is_no_change(accounts: Accounts) -> None:
    add_user(accounts, "alice")
    position = run(accounts.changes(-1)).position
    run(accounts.add_users(1, [("bob", "h"), ("alice", "h")], 0))
    assert run(accounts.changes(position)).position == position


# ---------------------------------------------------------------- key


def test_the_signing_key_is_the_same_for_everyone(views: Views) -> None:
    assert len(run(views.server.signing_key())) == 32
    assert run(views.server.signing_key()) == run(views.command.signing_key())


# ---------------------------------------------------------------- profiles


def profile_of(user: User, nickname: str = "") -> Profile:
    return Profile(user.id, user.name, nickname, "https://x/y.png", (("city", "Köln"), ("x", "")))


def test_a_profile_is_read_back_as_it_was_set(accounts: Accounts) -> None:
    alice, bob = add_user(accounts, "alice"), add_user(accounts, "bob")
    run(accounts.set_profile(profile_of(alice, "old")))
    run(accounts.set_profile(profile_of(alice, "Al")))
    wanted = [profile_of(alice, "Al"), Profile(bob.id, "bob")]
    assert list(run(accounts.profiles(1, ["bob", "nobody", "alice", "bob"]))) == wanted


def test_profiles_are_found_by_the_beginning_of_name_or_nickname_whatever_its_case(accounts: Accounts) -> None:
    users = {name: add_user(accounts, name) for name in ("Stella", "bob", "carol", "dave")}
    run(accounts.set_profile(profile_of(users["bob"], "STRASSE 7")))
    run(accounts.set_profile(profile_of(users["dave"], "Anna Stone")))

    def found(prefix: str) -> list[str]:
        return [profile.name for profile in run(accounts.find_profiles(1, prefix, 10))]

    assert found("st") == found("ST") == ["Stella", "bob"]
    assert found("straße") == ["bob"]
    assert found("") == ["Stella", "bob", "carol", "dave"]
    assert found("stone") == found("tella") == []
    assert found("%") == found("_") == []


def test_of_many_profiles_as_many_are_found_as_were_asked_for(accounts: Accounts) -> None:
    for number in range(9):
        run(accounts.set_profile(profile_of(add_user(accounts, f"ann{number}"), "annie")))
    names = [profile.name for profile in run(accounts.find_profiles(1, "an", 4))]
    assert len(set(names)) == 4
    assert names == sorted(names)


def test_profiles_of_other_tenants_and_of_removed_users_are_not_found(accounts: Accounts) -> None:
    other = add_tenant(accounts, "acme", "shop")
    foreign, gone = add_user(accounts, "alice", other.id), add_user(accounts, "alina")
    for user in (foreign, gone):
        run(accounts.set_profile(profile_of(user, "Ali")))
    assert [profile.user for profile in run(accounts.find_profiles(1, "ali", 10))] == [gone.id]
    run(accounts.set_user(gone.id, state=UserState.REMOVED))
    assert list(run(accounts.find_profiles(1, "ali", 10))) == []
    assert list(run(accounts.profiles(1, ["alice", "alina"]))) == []
