"""A server that cannot start says why in one line and leaves nothing behind that keeps it from starting later."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.store.sqlite.database import DATABASE, lock_for_serving, open_database
from tests.engines.nats import NatsServer
from tests.unit.cli.command import refused, rockdove_process


def log_and_error(data: Path, *arguments: str) -> str:
    """What a server that got as far as logging says in the end."""
    result = rockdove_process("serve", "--data", data, *arguments)
    assert result.code == 1
    *_, last = result.error.splitlines()
    assert "Traceback" not in result.error
    assert last.startswith("rockdove: ")
    return last.removeprefix("rockdove: ")


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["--tcp", "5181"], "--tcp: '5181' is not an address: write HOST:PORT"),
        (["--tcp", "127.0.0.1:99999"], "with a port up to 65535"),
        (["--tcp", "off"], "there is nothing to listen on: set tcp or tls"),
        (["--tls", "127.0.0.1:0"], "tls needs cert"),
        (["--tls", "127.0.0.1:0", "--cert", "/none", "--key", "/none"], "cert: /none cannot be read"),
        (["--config", "/none.toml"], "/none.toml cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_setting_is_told(tmp_path: Path, arguments: list[str], about: str) -> None:
    assert about in refused(rockdove_process("serve", "--data", tmp_path / "data", *arguments), 2)
    assert not (tmp_path / "data").exists()


def test_a_wrong_setting_in_the_environment_is_told(tmp_path: Path) -> None:
    line = refused(rockdove_process("serve", "--data", tmp_path, ROCKDOVE_HEARTBEAT_SECONDS="0"), 2)
    assert line == "ROCKDOVE_HEARTBEAT_SECONDS: input should be greater than or equal to 1, not '0'"


def test_data_that_is_served_already_is_told_with_the_process(tmp_path: Path) -> None:
    with lock_for_serving(tmp_path):
        line = log_and_error(tmp_path, "--tcp", "127.0.0.1:0", "--http", "off")
    assert f"{tmp_path} is already served by process {os.getpid()}; stop it first" in line


def test_data_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a directory" in log_and_error(tmp_path / "file", "--tcp", "127.0.0.1:0", "--http", "off")


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path, nats: NatsServer) -> None:
    address = f"postgresql://rockdove:s3cret@{nats.address}/chat"
    line = refused(rockdove_process("serve", "--data", tmp_path, "--store", address))
    assert line.startswith(f"postgresql://{nats.address}/chat cannot be opened (")
    assert "s3cret" not in line
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA journal_mode = DELETE")
    with (tmp_path / DATABASE).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    line = log_and_error(tmp_path, "--tcp", "127.0.0.1:0", "--http", "off")
    assert f"the database in {tmp_path} cannot be read: database disk image is malformed; look at the disk" in line


@pytest.mark.parametrize("transport", ["tcp", "http"])
def test_an_address_in_use_is_told_with_the_option_to_change_it(tmp_path: Path, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = "http" if transport == "tcp" else "tcp"
        line = log_and_error(tmp_path, f"--{transport}", address, f"--{other}", "127.0.0.1:0" if other == "tcp" else "off")
    assert line == f"cannot listen on {address}: address already in use; choose another address with --{transport}"
