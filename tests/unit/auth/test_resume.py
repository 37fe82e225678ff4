"""A resume token is good for one user, device, version of the credentials and secret of the tenant, until it expires."""

import hmac
import struct
from base64 import urlsafe_b64encode
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rockdove.auth import resume
from rockdove.core.records import Tenant, User

KEY = bytes(range(32))
NOW = 1_700_000_000_000
SHOP = Tenant(1, "acme", "shop", token_secret=b"the shop's")
ALICE = User(7, 1, "alice", credential_version=3)
KICKED = NOW - 5000
TOKEN = resume.sign(KEY, SHOP, ALICE, "phone", KICKED, NOW + 1000)


def good(
    token: str = TOKEN,
    tenant: Tenant = SHOP,
    user: User = ALICE,
    device: str = "phone",
    kicked_ms: int = KICKED,
    now_ms: int = NOW,
    key: bytes = KEY,
) -> bool:
    return resume.verify(key, tenant, user, device, kicked_ms, token, now_ms)


def test_its_signature_is_an_hmac() -> None:
    key = hmac.digest(KEY, SHOP.token_secret, "sha256")
    fields = struct.pack(">3sQQQQQ", b"r1.", 1, 7, 3, KICKED, NOW + 1000) + b"phone"
    signature = urlsafe_b64encode(hmac.digest(key, fields, "sha256")).rstrip(b"=").decode()
    assert f"r1.{NOW + 1000}.{signature}" == TOKEN


def test_it_is_good_until_it_expires() -> None:
    assert good()
    assert good(now_ms=NOW + 999)
    assert not good(now_ms=NOW + 1000)


def test_it_is_good_for_nobody_and_nothing_else() -> None:
    assert not good(user=ALICE._replace(id=8))
    assert not good(user=ALICE._replace(tenant=2))
    assert not good(device="tablet")
    assert not good(device="")
    assert not good(key=bytes(32))


def test_a_new_password_voids_it() -> None:
    assert not good(user=ALICE._replace(credential_version=4))


def test_a_new_secret_of_the_tenant_voids_it_and_other_settings_do_not() -> None:
    assert not good(tenant=replace(SHOP, token_secret=b"a new one"))
    assert good(tenant=replace(SHOP, strangers=False, password_cost="strong", messages_per_second=7))


def test_a_kick_voids_it_whatever_the_time() -> None:
    assert not good(kicked_ms=KICKED + 1)
    assert not good(kicked_ms=NOW)
    assert not good(kicked_ms=0)


def test_the_tenant_s_secret_alone_signs_none() -> None:
    assert not good(resume.sign(SHOP.token_secret, SHOP, ALICE, "phone", KICKED, NOW + 1000))
    assert not good(resume.sign(b"", SHOP, ALICE, "phone", KICKED, NOW + 1000))


def test_the_empty_device_has_its_own() -> None:
    token = resume.sign(KEY, SHOP, ALICE, "", KICKED, NOW + 1000)
    assert good(token, device="")
    assert not good(token)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    piece = data.draw(st.text(max_size=2).filter(lambda piece: piece != TOKEN[at]))
    assert not good(TOKEN[:at] + piece + TOKEN[at + 1 :])


@given(st.integers(0, 10**20))
def test_its_expiry_cannot_be_put_off(expires_ms: int) -> None:
    version, expiry, digest = TOKEN.split(".")
    if expires_ms != int(expiry):
        assert not good(f"{version}.{expires_ms}.{digest}")
    assert not good(f"{version}.0{expiry}.{digest}")


@given(st.text() | st.from_regex(r"r1\.\d+\.[\w-]{43}", fullmatch=True))
def test_any_text_is_refused_without_an_error(token: str) -> None:
    assert not good(token)


_names = st.text("ab1.", max_size=4)


_grants = st.tuples(*[st.integers(0, 300)] * 5, _names)


@given(_grants, _grants)
def test_no_two_grants_share_a_token(
    one: tuple[int, int, int, int, int, str], other: tuple[int, int, int, int, int, str]
) -> None:
    def token(tenant: int, user: int, version: int, kicked_ms: int, expires_ms: int, device: str) -> str:
        return resume.sign(KEY, SHOP, User(user, tenant, "x", credential_version=version), device, kicked_ms, expires_ms)

    assert (token(*one) == token(*other)) == (one == other)
