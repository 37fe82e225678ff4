"""docs/operations.md, held against the server."""

import ast
import configparser
import os
import re
import shlex
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from prometheus_client.parser import text_string_to_metric_families

import rockdove
from rockdove import BlockingClient, Connected, MessageReceived
from rockdove.auth import app_token
from rockdove.auth.password import COSTS
from rockdove.cli.tenant import _settings as tenant_settings
from rockdove.core import quota, retention
from rockdove.core.figures import SECONDS, Histogram
from rockdove.core.records import Tenant
from rockdove.server import app
from rockdove.server.config import Address, Config
from rockdove.server.metrics import Metrics
from rockdove.store.postgres.database import OLDEST, POOL, RESERVED
from rockdove.store.postgres.nodes import LANES
from rockdove.store.sqlite.search_index import SEARCH_INDEX
from rockdove.wire import limits
from tests.conftest import StartServer
from tests.docs.commands import arguments, command, commands, options, parse
from tests.docs.pages import blocks, read, section, table
from tests.engines.postgres import PostgresServer, binaries
from tests.process import PASSWORD, ROCKDOVE, add_users
from tests.protocol.storage import make_storage
from tests.protocol.virtual import VirtualWorld

PAGE = read("docs/operations.md")
SOURCES = Path(rockdove.__file__).parent
FAR_MS = 4_000_000_000_000
SECRET = "x" * 43
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}


def unquoted(cell: str) -> str:
    return cell.replace("`", "")


# ---------------------------------------------------------------- settings


def settings() -> list[list[str]]:
    return [[unquoted(cell) for cell in row] for row in table(section(PAGE, "Settings"), "setting")]


def test_every_setting_is_documented_with_its_variable_and_flag() -> None:
    flags = options(command("serve"))
    called = {name: f"--{name.replace('_', '-')}" for name in Config.model_fields}
    expected = {name: (f"ROCKDOVE_{name.upper()}", flag if flag in flags else "") for name, flag in called.items()}
    assert {name: (variable, flag) for name, variable, flag, *_ in settings()} == expected


def test_the_documented_defaults_hold() -> None:
    written = {name: default for name, _, _, default, _ in settings() if name not in {"data", "node_name"}}
    none = {"tls": "off"}
    assert written == {
        name: none.get(name, "none") if default is None else str(default)
        for name in written
        for default in [Config.model_fields[name].default]
    }


def test_the_documented_ranges_hold() -> None:
    bounds = {name: match for name, *_, meaning in settings() if (match := re.search(r"(\d+) to (\d+)", meaning))}
    assert bounds
    for name, match in bounds.items():
        for value in map(int, match.groups()):
            Config.model_validate({name: value})
            outside = value - 1 if value == int(match[1]) else value + 1
            with pytest.raises(ValueError, match=name):
                Config.model_validate({name: outside})


def test_the_example_of_a_settings_file_holds() -> None:
    (example,) = blocks(PAGE, "toml")
    settings = tomllib.loads(example)
    assert settings.keys() <= Config.model_fields.keys()
    fields = {name: value for name, value in settings.items() if name not in {"tls", "cert", "key"}} | {"tcp": settings["tls"]}
    assert Config.model_validate(fields).tcp == Address("0.0.0.0", 5182)


def test_every_setting_of_a_tenant_is_documented_with_its_default() -> None:
    rows = [list(map(unquoted, row)) for row in table(section(PAGE, "Tenants and users"), "option")]
    assert {option for option, *_ in rows} == options(commands()["tenant set"]) - {"--data", "--store", "--help"}
    defaults = tenant_settings(Tenant(1, "acme", "shop"))
    written = {option.removeprefix("--").replace("-", "_"): default for option, default, _ in rows}
    assert written == {name: "yes" if defaults[name] is True else str(defaults[name]) for name in written}


# ---------------------------------------------------------------- commands


def test_every_command_is_documented_with_its_arguments_and_options() -> None:
    rows = [[cell.replace("`", "").split() for cell in row] for row in table(section(PAGE, "Commands"), "command")]
    written = {" ".join(name[1:]): (arguments, sorted(options)) for name, arguments, options in rows}
    assert written == {name: (arguments(entry), sorted(options(entry) - {"--help"})) for name, entry in commands().items()}


def test_the_unit_of_systemd_is_well_formed_and_starts_the_server() -> None:
    (unit,) = blocks(PAGE, "ini")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit)
    program, *words = shlex.split(parser["Service"]["ExecStart"])
    parse(words)
    (install, *_) = blocks(section(PAGE, "Install"), "sh")
    assert str(Path(program).parents[1]) in install


# ---------------------------------------------------------------- logs


def logged() -> Iterator[tuple[str, str, frozenset[str]]]:
    """(event, level, fields) of everything that the server's sources log."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(ast.Name(name) | ast.Attribute(attr=name), level), [ast.Constant(str(event))]) if (
                    name.endswith("log") and level in LEVELS
                ):
                    yield event, LEVELS[level], frozenset(str(keyword.arg) for keyword in node.keywords)


def test_every_log_event_is_documented_with_its_level_and_fields() -> None:
    rows = table(section(PAGE, "Logs"), "event")
    written = {
        (event, level, frozenset(re.findall(r"`(\w+)`", fields)))
        for events, level, fields, _ in rows
        for event in re.findall(r"`(\w+)`", events)
    }
    assert written == set(logged())


# ---------------------------------------------------------------- metrics


def test_every_metric_is_documented_with_its_labels(tmp_path: Path) -> None:
    with closing(VirtualWorld(make_storage("memory", tmp_path))) as world:
        world.connect().login("alice")
        listener: Any = SimpleNamespace(connections=set(), refused=0, headers_refused=0)
        pulse: Any = SimpleNamespace(lag=Histogram(SECONDS), worst_seconds=0.0)
        text = Metrics(world.node, {"tcp": listener}, pulse).text().decode()
    told = set()
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told.add((name, frozenset(labels)))
    rows = table(section(PAGE, "Metrics"), "metric")
    written = {(unquoted(name), frozenset(re.findall(r"`(\w+)`", labels))) for name, labels, _ in rows}
    assert written == {(name, labels) for name, labels in told if name.startswith("rockdove_")}
    assert f"has not answered for {app.SILENT_SECONDS:.0f} s" in section(PAGE, "Health")


# ---------------------------------------------------------------- numbers


def test_the_documented_password_costs_hold() -> None:
    rows = {unquoted(name): (memory, passes) for name, memory, passes, _ in table(section(PAGE, "Passwords"), "cost")}
    assert rows == {name: (f"{cost.memory_kib // 1024} MiB", str(cost.passes)) for name, cost in COSTS.items()}


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Limits on people", f"one user from one address | {quota.FAILURES_PER_USER} a minute"),
        ("Limits on people", f"failed logins from one address | {quota.FAILURES_PER_ADDRESS} a minute"),
        ("Limits on people", f"after {quota.FLOOD_FACTOR} × N refusals"),
        ("Limits on people", f"(`group_max_members`) | {Config().group_max_members:,} |"),
        ("Limits on people", f"contacts and requests of one user | {limits.CONTACTS:,} |"),
        ("Settings", f"deletes at most {retention.MESSAGES} messages"),
        ("Several machines", f"| {POOL + RESERVED + LANES + 1} for each node"),
        ("Several machines", f"| {OLDEST} or later"),
        ("Behind a balancer", f"does not send it within {limits.LOGIN_MS // 1000} s"),
        ("Open files", f"keeps {app.RESERVED_FILES} for its own"),
    ],
)
def test_the_documented_limits_hold(heading: str, words: str) -> None:
    assert words in section(PAGE, heading)
    assert quota.FAILURE_WINDOW_MS == 60_000


def test_the_files_of_the_search_index_are_called_so() -> None:
    files = [unquoted(row[0]) for row in table(section(PAGE, "Data directory"), "file")]
    assert f"{SEARCH_INDEX}, {SEARCH_INDEX}-wal, {SEARCH_INDEX}-shm" in files


# ---------------------------------------------------------------- app tokens


@pytest.fixture
def shop() -> Tenant:
    return Tenant(1, "acme", "shop", token_secret=SECRET.encode())


def signed(**changes: object) -> str:
    """An app token for alice, as PyJWT makes it; a claim of None is left out."""
    claims = {"sub": "alice", "org": "acme", "appkey": "shop", "exp": FAR_MS // 1000 + 60} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, SECRET, algorithm="HS256")


def test_a_token_of_the_example_is_good_for_an_hour(shop: Tenant) -> None:
    (example,) = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    exec(example, names)
    token = names["app_token"](SECRET, "alice")
    now_ms = int(time.time() * 1000)
    assert app_token.verify(shop, "alice", 0, token, now_ms)
    assert app_token.verify(shop, "alice", 0, token, now_ms + 3_500_000)
    assert not app_token.verify(shop, "alice", 0, token, now_ms + 3_700_000)
    kicked_long_ago, kicked_now = now_ms - 60_000, now_ms + 60_000
    assert app_token.verify(shop, "alice", kicked_long_ago, token, now_ms)
    assert not app_token.verify(shop, "alice", kicked_now, token, now_ms)


def test_what_is_said_of_the_claims_holds(shop: Tenant) -> None:
    claims = [name for row in table(section(PAGE, "App tokens"), "claim") for name in re.findall(r"`(\w+)`", row[0])]
    assert claims == ["sub", "org", "appkey", "exp", "nbf", "iat", "aud"]
    now = FAR_MS // 1000
    good = [signed(), signed(exp=now + 1), signed(nbf=now), signed(nbf=now + 60)]
    bad = [signed(**{name: None}) for name in claims[:4]]
    bad += [signed(**{name: "other"}) for name in claims[:3]]
    bad += [signed(exp=now), signed(nbf=now + 61), signed(aud="shop")]
    expected = [True] * len(good) + [False] * len(bad)
    assert [app_token.verify(shop, "alice", 0, token, FAR_MS) for token in good + bad] == expected
    kicked_ms = FAR_MS - 10_000
    tokens = [signed(iat=now - 10), signed(iat=now - 11), signed()]
    assert [app_token.verify(shop, "alice", kicked_ms, token, FAR_MS) for token in tokens] == [True, False, False]


# ---------------------------------------------------------------- backup and restore


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., None]:
    """Runs scripts of the page on the data directory tmp_path/data, with the backup in tmp_path/backup.db."""
    path = os.pathsep.join([str(ROCKDOVE.parent), str(binaries()), os.environ["PATH"]])
    environment = {"PATH": path, "ROCKDOVE_DATA": str(tmp_path / "data"), "BACKUP": str(tmp_path / "backup.db")}

    def run(script: str, **added: str) -> None:
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment | added, check=True, timeout=60)

    return run


def test_after_a_backup_is_restored_clients_get_every_new_message(
    tmp_path: Path, start_server: StartServer, shell: Callable[..., None]
) -> None:
    backup, restore = blocks(section(PAGE, "Backup and restore"), "sh")
    data = tmp_path / "data"
    add_users(data, ["alice", "bob"])

    def client(user: str, port: int) -> BlockingClient:
        return BlockingClient(f"127.0.0.1:{port}", user=user, token=PASSWORD, outbox=tmp_path / user)

    def received(bob: BlockingClient, wanted: str) -> list[str]:
        """What bob gets and acknowledges, up to `wanted`."""
        texts = []
        for event in bob.events(timeout=60):
            if isinstance(event, MessageReceived):
                texts.append(event.message.text)
                bob.acknowledge(event.message)
                if texts[-1] == wanted:
                    return texts
        raise AssertionError(f"{wanted!r} did not arrive, only {texts}")

    server = start_server(data)
    with client("alice", server.port()) as alice, client("bob", server.port()) as bob:
        assert alice.send("bob", "before").seq == 1
        received(bob, "before")
        shell(backup)
        assert alice.send("bob", "lost").seq == 2
        received(bob, "lost")
    server.stop()
    shell(restore)

    server = start_server(data)
    with client("alice", server.port()) as alice, client("bob", server.port()) as bob:
        first = bob.next_event(timeout=60)
        assert isinstance(first, Connected)
        assert first.epoch_changed
        assert alice.send("bob", "after").seq == 2
        assert received(bob, "after") in (["after"], ["before", "after"])  # acks of the last 50 ms were not in the backup
    assert (data / "rockdove.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600


def test_a_copy_of_a_shared_database_is_restored_with_another_epoch(
    postgres: PostgresServer, store: str, shell: Callable[..., None]
) -> None:
    _, _, backup, restore = blocks(section(PAGE, "Several machines"), "sh")

    def settings(name: str) -> dict[str, str]:
        return dict(
            line.split("|") for line in postgres.sql("SELECT name, encode(value, 'hex') FROM setting", name).splitlines()
        )

    shell("echo alice:secret | rockdove user add --from-file -", ROCKDOVE_STORE=store)
    shell(backup, ROCKDOVE_STORE=store)
    name = postgres.create_database()
    shell(restore, ROCKDOVE_STORE=postgres.dsn(name))
    assert postgres.sql("SELECT name FROM account", name) == "alice"
    before, after = settings(store.rpartition("/")[2]), settings(name)
    assert before["signing_key"] == after["signing_key"]
    assert len(before["epoch"]) == len(after["epoch"]) == 16
    assert before["epoch"] != after["epoch"]
    shell("rockdove user list", ROCKDOVE_STORE=postgres.dsn(name))
    postgres.drop_database(name)
