"""rockdove user changes accounts completely or not at all, and says in one line what it did or what to do."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.auth.password import verify_password
from rockdove.core.records import User, UserState
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import DATABASE, lock_for_serving, open_database
from tests.engines.nats import NatsServer
from tests.unit.cli.command import refused, rockdove, rockdove_process, succeeded
from tests.unit.cli.conftest import Place


def stored(place: Place, name: str) -> User:
    """The user as the server sees it."""
    user = place.look(lambda accounts: accounts.user(1, name))
    assert user
    return user


def add(place: Place, *names: str) -> None:
    lines = "".join(f"{name}:secret of {name}\n" for name in names).encode()
    succeeded(rockdove("user", "add", "--from-file", "-", *place.options, stdin=lines))


def listed(place: Place, *arguments: str) -> dict[str, str]:
    people = json.loads(succeeded(rockdove("user", "list", "--json", *place.options, *arguments)))
    return {person["name"]: person["state"] for person in people}


# ---------------------------------------------------------------- one user


def test_one_user_is_added_with_the_password_from_stdin(place: Place) -> None:
    result = rockdove_process("user", "add", "alice", "--password-stdin", *place.options, stdin="pass: wörd \n".encode())
    assert succeeded(result) == "added alice to default/default\n"
    alice = stored(place, "alice")
    assert verify_password(alice.password_hash, "pass: wörd ")
    assert alice.state is UserState.ACTIVE


def test_the_environment_names_the_store(tmp_path: Path, store: str) -> None:
    directory = Place((), None, tmp_path)
    database = Place((), store, tmp_path)
    here = Place((), None, tmp_path / "rockdove")
    for name, place, environment in [
        ("alice", directory, {"ROCKDOVE_DATA": str(tmp_path)}),
        ("bob", here, {"XDG_DATA_HOME": str(tmp_path)}),
        ("carol", database, {"ROCKDOVE_DATA": str(tmp_path), "ROCKDOVE_STORE": store}),
        ("dave", directory, {"ROCKDOVE_DATA": str(tmp_path), "ROCKDOVE_STORE": ""}),
    ]:
        succeeded(rockdove("user", "add", name, "--password-stdin", stdin=b"x", **environment))
        assert stored(place, name).name == name


def test_accounts_can_be_changed_while_the_server_runs(tmp_path: Path) -> None:
    with lock_for_serving(tmp_path), closing(open_database(tmp_path)) as connection:
        accounts = SqliteAccounts(connection)
        position = asyncio.run(accounts.changes(-1)).position
        add(Place(("--data", str(tmp_path)), None, tmp_path), "alice")
        alice = asyncio.run(accounts.user(1, "alice"))
        assert alice
        assert asyncio.run(accounts.changes(position)).users == {alice.id}


@pytest.mark.parametrize("name", ["a b", "", "é", "a" * 65, "a:b"])
def test_an_illegal_name_is_told_with_the_rule(place: Place, name: str) -> None:
    line = refused(rockdove("user", "add", "--password-stdin", *place.options, "--", name, stdin=b"x"), 2)
    assert "use 1 to 64 of the characters A-Z a-z 0-9 . _ -" in line or "give either NAME" in line
    assert listed(place) == {}


@pytest.mark.parametrize("password", [b"", b"\n", b"x" * 1025, b"\xff"])
def test_an_unusable_password_is_refused(place: Place, password: bytes) -> None:
    line = refused(rockdove("user", "add", "alice", "--password-stdin", *place.options, stdin=password))
    assert line == "the password is not usable: it has to be 1 to 1024 bytes of UTF-8"
    assert listed(place) == {}


@pytest.mark.parametrize(
    "arguments",
    [["alice"], [], ["alice", "--from-file", "-"], ["--password-stdin"], ["--password-stdin", "--from-file", "-"]],
)
def test_a_user_without_a_way_to_the_password_is_refused(place: Place, arguments: list[str]) -> None:
    assert "--password-stdin" in refused(rockdove("user", "add", *arguments, *place.options, stdin=b"a:b\n"), 2)


def test_an_unknown_tenant_is_told(place: Place) -> None:
    result = rockdove("user", "add", "alice", "--password-stdin", "--org", "acme", "--app", "shop", *place.options, stdin=b"x")
    assert refused(result) == "there is no tenant acme/shop; see rockdove tenant add acme shop"


@pytest.mark.parametrize("arguments", [["list", "--org", "\udcff"], ["list", "--app", "a/b"], ["disable", "\udcff"]])
def test_a_name_that_nobody_can_have_is_told(place: Place, arguments: list[str]) -> None:
    assert "; use 1 to 64 of the characters" in refused(rockdove_process("user", *arguments, *place.options), 2)


def test_a_damaged_database_is_told_without_a_traceback(tmp_path: Path) -> None:
    add(Place(("--data", str(tmp_path)), None, tmp_path), "alice")
    file = tmp_path / DATABASE
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xff" * (file.stat().st_size - 4096))
    assert "malformed" in refused(rockdove("user", "list", "--data", tmp_path))


def test_a_data_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a directory" in refused(rockdove("user", "list", "--data", tmp_path / "file"))


def test_a_database_that_cannot_be_used_is_told_without_the_password(nats: NatsServer) -> None:
    for address, about in [
        (f"postgresql://rockdove:s3cret@{nats.address}/chat", f"postgresql://{nats.address}/chat cannot be opened ("),
        ("postgresql://rockdove:s3cr/et@localhost/chat", "this is no address of a PostgreSQL database: write postgresql://"),
        ("mysql://rockdove:s3cret@localhost/chat", "this is no address of a PostgreSQL database: write postgresql://"),
    ]:
        line = refused(rockdove("user", "list", "--store", address))
        assert line.startswith(about)
        assert "s3cr" not in line


# ---------------------------------------------------------------- many users


def test_users_of_a_file_are_added_with_everything_after_the_first_colon(tmp_path: Path, place: Place) -> None:
    file = tmp_path / "users"
    file.write_bytes(b"\nalice:a:b \r\n  \nbob:#c\n#d.e:f")
    result = rockdove("user", "add", "--from-file", file, *place.options)
    assert "line 5: '#d.e' is not a legal user" in result.error
    file.write_bytes(file.read_bytes().replace(b"#d.e", b"d.e"))
    assert succeeded(rockdove("user", "add", "--from-file", file, *place.options)) == "added 3 users to default/default\n"
    for name, password in [("alice", "a:b "), ("bob", "#c"), ("d.e", "f")]:
        assert verify_password(stored(place, name).password_hash, password)


def test_every_bad_line_is_told_with_its_number_and_without_its_password(place: Place) -> None:
    lines = b"alice:ok\nbob\nc d:s3cret\n\ndave:\nalice:s3cret\neve:\xffs3cret\nfay:" + b"x" * 1025 + b"\n"
    result = rockdove("user", "add", "--from-file", "-", *place.options, stdin=lines)
    assert (result.code, result.out) == (1, "")
    assert "s3cret" not in result.error
    told = result.error.splitlines()
    assert [line.split(":")[1] for line in told[:-1]] == [f" standard input line {number}" for number in (2, 3, 5, 6, 7, 8)]
    assert told[-1] == "rockdove: nothing was added"
    assert listed(place) == {}


def test_names_that_are_taken_are_told_and_nothing_is_added(place: Place) -> None:
    add(place, "alice", "bob")
    succeeded(rockdove("user", "remove", "bob", *place.options))
    before = stored(place, "alice")
    line = refused(rockdove("user", "add", "--from-file", "-", *place.options, stdin=b"bob:x\nalice:x\ncarol:x\n"))
    assert line == "nothing was added; taken in default/default, perhaps by a removed user: bob, alice"
    assert listed(place) == {"alice": "active"}
    assert stored(place, "alice") == before


def test_an_empty_or_missing_file_is_told(tmp_path: Path, place: Place) -> None:
    assert "holds no lines name:password" in refused(rockdove("user", "add", "--from-file", "-", *place.options))
    line = refused(rockdove("user", "add", "--from-file", tmp_path / "none", *place.options))
    assert line == f"{tmp_path / 'none'} cannot be read: No such file or directory"


# ---------------------------------------------------------------- changes


def test_users_are_listed_by_name(place: Place) -> None:
    assert succeeded(rockdove("user", "list", *place.options)) == ""
    add(place, "bob", "alice", "carol")
    succeeded(rockdove("user", "disable", "bob", *place.options))
    assert succeeded(rockdove("user", "list", *place.options)) == "alice  active\nbob    disabled\ncarol  active\n"


def test_more_users_than_a_page_are_all_listed(tmp_path: Path, place: Place) -> None:
    names = [f"u{number:04}" for number in range(2100)]
    place.look(lambda accounts: accounts.add_users(1, [(name, "") for name in names], 0))
    assert list(listed(place)) == names


def test_a_user_is_disabled_enabled_and_removed(place: Place) -> None:
    add(place, "alice")
    assert succeeded(rockdove("user", "disable", "alice", *place.options)).startswith("disabled alice in default/default")
    assert listed(place) == {"alice": "disabled"}
    assert succeeded(rockdove("user", "enable", "alice", *place.options)) == "enabled alice in default/default\n"
    assert listed(place) == {"alice": "active"}
    assert succeeded(rockdove("user", "remove", "alice", *place.options)).startswith("removed alice from default/default")
    assert listed(place) == {}
    assert "was removed from default/default for good" in refused(rockdove("user", "enable", "alice", *place.options))


def test_a_new_password_replaces_the_old_one_and_voids_resume_tokens(place: Place) -> None:
    add(place, "alice")
    before = stored(place, "alice")
    text = succeeded(rockdove("user", "passwd", "alice", "--password-stdin", *place.options, stdin=b"new\n"))
    assert text.startswith("changed the password of alice in default/default")
    after = stored(place, "alice")
    assert verify_password(after.password_hash, "new")
    assert after.credential_version > before.credential_version


@pytest.mark.parametrize("command", [["disable"], ["enable"], ["remove"], ["passwd", "--password-stdin"]])
def test_an_unknown_user_is_told(place: Place, command: list[str]) -> None:
    line = refused(rockdove_process("user", *command, "zoe", *place.options, stdin=b"x"))
    assert line == "there is no user zoe in default/default; see rockdove user list"


def test_a_user_belongs_to_its_tenant_only(place: Place) -> None:
    succeeded(rockdove("tenant", "add", "acme", "shop", "--password-cost", "light", *place.options))
    where = ("--org", "acme", "--app", "shop", *place.options)
    result = rockdove("user", "add", "alice", "--password-stdin", *where, stdin=b"x")
    assert succeeded(result) == "added alice to acme/shop\n"
    assert listed(place) == {}
    assert listed(place, *where) == {"alice": "active"}
