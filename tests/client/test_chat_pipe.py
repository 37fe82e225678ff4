"""`rockdove chat` in scripts."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.client.chat import DEADLINE_SECONDS, Script, run_chat
from tests.conftest import StartServer
from tests.process import PASSWORD, ServerProcess

Environment = Mapping[str, str]


def test_each_line_is_a_message_and_each_message_a_line(chat_environment: Environment) -> None:
    sending = run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines="hello\r\n\n你好 😀\nno line end")
    assert (sending.returncode, sending.stdout, sending.stderr) == (0, "", "")
    receiving = run_chat("--user", "bob", "--count", "3", environment=chat_environment)
    assert (receiving.returncode, receiving.stderr) == (0, "")
    assert [line.partition(" ")[2] for line in receiving.stdout.splitlines()] == [
        "alice: hello",
        "alice: 你好 😀",
        "alice: no line end",
    ]


def test_what_was_printed_is_not_printed_again(chat_environment: Environment) -> None:
    run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines="one\ntwo\n")
    first = run_chat("--user", "bob", "--count", "1", environment=chat_environment)
    second = run_chat("--user", "bob", "--count", "1", environment=chat_environment)
    assert first.stdout.endswith("alice: one\n")
    assert second.stdout.endswith("alice: two\n")


def test_two_scripts_talk(chat_environment: Environment) -> None:
    with Script("--user", "bob", "--to", "alice", "--count", "2", environment=chat_environment) as bob:
        bob.say("hello alice")
        alice = run_chat("--user", "alice", "--to", "bob", "--count", "1", environment=chat_environment, lines="one\ntwo\n")
        assert alice.returncode == 0
        assert alice.stdout.endswith("bob: hello alice\n")
        # Its input is still open: N messages are what ends it.
        assert [bob.hear().partition(" ")[2] for _ in range(2)] == ["alice: one\n", "alice: two\n"]
        assert bob.wait(DEADLINE_SECONDS) == 0


def test_json_is_exact(chat_environment: Environment) -> None:
    sending = run_chat("--user", "alice", "--to", "bob", "--json", environment=chat_environment, lines="tab\there\n")
    (sent,) = map(json.loads, sending.stdout.splitlines())
    assert (sent["type"], sent["line"], sent["seq"]) == ("sent", 1, 1)
    receiving = run_chat("--user", "bob", "--count", "1", "--json", environment=chat_environment)
    (message,) = map(json.loads, receiving.stdout.splitlines())
    assert message["msgid"] == sent["msgid"]
    assert (message["type"], message["chat"], message["peer"], message["sender"]) == ("message", "single", "alice", "alice")
    assert (message["seq"], message["text"]) == (1, "tab\there")


def test_received_control_characters_do_not_reach_the_terminal(chat_environment: Environment) -> None:
    run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines="\x1b[2J\x1b]0;x\x07\x9b\rmallory: hi\n")
    receiving = run_chat("--user", "bob", "--count", "1", environment=chat_environment)
    assert receiving.stdout.endswith("alice: ␛[2J␛]0;x␇\ufffd␍mallory: hi\n")


def test_lingering_receives_what_comes_later(chat_environment: Environment) -> None:
    with Script("--user", "bob", "--to", "alice", "--linger", "60", "--count", "1", environment=chat_environment) as bob:
        bob.say("I listen")
        assert bob.stdin
        bob.stdin.close()
        alice = run_chat("--user", "alice", "--to", "bob", "--count", "1", environment=chat_environment, lines="here I am\n")
        assert alice.stdout.endswith("bob: I listen\n")
        assert bob.hear().endswith("alice: here I am\n")
        assert bob.wait(DEADLINE_SECONDS) == 0


def test_too_few_messages_are_a_failure(chat_environment: Environment) -> None:
    run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines="one\n")
    receiving = run_chat("--user", "bob", "--count", "2", "--linger", "0.5", environment=chat_environment)
    assert receiving.returncode == 1
    assert receiving.stdout.endswith("alice: one\n")
    assert receiving.stderr == "rockdove: only 1 of 2 messages came within 0.5 s\n"


def test_the_password_may_come_first(chat_environment: Environment) -> None:
    environment = {**chat_environment, "ROCKDOVE_PASSWORD": ""}
    lines = f"{PASSWORD}\nhello\n"
    sending = run_chat("--user", "alice", "--to", "bob", "--password-stdin", environment=environment, lines=lines)
    assert (sending.returncode, sending.stderr) == (0, "")
    assert run_chat("--user", "bob", "--count", "1", environment=chat_environment).stdout.endswith("alice: hello\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "error"),
    [
        (["--to", "nobody"], {}, 1, "rockdove: there is no user 'nobody': check the name\n"),
        (["--to", "bob"], {"ROCKDOVE_PASSWORD": "wrong"}, 1, "rockdove: the login is not right: "),
        (["--to", "bob"], {"ROCKDOVE_PASSWORD": ""}, 2, "rockdove: there is no password: put it into ROCKDOVE_PASSWORD"),
        ([], {}, 2, "rockdove: say with --to whom the lines are for\n"),
        (["--to", "b b"], {}, 2, "rockdove: 'b b' is not a name; use 1 to 64 of the characters"),
        (["--to", "bob", "--lang", "fr"], {}, 2, "rockdove: --lang takes en or zh, not 'fr'\n"),
        (["--to", "bob", "--server", "host:x"], {}, 2, "rockdove: 'host:x' is not a server address; write HOST or HOST:PORT"),
        (["--to", "bob", "--device", "a b"], {}, 1, "rockdove: "),
        (["--to", "bob"], {"XDG_STATE_HOME": "/dev/null"}, 1, "rockdove: the outbox /dev/null/rockdove/"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    chat_environment: Environment, arguments: list[str], environment: Environment, code: int, error: str
) -> None:
    result = run_chat("--user", "alice", *arguments, environment={**chat_environment, **environment}, lines="hello\n")
    assert result.returncode == code
    assert result.stderr.startswith(error)
    assert result.stderr.splitlines()[0] == result.stderr.splitlines()[-1] or "not sent yet" in result.stderr
    assert result.stdout == ""


def test_a_line_that_cannot_be_sent_fails_the_run_and_not_the_other_lines(chat_environment: Environment) -> None:
    lines = "one\n" + "x" * 20000 + "\ntwo\n"
    sending = run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines=lines)
    assert sending.returncode == 1
    assert sending.stderr == "rockdove: line 2 was not sent: text is 20000 bytes, at most 16384\n"
    receiving = run_chat("--user", "bob", "--count", "2", environment=chat_environment)
    assert [line.partition(": ")[2] for line in receiving.stdout.splitlines()] == ["one", "two"]


def test_no_server_is_told(tmp_path: Path, chat_environment: Environment) -> None:
    result = run_chat(
        "--user", "alice", "--to", "bob", "--server", "127.0.0.1:1", environment=chat_environment, lines="hello\n"
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "rockdove: cannot reach 127.0.0.1:1: Connection refused\n"


@pytest.mark.crash
def test_a_script_survives_the_server(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, chat_environment: Environment
) -> None:
    with Script("--user", "alice", "--to", "bob", "--json", environment=chat_environment) as alice:
        alice.say("before")
        assert json.loads(alice.hear())["seq"] == 1
        port = server.port()
        server.kill()
        start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}").port()
        out, err = alice.communicate("after\n", timeout=DEADLINE_SECONDS)
        assert (alice.returncode, err) == (0, "")
        assert json.loads(out)["seq"] == 2
    receiving = run_chat("--user", "bob", "--count", "2", environment=chat_environment)
    assert [line.partition(": ")[2] for line in receiving.stdout.splitlines()] == ["before", "after"]
