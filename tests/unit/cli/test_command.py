"""Whatever is wrong with a command line is told in one line, and a command loads no more than it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.command import refused, rockdove, rockdove_process, succeeded


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_subcommand(arguments: list[str]) -> None:
    text = succeeded(rockdove_process(*arguments))
    for name in ("serve", "chat", "user", "tenant", "backup", "restore", "migrate"):
        assert f"\n  {name} " in text


@pytest.mark.parametrize("arguments", [["serve"], ["user", "add"], ["tenant", "token"]])
def test_every_command_has_its_own_help(arguments: list[str]) -> None:
    assert succeeded(rockdove_process(*arguments, "--help")).startswith(f"Usage: rockdove {' '.join(arguments)} ")


def test_the_version_is_shown() -> None:
    name, version, *compiled = succeeded(rockdove_process("--version")).split()
    assert name == "rockdove"
    assert version[0].isdigit()
    assert compiled == (["(compiled)"] if os.environ.get("ROCKDOVE_COMPILE") == "1" else [])


@pytest.mark.parametrize(
    ("arguments", "about", "where"),
    [
        (["usre"], "'usre'", "rockdove --help"),
        (["--nonsense"], "--nonsense", "rockdove --help"),
        (["user"], "missing command", "rockdove user --help"),
        (["user", "lits"], "'lits'", "rockdove user --help"),
        (["user", "list", "--nonsense"], "--nonsense", "rockdove user list --help"),
        (["user", "remove"], "NAME", "rockdove user remove --help"),
        (["user", "list", "--org"], "--org", "rockdove user --help"),
        (["tenant", "set", "a", "b", "--rate", "fast"], "--rate", "rockdove tenant set --help"),
        (["tenant", "set", "a", "b", "--strangers", "perhaps"], "'yes', 'no'", "rockdove tenant set --help"),
        (["serve", "extra"], "extra", "rockdove serve --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_where_help_is(arguments: list[str], about: str, where: str) -> None:
    line = refused(rockdove_process(*arguments), 2)
    assert about in line
    assert line.endswith(f"; see {where}")


def run_without(packages: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as if `packages` were not installed."""
    code = f"import sys; sys.modules.update(dict.fromkeys({packages!r})); from rockdove.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


@pytest.mark.parametrize(
    ("package", "arguments"), [("typer", ["--help"]), ("argon2", ["user", "list"]), ("structlog", ["serve"])]
)
def test_a_missing_package_is_named_with_what_to_install(package: str, arguments: list[str]) -> None:
    result = run_without([package], *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("rockdove: ")
    assert package in result.stderr
    assert "pip install 'rockdove[server]'" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("textual", "tui", ["tui", "--user", "alice"]),
        ("asyncpg", "cluster", ["user", "list", "--store", "postgresql://localhost/chat"]),
        ("asyncpg", "cluster", ["serve", "--store", "postgresql://localhost/chat"]),
    ],
)
def test_a_missing_package_of_what_few_use_is_named_with_the_extra(package: str, extra: str, arguments: list[str]) -> None:
    result = run_without([package], *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"rockdove: the Python package {package} is not installed: pip install 'rockdove[{extra}]'\n"


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (["backup", "copy"], "pg_dump"),
        (["restore", "copy"], "pg_restore"),
        (["admin", "check"], "pg_amcheck"),
        (["admin", "compact"], "VACUUM FULL"),
    ],
)
def test_what_is_for_data_directories_says_what_to_use_for_a_database(
    tmp_path: Path, arguments: list[str], instead: str
) -> None:
    line = refused(rockdove(*arguments, "--data", tmp_path, "--store", "postgresql://user:secret@localhost/chat"))
    assert line.startswith("the store is a PostgreSQL database: ")
    assert instead in line
    assert "secret" not in line
    assert list(tmp_path.iterdir()) == []


def test_the_chat_works_without_the_server_and_users_without_the_chat() -> None:
    server = ["argon2", "jwt", "starlette", "structlog", "uvicorn", "uvloop"]
    assert run_without(server, "chat", "--help").returncode == 0
    assert run_without(["prompt_toolkit"], "user", "--help").returncode == 0


def test_output_that_nobody_reads_ends_the_command_quietly() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "rockdove", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, timeout=120, check=False)
    os.close(write)
    assert done.stderr == b""
