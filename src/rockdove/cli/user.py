"""rockdove user: the people of a tenant."""

import json
import sys
import time
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final

import typer

from rockdove.auth.password import RULE, hash_password, hash_passwords, is_password
from rockdove.cli.accounts import App, AsJson, Data, Org, StoreAddress, check_name, find_tenant, with_accounts
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.core.ports import Accounts
from rockdove.core.records import DEFAULT_NAME, Tenant, User, UserState
from rockdove.wire import names

_PAGE: Final = 1000

user = typer.Typer(help="Add, list, disable and remove users.", rich_markup_mode=None, add_completion=False)

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"Name of the user: {names.RULE}.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")]


@user.command()
def add(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=f"Name of the user: {names.RULE}.")] = None,
    password_stdin: FromStdin = False,
    from_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", allow_dash=True, help="Add all users of a file with lines name:password; - is stdin."),
    ] = None,
    org: Org = DEFAULT_NAME,
    app: App = DEFAULT_NAME,
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Add one user, or all users of a file, or none if any cannot be added."""
    if from_file and not name and not password_stdin:
        people = _read_file(from_file)
    elif name and not from_file:
        check_name("user", name)
        people = {name: _read_password(name, password_stdin)}
    else:
        raise wrong_usage("give either NAME, with or without --password-stdin, or --from-file FILE alone")
    with_accounts(data, store, lambda accounts: _add(accounts, org, app, people))
    added = next(iter(people)) if len(people) == 1 else f"{len(people)} users"
    print(f"added {added} to {org}/{app}")


@user.command("list")
def list_users(
    as_json: AsJson = False, org: Org = DEFAULT_NAME, app: App = DEFAULT_NAME, data: Data = None, store: StoreAddress = None
) -> None:
    """List users by name, without removed ones."""
    people = with_accounts(data, store, lambda accounts: _list(accounts, org, app))
    if as_json:
        print(json.dumps([{"org": org, "appkey": app, "name": person.name, "state": _state(person)} for person in people]))
        return
    width = max((len(person.name) for person in people), default=0)
    for person in people:
        print(f"{person.name:{width}}  {_state(person)}")


@user.command()
def disable(
    name: Name, org: Org = DEFAULT_NAME, app: App = DEFAULT_NAME, data: Data = None, store: StoreAddress = None
) -> None:
    """End a user's sessions and refuse new ones; messages still arrive for later."""
    _change(data, store, org, app, name, state=UserState.DISABLED)
    print(f"disabled {name} in {org}/{app}; messages are kept for later")


@user.command()
def enable(name: Name, org: Org = DEFAULT_NAME, app: App = DEFAULT_NAME, data: Data = None, store: StoreAddress = None) -> None:
    """Let a disabled user log in again."""
    _change(data, store, org, app, name, state=UserState.ACTIVE)
    print(f"enabled {name} in {org}/{app}")


@user.command()
def passwd(
    name: Name,
    password_stdin: FromStdin = False,
    org: Org = DEFAULT_NAME,
    app: App = DEFAULT_NAME,
    data: Data = None,
    store: StoreAddress = None,
) -> None:
    """Give a user a new password; every device has to log in with it."""
    _change(data, store, org, app, name, password=_read_password(name, password_stdin))
    print(f"changed the password of {name} in {org}/{app}; every device has to log in anew")


@user.command()
def remove(name: Name, org: Org = DEFAULT_NAME, app: App = DEFAULT_NAME, data: Data = None, store: StoreAddress = None) -> None:
    """Remove a user for good; the name is never given to anybody else."""
    _change(data, store, org, app, name, state=UserState.REMOVED)
    print(f"removed {name} from {org}/{app}; the name stays taken")


# ---------------------------------------------------------------- what the commands do


async def _add(accounts: Accounts, org: str, app: str, people: dict[str, str]) -> None:
    tenant = await find_tenant(accounts, org, app)
    # Hashing takes long, so it is done before the write lock is taken, and not for nothing.
    taken = [name for name in people if await accounts.user(tenant.id, name)]
    if not taken:
        hashes = _hashes(list(people.values()), tenant.password_cost)
        taken = list(await accounts.add_users(tenant.id, list(zip(people, hashes, strict=True)), time.time_ns() // 1_000_000))
    if taken:
        raise CommandError(f"nothing was added; taken in {org}/{app}, perhaps by a removed user: {', '.join(taken)}")


async def _list(accounts: Accounts, org: str, app: str) -> list[User]:
    tenant = await find_tenant(accounts, org, app)
    people: list[User] = []
    while page := await accounts.users(tenant.id, people[-1].name if people else "", _PAGE):
        people += page
    return people


def _change(
    data: Path | None,
    store: str | None,
    org: str,
    app: str,
    name: str,
    *,
    state: UserState | None = None,
    password: str | None = None,
) -> None:
    async def change(accounts: Accounts) -> None:
        tenant = await find_tenant(accounts, org, app)
        person = await _find_user(accounts, tenant, name)
        password_hash = None if password is None else hash_password(password, tenant.password_cost)
        await accounts.set_user(person.id, state=state, password_hash=password_hash)

    with_accounts(data, store, change)


async def _find_user(accounts: Accounts, tenant: Tenant, name: str) -> User:
    check_name("user", name)
    person = await accounts.user(tenant.id, name)
    if not person:
        raise CommandError(f"there is no user {name} in {tenant.org}/{tenant.appkey}; see rockdove user list")
    if person.state is UserState.REMOVED:
        raise CommandError(f"{name} was removed from {tenant.org}/{tenant.appkey} for good; add a user with another name")
    return person


def _state(person: User) -> str:
    return person.state.name.lower()


# ---------------------------------------------------------------- passwords


def _hashes(passwords: list[str], cost: str) -> list[str]:
    hashes = hash_passwords(passwords, cost)
    if len(passwords) < 2 or not sys.stderr.isatty():
        return list(hashes)
    with typer.progressbar(hashes, length=len(passwords), label="hashing passwords", file=sys.stderr) as progress:
        return list(progress)


def _read_password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        password = _text(sys.stdin.buffer.readline().rstrip(b"\r\n"))
    elif sys.stdin.isatty():
        password = getpass(f"new password of {name}: ")
        if password != getpass("again: "):
            raise CommandError("the two passwords differ; nothing was changed")
    else:
        raise wrong_usage("give the password on standard input and say --password-stdin")
    if password is None or not is_password(password):
        raise CommandError(f"the password is not usable: it has to be {RULE} of UTF-8")
    return password


def _read_file(file: Path) -> dict[str, str]:
    """Names and passwords in the order of the file, `-` for standard input. Raises CommandError with every bad line."""
    source = "standard input" if str(file) == "-" else str(file)
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}") from None
    people: dict[str, str] = {}
    bad: list[str] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        name, colon, password = (_text(line.removesuffix(b"\r")) or "").partition(":")
        if problem := _problem(people, name, colon, password):
            bad.append(f"{source} line {number}: {problem}")
        people.setdefault(name, password)
    if bad:
        raise CommandError(*bad, "nothing was added")
    if not people:
        raise CommandError(f"{source} holds no lines name:password; nothing was added")
    return people


def _problem(people: dict[str, str], name: str, colon: str, password: str) -> str:
    """What is wrong with a line, "" if nothing; never shows the password."""
    if not colon:
        return "write name:password, in UTF-8"
    if not names.is_name(name):
        return f"{name!r} is not a legal user; use {names.RULE}"
    if not is_password(password):
        return f"the password of {name} has to be {RULE}"
    if name in people:
        return f"{name} stands on an earlier line too; remove one"
    return ""


def _text(line: bytes) -> str | None:
    """`line` unless it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
