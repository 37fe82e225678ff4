"""rockdove tenant sets up applications and vouches for their users."""

import json
import time
from typing import Any

import jwt
import pytest

from rockdove.auth import app_token
from rockdove.auth.password import COSTS
from rockdove.core.records import FOREVER, NO_RETENTION, Tenant
from tests.unit.cli.command import refused, rockdove, succeeded
from tests.unit.cli.conftest import Place


def stored(place: Place, org: str = "acme", appkey: str = "shop") -> Tenant | None:
    """The tenant as the server sees it."""
    return place.look(lambda accounts: accounts.tenant(org, appkey))


def add(place: Place, *options: str) -> Tenant:
    succeeded(rockdove("tenant", "add", "acme", "shop", *options, *place.options))
    tenant = stored(place)
    assert tenant
    return tenant


def let_in(place: Place, token: str, name: str) -> bool:
    tenant = stored(place)
    assert tenant
    return app_token.verify(tenant, name, 0, token, time.time_ns() // 1_000_000)


def test_a_tenant_is_added_with_defaults(place: Place) -> None:
    text = succeeded(rockdove("tenant", "add", "acme", "shop", *place.options))
    settings = "retention forever, strangers yes, password cost standard, rate no limit, recall 120 s, edit 900 s"
    assert text == f"added tenant acme/shop: {settings}\n"
    tenant = stored(place)
    assert tenant
    assert (tenant.retention_days, tenant.strangers) == (FOREVER, True)
    assert (tenant.password_cost, tenant.messages_per_second) == ("standard", 0)
    assert (tenant.recall_seconds, tenant.edit_seconds) == (120, 900)


def test_a_tenant_is_added_with_settings(place: Place) -> None:
    tenant = add(place, "--retention", "7", "--strangers", "no", "--password-cost", "strong", "--rate", "20")
    assert (tenant.retention_days, tenant.strangers) == (7, False)
    assert (tenant.password_cost, tenant.messages_per_second) == ("strong", 20)


def test_a_tenant_says_how_long_messages_may_be_changed(place: Place) -> None:
    tenant = add(place, "--recall-seconds", "0", "--edit-seconds", "86400")
    assert (tenant.recall_seconds, tenant.edit_seconds) == (0, 86_400)
    text = succeeded(rockdove("tenant", "set", "acme", "shop", "--recall-seconds", "60", *place.options))
    assert text.endswith(", recall 60 s, edit 86400 s\n")
    (listed, _) = json.loads(succeeded(rockdove("tenant", "list", "--json", *place.options)))
    assert (listed["recall_seconds"], listed["edit_seconds"]) == (60, 86_400)


def test_every_tenant_has_its_own_secret(place: Place) -> None:
    secrets = {add(place).token_secret}
    succeeded(rockdove("tenant", "add", "acme", "game", *place.options))
    for appkey, org in [("game", "acme"), ("default", "default")]:
        tenant = stored(place, org, appkey)
        assert tenant
        assert len(tenant.token_secret) >= 32
        secrets.add(tenant.token_secret)
    assert len(secrets) == 3


def test_a_tenant_that_is_there_is_not_added_again(place: Place) -> None:
    before = add(place)
    line = refused(rockdove("tenant", "add", "acme", "shop", "--rate", "1", *place.options))
    assert line == "there is a tenant acme/shop already; change it with rockdove tenant set"
    assert stored(place) == before


@pytest.mark.parametrize(("org", "appkey", "wrong"), [("a b", "shop", "org"), ("acme", "sh/op", "appkey")])
def test_an_illegal_name_is_told_with_the_rule(place: Place, org: str, appkey: str, wrong: str) -> None:
    line = refused(rockdove("tenant", "add", org, appkey, *place.options), 2)
    assert f"is not a legal {wrong}; use 1 to 64 of the characters" in line


@pytest.mark.parametrize(
    ("options", "about"),
    [
        (["--retention", "0"], "'0' is no retention; say none, a number of days up to 36500, or forever"),
        (["--retention", "-1"], "'-1' is no retention"),
        (["--retention", "week"], "'week' is no retention"),
        (["--password-cost", "free"], f"'free' is no password cost; say {', '.join(COSTS)}"),
        (["--rate", "-1"], "--rate"),
        (["--recall-seconds", "-1"], "--recall-seconds"),
        (["--edit-seconds", "3153600001"], "--edit-seconds"),
        ([], "give at least one of --retention, --strangers, --password-cost, --rate, --recall-seconds, --edit-seconds"),
    ],
)
def test_a_wrong_setting_is_told_and_changes_nothing(place: Place, options: list[str], about: str) -> None:
    before = add(place)
    assert about in refused(rockdove("tenant", "set", "acme", "shop", *options, *place.options), 2)
    assert stored(place) == before


def test_only_the_settings_that_are_given_change(place: Place) -> None:
    before = add(place, "--retention", "7", "--strangers", "no", "--rate", "20")
    text = succeeded(rockdove("tenant", "set", "acme", "shop", "--retention", "none", *place.options))
    settings = "retention none, strangers no, password cost standard, rate 20, recall 120 s, edit 900 s"
    assert text == f"changed tenant acme/shop: {settings}\n"
    after = stored(place)
    assert after
    assert (before.retention_days, after.retention_days) == (7, NO_RETENTION)
    assert (after.strangers, after.messages_per_second, after.token_secret) == (False, 20, before.token_secret)


def test_who_shuts_out_strangers_is_told_what_that_means(place: Place) -> None:
    note = "note: users of this tenant can now write only to those who have accepted their contact request"
    for verb in ("add", "set"):
        shut = succeeded(rockdove("tenant", verb, "acme", "shop", "--strangers", "no", *place.options))
        assert shut.splitlines()[1:] == [note]
    for options in (["--rate", "1"], ["--strangers", "yes"]):
        assert note not in succeeded(rockdove("tenant", "set", "acme", "shop", *options, *place.options))


def test_an_unknown_tenant_is_told(place: Place) -> None:
    for command in (["set", "acme", "shop", "--rate", "1"], ["token", "acme", "shop", "alice"]):
        line = refused(rockdove("tenant", *command, *place.options))
        assert line == "there is no tenant acme/shop; see rockdove tenant add acme shop"


def test_tenants_are_listed_without_their_secrets(place: Place) -> None:
    tenant = add(place, "--retention", "7")
    as_json = succeeded(rockdove("tenant", "list", "--json", *place.options))
    listed: list[dict[str, Any]] = json.loads(as_json)
    assert [(each["org"], each["appkey"], each["retention"]) for each in listed] == [
        ("acme", "shop", 7),
        ("default", "default", "forever"),
    ]
    text = succeeded(rockdove("tenant", "list", *place.options))
    settings = "retention 7 days, strangers yes, password cost standard, rate no limit, recall 120 s, edit 900 s"
    assert text.splitlines()[0] == f"acme/shop: {settings}"
    assert tenant.token_secret.decode() not in text + as_json


# ---------------------------------------------------------------- app tokens


def test_a_signed_token_lets_its_user_in_for_its_time(place: Place) -> None:
    add(place)
    before = int(time.time())
    token = succeeded(rockdove("tenant", "token", "acme", "shop", "alice", "--ttl", "15m", *place.options)).strip()
    assert let_in(place, token, "alice")
    assert not let_in(place, token, "bob")
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]
    assert before + 900 <= expires <= int(time.time()) + 900


def test_the_printed_secret_signs_tokens_elsewhere(place: Place) -> None:
    add(place)
    secret = succeeded(rockdove("tenant", "token", "acme", "shop", "--secret", *place.options)).strip()
    claims = {"sub": "zoe", "org": "acme", "appkey": "shop", "exp": int(time.time()) + 600}
    assert let_in(place, jwt.encode(claims, secret, algorithm="HS256"), "zoe")


def test_rotation_voids_older_tokens_and_prints_the_new_secret(place: Place) -> None:
    old = add(place).token_secret.decode()
    token = succeeded(rockdove("tenant", "token", "acme", "shop", "alice", *place.options)).strip()
    new = succeeded(rockdove("tenant", "token", "acme", "shop", "--rotate", *place.options)).strip()
    assert new != old
    assert not let_in(place, token, "alice")
    assert succeeded(rockdove("tenant", "token", "acme", "shop", "--secret", *place.options)).strip() == new


@pytest.mark.parametrize("ttl", ["", "0s", "1", "1y", "-1h", "1h30m", "99999999999d"])
def test_a_wrong_time_to_live_is_told(place: Place, ttl: str) -> None:
    line = refused(rockdove("tenant", "token", "acme", "shop", "alice", f"--ttl={ttl}", *place.options), 2)
    assert line == f"{ttl!r} is no time to live; say for example 90s, 15m, 1h or 7d"


@pytest.mark.parametrize("arguments", [[], ["alice", "--secret"], ["alice", "--rotate"], ["--secret", "--rotate"]])
def test_one_thing_is_asked_for_at_a_time(place: Place, arguments: list[str]) -> None:
    line = refused(rockdove("tenant", "token", "acme", "shop", *arguments, *place.options), 2)
    assert line == "give one of USER, --secret, --rotate"


def test_no_token_is_signed_for_an_illegal_name(place: Place) -> None:
    add(place)
    assert "is not a legal user" in refused(rockdove("tenant", "token", "acme", "shop", "a b", *place.options), 2)
