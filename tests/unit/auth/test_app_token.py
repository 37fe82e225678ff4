"""An app token lets in exactly whom the tenant's own secret signed for, until it expires."""

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.auth import app_token
from rockdove.core.records import Tenant

NOW = 1_700_000_000
SHOP = Tenant(1, "acme", "shop", token_secret=app_token.new_secret())
OTHER = Tenant(2, "acme", "game", token_secret=app_token.new_secret())
CLAIMS: dict[str, Any] = {"sub": "alice", "org": "acme", "appkey": "shop", "exp": NOW + 60}


def signed(claims: dict[str, Any], tenant: Tenant = SHOP, algorithm: str = "HS256") -> str:
    """A token as the tenant's backend would make it."""
    return jwt.encode(claims, tenant.token_secret, algorithm=algorithm)


def lets_in(
    token: str, name: str = "alice", tenant: Tenant = SHOP, now_seconds: float = NOW, kicked_seconds: float = 0
) -> bool:
    return app_token.verify(tenant, name, int(kicked_seconds * 1000), token, int(now_seconds * 1000))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_we_sign_is_let_in() -> None:
    assert lets_in(app_token.sign(SHOP, "alice", NOW, NOW + 1))


def test_a_token_of_the_products_backend_is_let_in() -> None:
    assert lets_in(signed(CLAIMS))
    assert lets_in(signed(CLAIMS | {"iat": NOW + 5, "jti": "x", "role": "admin"}))


def test_on_a_kicked_device_only_a_token_made_afterwards_lets_in() -> None:
    before, after = signed(CLAIMS | {"iat": NOW - 2}), signed(CLAIMS | {"iat": NOW - 1})
    assert lets_in(before)
    assert not lets_in(before, kicked_seconds=NOW - 1.5)
    assert lets_in(after, kicked_seconds=NOW - 1.5)
    assert lets_in(app_token.sign(SHOP, "alice", NOW, NOW + 60), kicked_seconds=NOW - 1.5)


@pytest.mark.parametrize("made", [None, "now", [NOW], float("nan")])
def test_on_a_kicked_device_a_token_that_does_not_say_when_it_was_made_is_refused(made: object) -> None:
    token = jwt.api_jws.encode(
        json.dumps(CLAIMS | ({} if made is None else {"iat": made})).encode(), SHOP.token_secret, "HS256"
    )
    assert lets_in(token)
    assert not lets_in(token, kicked_seconds=1)


def test_a_token_ends_when_it_says() -> None:
    assert lets_in(signed(CLAIMS), now_seconds=NOW + 59.999)
    assert not lets_in(signed(CLAIMS), now_seconds=NOW + 60)


def test_a_token_begins_when_it_says_give_or_take_a_minute() -> None:
    token = signed(CLAIMS | {"nbf": NOW, "exp": NOW + 999})
    assert lets_in(token, now_seconds=NOW - 60)
    assert not lets_in(token, now_seconds=NOW - 61)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_token_without_one_of_the_claims_is_refused(claim: str) -> None:
    assert not lets_in(signed({name: value for name, value in CLAIMS.items() if name != claim}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": "bob"},
        {"sub": "Alice"},
        {"sub": ["alice"]},
        {"org": "acm"},
        {"org": None},
        {"appkey": "game"},
        {"exp": str(NOW + 60)},
        {"exp": float("nan")},
        {"exp": None},
        {"exp": [NOW + 60]},
        {"nbf": "soon"},
        {"aud": "somebody else"},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    assert not lets_in(jwt.api_jws.encode(json.dumps(CLAIMS | wrong).encode(), SHOP.token_secret, "HS256"))


def test_a_token_of_another_tenant_is_refused() -> None:
    assert not lets_in(signed(CLAIMS, tenant=OTHER))
    assert not lets_in(signed(CLAIMS | {"appkey": "game"}, tenant=OTHER))
    assert not lets_in(signed(CLAIMS), tenant=replace(OTHER, appkey="shop"))


def test_a_rotated_secret_voids_older_tokens() -> None:
    assert not lets_in(signed(CLAIMS), tenant=replace(SHOP, token_secret=app_token.new_secret()))


def test_no_secret_lets_nobody_in() -> None:
    unsigned = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(CLAIMS)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(unsigned.encode(), b"")
    token = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert not lets_in(token, tenant=replace(SHOP, token_secret=b""))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS512", "RS256", ""])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    head, claims, signature = signed(CLAIMS).split(".")
    assert head
    for tail in ("", signature):
        assert not lets_in(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.{tail}")


def test_another_algorithm_is_refused_with_the_right_secret_too() -> None:
    secret = replace(SHOP, token_secret=b"s" * 64)
    assert lets_in(signed(CLAIMS, secret), tenant=secret)
    assert not lets_in(signed(CLAIMS, secret, "HS512"), tenant=secret)


@given(st.integers(0, 2), st.data())
def test_a_changed_token_is_refused(which: int, data: st.DataObject) -> None:
    parts = signed(CLAIMS).split(".")
    at = data.draw(st.integers(0, len(parts[which]) - 2))  # the last character may hold bits that mean nothing
    letter = data.draw(st.sampled_from("ABCXYZabcxyz019-_").filter(lambda letter: letter != parts[which][at]))
    parts[which] = parts[which][:at] + letter + parts[which][at + 1 :]
    assert not lets_in(".".join(parts))


@given(st.one_of(st.text(), st.text(alphabet="eyJ.{}=_-"), st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True)))
def test_any_text_is_refused_without_an_error(token: str) -> None:
    assert not lets_in(token)


def test_a_deeply_nested_header_is_refused_without_an_error() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    assert not lets_in(f"{nested}.{nested}.AAAA")
