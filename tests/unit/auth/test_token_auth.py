"""Whoever is refused has cost one argon2 at the tenant's cost, whatever the reason (protocol §3)."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rockdove.auth import TokenAuth, app_token, password
from rockdove.core.ports import Auth
from rockdove.core.records import Tenant, User, UserState
from rockdove.core.settings import DAY_MS

NOW = 1_700_000_000_000
SHOP = Tenant(1, "acme", "shop", password_cost="light", token_secret=app_token.new_secret())
ALICE = User(7, 1, "alice", password_hash=password.hash_password("secret", "light"), credential_version=3)
APP_TOKEN = app_token.sign(SHOP, "alice", NOW // 1000 - 60, NOW // 1000 + 60)


@pytest.fixture
def auth() -> Iterator[TokenAuth]:
    auth = TokenAuth(bytes(range(32)), resume_token_days=30)
    yield auth
    auth.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of each argon2 that was run."""
    done: list[str] = []
    verify = password.verify_password

    def counted(password_hash: str, token: str) -> bool:
        done.append(password_hash.split("$")[3])
        return verify(password_hash, token)

    monkeypatch.setattr(password, "verify_password", counted)
    return done


def check(
    auth: Auth,
    token: str,
    user: User | None = ALICE,
    tenant: Tenant | None = SHOP,
    device: str = "phone",
    kicked_ms: int = 0,
) -> bool:
    return asyncio.run(auth.check(tenant, user.name if user else "alice", user, device, kicked_ms, token, NOW))


def test_the_password_lets_in(auth: TokenAuth) -> None:
    assert check(auth, "secret")
    assert not check(auth, "Secret")


def test_a_resume_token_lets_its_device_in_without_an_argon2(auth: TokenAuth, work: list[str]) -> None:
    token, expires_ms = auth.resume_token(SHOP, ALICE, "phone", 0, NOW)
    assert expires_ms == NOW + 30 * DAY_MS
    assert check(auth, token)
    assert not work
    assert not check(auth, token, device="tablet")


def test_an_app_token_lets_in_known_and_unknown_users_without_an_argon2(auth: TokenAuth, work: list[str]) -> None:
    assert check(auth, APP_TOKEN)
    assert check(auth, APP_TOKEN, user=None)
    assert check(auth, APP_TOKEN, user=ALICE._replace(password_hash=""))
    assert not work


def test_after_a_kick_the_device_s_tokens_are_dead_and_the_password_and_new_tokens_are_good(auth: TokenAuth) -> None:
    kicked_ms = NOW - 1000
    older, _ = auth.resume_token(SHOP, ALICE, "phone", 0, NOW - 2000)
    newer, _ = auth.resume_token(SHOP, ALICE, "phone", kicked_ms, NOW)
    for token in (older, APP_TOKEN):
        assert check(auth, token)
        assert not check(auth, token, kicked_ms=kicked_ms)
    for token in ("secret", newer, app_token.sign(SHOP, "alice", NOW // 1000, NOW // 1000 + 60)):
        assert check(auth, token, kicked_ms=kicked_ms)


@pytest.mark.parametrize("text", ["r1.not.really", "eyJhbGciOiJub25lIn0.e30.", APP_TOKEN[:-4], "r1.9." + "A" * 43, "a.b.c"])
def test_a_password_that_looks_like_a_token_is_a_password(auth: TokenAuth, text: str) -> None:
    assert check(auth, text, user=ALICE._replace(password_hash=password.hash_password(text, "light")))


@pytest.mark.parametrize("state", [UserState.DISABLED, UserState.REMOVED])
def test_nothing_lets_a_disabled_or_removed_user_in(auth: TokenAuth, state: UserState) -> None:
    resume_token, _ = auth.resume_token(SHOP, ALICE, "phone", 0, NOW)
    for token in ("secret", resume_token, APP_TOKEN):
        assert check(auth, token)
        assert not check(auth, token, user=ALICE._replace(state=state))


@pytest.mark.parametrize("cost", ["light", "standard", "strong"])
def test_every_refusal_costs_one_argon2_at_the_tenants_cost(auth: TokenAuth, work: list[str], cost: str) -> None:
    tenant = replace(SHOP, password_cost=cost)
    alice = ALICE._replace(password_hash=password.hash_password("secret", cost))
    resume_token, _ = auth.resume_token(tenant, alice._replace(credential_version=2), "phone", 0, NOW)
    expired = app_token.sign(tenant, "alice", NOW // 1000 - 60, NOW // 1000 - 1)
    assert not check(auth, "wrong", alice, tenant)
    assert not check(auth, "", alice, tenant)
    assert not check(auth, "x" * 3000, alice, tenant)
    assert not check(auth, "wrong", None, tenant)
    assert not check(auth, "wrong", alice._replace(password_hash=""), tenant)
    assert not check(auth, "secret", alice._replace(state=UserState.DISABLED), tenant)
    assert not check(auth, "secret", alice._replace(state=UserState.REMOVED, password_hash=""), tenant)
    assert not check(auth, resume_token, alice, tenant)
    assert not check(auth, expired, alice, tenant)
    assert not check(auth, expired, None, tenant)
    memory_kib, passes = password.COSTS[cost]
    assert work == [f"m={memory_kib},t={passes},p=1"] * 10


def test_an_unknown_tenant_costs_one_argon2_at_the_standard_cost(auth: TokenAuth, work: list[str]) -> None:
    assert not check(auth, APP_TOKEN, None, None)
    assert not check(auth, "secret", None, None)
    memory_kib, passes = password.COSTS["standard"]
    assert work == [f"m={memory_kib},t={passes},p=1"] * 2
