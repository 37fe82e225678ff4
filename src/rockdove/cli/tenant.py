"""rockdove tenant: applications of organisations, which never see each other."""

import json
import re
import time
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import typer

from rockdove.auth import app_token
from rockdove.auth.password import COSTS
from rockdove.cli.accounts import AsJson, Data, StoreAddress, check_name, find_tenant, with_accounts
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.core.ports import Accounts
from rockdove.core.records import FOREVER, NO_RETENTION, Tenant

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_DAYS: Final = 36_500
_MOST_SECONDS: Final = _MOST_DAYS * _SECONDS["d"]

tenant = typer.Typer(
    help="Add and configure tenants, and sign app tokens for them.", rich_markup_mode=None, add_completion=False
)


OrgName = Annotated[str, typer.Argument(metavar="ORG", help="The organisation.")]
AppName = Annotated[str, typer.Argument(metavar="APPKEY", help="Its application.")]
Retention = Annotated[
    str | None,
    typer.Option(metavar="none|DAYS|forever", help="How long messages are kept; none: until every device has them [forever]."),
]
Strangers = Annotated[
    Literal["yes", "no"] | None, typer.Option(help="May users write to each other who are not contacts? [yes]")
]
PasswordCost = Annotated[
    str | None,
    typer.Option(metavar="|".join(COSTS), help="How hard passwords are to guess for a thief of the database [standard]."),
]
Rate = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=1_000_000, help="Messages per second of one connection; 0: no limit [0].")
]
RecallSeconds = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=_MOST_SECONDS, help="How long senders may take a message back; 0: never [120]."),
]
EditSeconds = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=_MOST_SECONDS, help="How long senders may edit a message; 0: never [900]."),
]


@tenant.command()
def add(
    org: OrgName,
    appkey: AppName,
    retention: Retention = None,
    strangers: Strangers = None,
    password_cost: PasswordCost = None,
    rate: Rate = None,
    recall_seconds: RecallSeconds = None,
    edit_seconds: EditSeconds = None,
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Add a tenant."""
    check_name("org", org)
    check_name("appkey", appkey)
    settings = _given(retention, strangers, password_cost, rate, recall_seconds, edit_seconds)
    wanted = Tenant(0, org, appkey, token_secret=app_token.new_secret(), **settings)
    added = with_accounts(data, store, lambda accounts: accounts.add_tenant(wanted))
    if not added:
        raise CommandError(f"there is a tenant {org}/{appkey} already; change it with rockdove tenant set")
    print(f"added tenant {org}/{appkey}: {_describe(added)}")
    _warn_of_strangers(strangers)


@tenant.command("set")
def set_settings(
    org: OrgName,
    appkey: AppName,
    retention: Retention = None,
    strangers: Strangers = None,
    password_cost: PasswordCost = None,
    rate: Rate = None,
    recall_seconds: RecallSeconds = None,
    edit_seconds: EditSeconds = None,
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Change settings of a tenant; a new password cost holds for passwords given from now on."""
    settings = _given(retention, strangers, password_cost, rate, recall_seconds, edit_seconds)
    if not settings:
        raise wrong_usage(
            "give at least one of --retention, --strangers, --password-cost, --rate, --recall-seconds, --edit-seconds"
        )

    async def change(accounts: Accounts) -> Tenant:
        changed = replace(await find_tenant(accounts, org, appkey), **settings)
        await accounts.set_tenant(changed)
        return changed

    changed = with_accounts(data, store, change)
    print(f"changed tenant {org}/{appkey}: {_describe(changed)}")
    _warn_of_strangers(strangers)


@tenant.command("list")
def list_tenants(as_json: AsJson = False, data: Data = None, store: StoreAddress = None) -> None:
    """List tenants with their settings."""
    tenants = with_accounts(data, store, lambda accounts: accounts.tenants())
    if as_json:
        print(json.dumps([_settings(each) for each in tenants]))
        return
    for each in tenants:
        print(f"{each.org}/{each.appkey}: {_describe(each)}")


@tenant.command()
def token(
    org: OrgName,
    appkey: AppName,
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="Whom to let in; added at the first login.")] = None,
    ttl: Annotated[str, typer.Option(metavar="TIME", help="How long the token is good: 90s, 15m, 1h, 7d.")] = "1h",
    secret: Annotated[bool, typer.Option("--secret", help="Print the secret with which your backend signs tokens.")] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make and print a new secret; app and resume tokens from before are void.")
    ] = False,
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Sign an app token for a user, or print the secret for your own backend to do so."""
    if (user is not None) + secret + rotate != 1:
        raise wrong_usage("give one of USER, --secret, --rotate")
    seconds = _duration(ttl)
    if user is not None:
        check_name("user", user)

    async def work(accounts: Accounts) -> str:
        found = await find_tenant(accounts, org, appkey)
        if rotate:
            found = replace(found, token_secret=app_token.new_secret())
            await accounts.set_tenant(found)
        now = int(time.time())
        return app_token.sign(found, user, now, now + seconds) if user else found.token_secret.decode()

    print(with_accounts(data, store, work))


def _given(
    retention: str | None,
    strangers: str | None,
    password_cost: str | None,
    rate: int | None,
    recall_seconds: int | None,
    edit_seconds: int | None,
) -> dict[str, Any]:
    """The settings that are not None, as fields of a Tenant. Raises CommandError."""
    if password_cost not in {None, *COSTS}:
        raise wrong_usage(f"{password_cost!r} is no password cost; say {', '.join(COSTS)}")
    settings = {
        "retention_days": None if retention is None else _retention_days(retention),
        "strangers": None if strangers is None else strangers == "yes",
        "password_cost": password_cost,
        "messages_per_second": rate,
        "recall_seconds": recall_seconds,
        "edit_seconds": edit_seconds,
    }
    return {field: value for field, value in settings.items() if value is not None}


def _warn_of_strangers(wanted: str | None) -> None:
    if wanted == "no":
        print("note: users of this tenant can now write only to those who have accepted their contact request")


def _retention_days(text: str) -> int:
    if text in {"none", "forever"}:
        return NO_RETENTION if text == "none" else FOREVER
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= _MOST_DAYS):
        raise wrong_usage(f"{text!r} is no retention; say none, a number of days up to {_MOST_DAYS}, or forever")
    return int(text)


def _duration(text: str) -> int:
    """Seconds of 90s, 15m, 1h or 7d, at least one and at most 100 years."""
    match = re.fullmatch(r"([0-9]{1,10})([smhd])", text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= _MOST_SECONDS:
        raise wrong_usage(f"{text!r} is no time to live; say for example 90s, 15m, 1h or 7d")
    return seconds


def _settings(each: Tenant) -> dict[str, object]:
    """What may be shown of a tenant: all but its secret."""
    retention = {FOREVER: "forever", NO_RETENTION: "none"}.get(each.retention_days, each.retention_days)
    return {
        "org": each.org,
        "appkey": each.appkey,
        "retention": retention,
        "strangers": each.strangers,
        "password_cost": each.password_cost,
        "rate": each.messages_per_second,
        "recall_seconds": each.recall_seconds,
        "edit_seconds": each.edit_seconds,
    }


def _describe(each: Tenant) -> str:
    settings = _settings(each)
    retention = f"{each.retention_days} days" if each.retention_days > 0 else settings["retention"]
    strangers, rate = "yes" if each.strangers else "no", each.messages_per_second or "no limit"
    changes = f"recall {each.recall_seconds} s, edit {each.edit_seconds} s"
    return f"retention {retention}, strangers {strangers}, password cost {each.password_cost}, rate {rate}, {changes}"
