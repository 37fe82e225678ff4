"""rockdove bench, as people call it."""

import json
from pathlib import Path

from tests.process import ServerProcess
from tests.process import rockdove as command
from tests.unit.cli.command import refused, rockdove, rockdove_process, succeeded

SMALL = ("--pairs", "2", "--window", "2", "--seconds", "0.3", "--warm-up", "0", "--processes", "1")


def test_a_scenario_prints_a_table_and_writes_a_report(tmp_path: Path) -> None:
    result = rockdove_process("bench", "chat", *SMALL, "--out", tmp_path, "--lang", "en", "--repeat", "2")
    assert result.code == 0, result.error
    assert result.error.splitlines() == ["chat 1/2", "chat 2/2"]
    assert "chat pairs=2 window=2: nothing was lost, doubled, altered or out of order" in result.out
    assert f"report: {tmp_path}/report.json; beside it: cpu.svg chat-pairs-2-window-2-talk-times.svg" in result.out
    report = json.loads((tmp_path / "report.json").read_text())
    (chat,) = report["scenarios"]
    assert chat["good"]
    assert chat["plan"]["pairs"] == 2
    assert all((tmp_path / name).read_text().startswith("<svg") for name in report["pictures"])
    (talk,) = chat["steps"]
    assert talk["per_second"]["lowest"] <= talk["per_second"]["median"] <= talk["per_second"]["highest"]


def test_a_running_server_is_measured_with_its_secret_or_with_listed_users(tmp_path: Path) -> None:
    data, users = tmp_path / "data", tmp_path / "users"
    users.write_text("".join(f"u{number}:secret-{number}\n" for number in range(4)))
    command("user", "add", "--from-file", str(users), "--data", str(data))
    secret = command("tenant", "token", "default", "default", "--secret", "--data", str(data)).strip()
    server = ServerProcess(data)
    try:
        where = ("--server", f"127.0.0.1:{server.port()}", "--no-floor", "--out", tmp_path, "--json", "-")
        for who in (("--secret", secret, "--pid", str(server.pid)), ("--users-file", users), ("--users-file", users)):
            result = rockdove_process("bench", "chat", *SMALL, *where, *who)
            assert result.code == 0, result.error
            (step,) = json.loads(result.out)["scenarios"][0]["steps"]
            assert (step["server_cpu_us"] is not None) == ("--pid" in who)
    finally:
        server.kill()


def test_what_cannot_be_measured_is_told(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:wonderland\n")
    chat = ("bench", "chat", "--out", tmp_path, "--no-floor", "--lang", "en")
    assert refused(rockdove("bench", "--repeat", "2", "chat"), 2) == "give options behind the scenario: rockdove bench chat …"
    assert "say who logs in" in refused(rockdove(*chat, "--server", "127.0.0.1:1"), 2)
    assert "of no use without --server" in refused(rockdove(*chat, "--users-file", users), 2)
    assert "less than or equal to 16384" in refused(rockdove(*chat, "--size", "16385"), 2)
    assert "no process '0'" in refused(rockdove(*chat, "--server", "127.0.0.1:1", "--secret", "x", "--pid", "0"), 2)
    few = rockdove_process(*chat, "--server", "127.0.0.1:1", "--users-file", users)
    assert "rockdove: the file has 1 users, which is not enough" in few.error
    nobody = rockdove_process(*chat, "--server", "127.0.0.1:1", "--secret", "x")
    assert "rockdove: 127.0.0.1:1 cannot be reached" in nobody.error
    many = rockdove(*chat, "--pairs", "1000000000")
    assert "ulimit -n" in refused(many)


def test_help_names_the_scenarios() -> None:
    assert "chat" in succeeded(rockdove("bench", "--help"))


def test_who_says_nothing_sends_heartbeats(tmp_path: Path) -> None:
    data = tmp_path / "data"
    secret = command("tenant", "token", "default", "default", "--secret", "--data", str(data)).strip()
    server = ServerProcess(data, environment={"ROCKDOVE_HEARTBEAT_SECONDS": "1"})
    try:
        where = ("--server", f"127.0.0.1:{server.port()}", "--secret", secret, "--no-floor", "--out", tmp_path, "--json", "-")
        result = rockdove_process("bench", "chat", *SMALL, "--idle", "20", "--seconds", "4", *where)
        assert result.code == 0, result.out
    finally:
        server.kill()
