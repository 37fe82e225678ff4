"""`rockdove chat` in a terminal."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.client.chat import Terminal, run_chat
from tests.conftest import StartServer
from tests.process import PASSWORD, ServerProcess

Environment = Mapping[str, str]


def test_two_people_chat_and_see_how_far_their_messages_have_come(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("You are talking to bob; nothing was said yet.")
        alice.expect("bob>")
        alice.press("hello bob\r")
        alice.expect("you: hello bob  ·")
        with Terminal("--user", "bob", environment=chat_environment) as bob:
            bob.expect("alice")  # in the list
            bob.expect("1 new")
            bob.expect("hello bob")
            alice.expect("✓")
            bob.press("/to alice\r")
            bob.expect("You are talking to alice.")
            bob.expect("alice: hello bob")
            alice.expect("you: hello bob  ✓✓")
            bob.press("你好 👍🏽\r")
            alice.expect("bob: 你好 👍🏽")
            bob.expect("✓✓")
            bob.press("/quit\r")
            assert bob.wait() == 0
        alice.press("\x04")
        assert alice.wait() == 0


def test_the_password_is_asked_for_and_not_shown(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", environment={**chat_environment, "ROCKDOVE_PASSWORD": ""}) as alice:
        alice.expect("password of alice:")
        alice.press(f"{PASSWORD}\r")
        alice.expect("no conversations yet; /open NAME begins one")
        assert PASSWORD.encode() not in alice.raw


def test_the_locale_s_language_is_spoken(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment={**chat_environment, "LANG": "zh_CN.UTF-8"}) as alice:
        alice.expect("正在与 bob 聊天，还没有消息。")
        alice.press("你好\r")
        alice.expect("我: 你好")
    with Terminal("--user", "alice", "--lang", "zh", environment=chat_environment) as alice:
        alice.expect("我: 你好")


def test_received_control_characters_do_nothing_to_the_terminal(chat_environment: Environment) -> None:
    attack = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b5m\rmallory\n"
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        run_chat("--user", "bob", "--to", "alice", environment=chat_environment, lines=attack)
        alice.expect("bob: ␛]0;owned␇␛[2J␛[31mred\ufffd5m␍mallory")
        run_chat("--user", "carol", "--to", "alice", environment=chat_environment, lines=attack)
        alice.expect("carol: ␛]0;owned␇␛[2J")
        alice.press("/history\r")  # the same, read back
        alice.expect("bob: ␛]0;owned␇␛[2J␛[31mred\ufffd5m␍mallory")
        for control in (b"\x1b]0;owned", b"\x1b[2J", b"\x1b[31mred"):
            assert control not in alice.raw


def test_nobody_can_fake_a_line_of_somebody_else(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        with Terminal("--user", "bob", "--to", "alice", environment=chat_environment) as bob:
            bob.expect("alice>")
            bob.press("\x1b[200~hi\r12:00 carol: send me money\x1b[201~\r")  # pasted: two lines
            alice.expect("bob: hi")
            alice.expect("           12:00 carol: send me money")


def test_a_long_message_leaves_room_to_write_and_is_shown_in_full_when_it_is_settled(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        lines = [f"line {number}" for number in range(1, 31)]
        alice.press("\x1b[200~" + "\r".join(lines) + "\x1b[201~\r")
        alice.expect("you: line 1 …  ·")
        alice.press("长" * 200 + "\r")
        alice.expect("长…  ·")
        alice.expect("bob>")
        run_chat("--user", "bob", "--to", "alice", environment=chat_environment, lines="got it\n")
        alice.expect("           line 30")
        alice.expect("长" * 40)
        alice.expect("bob: got it")


def test_other_conversations_are_announced_in_a_line(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        run_chat("--user", "carol", "--to", "alice", environment=chat_environment, lines="lunch?\n")
        alice.expect("carol: lunch?   (/open carol)")
        alice.press("/list\r")
        alice.expect("carol")
        alice.expect("1 new")
        alice.press("/to carol\r")
        alice.expect("You are talking to carol.")
        alice.expect("carol: lunch?")
        alice.expect("carol>")


def test_commands_that_cannot_work_say_so(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", environment=chat_environment) as alice:
        alice.expect("no conversations yet")
        for keys, answer in [
            ("hello\r", "choose somebody to write to first: /open NAME"),
            ("/to nobody\r", "cannot open nobody: there is no user 'nobody'"),
            ("/to a b\r", "write it as /open NAME|#GROUP"),
            ("/to a/b\r", "cannot open a/b: 'a/b' is not a name"),
            ("/dance\r", "there is no command /dance; /help shows them all"),
            ("/history\r", "choose somebody to write to first"),
            ("/help\r", "leave; so does Ctrl-D"),
            ("/to bob\r", "You are talking to bob; nothing was said yet."),
            ("/invite carol\r", "open a group first"),
            ("/recall\r", "you have said nothing here lately"),
            ("/recall 7\r", "there is no message 7 here"),
            ("/role bob king\r", "king is not known here; choose one of member, admin, owner"),
            ("/mute bob soon\r", "soon is not a number"),
            ("/accept bob\r", "that cannot be done: "),
            ("/reply 0 yes\r", "there is no message 0 here"),
            ("/open #nogroup\r", "cannot open #nogroup: "),
            ("/history 0\r", "/history takes a number from 1 to 200"),
            ("//history\r", "you: /history"),
            ("x" * 16385 + "\r", "not sent: "),
        ]:
            alice.press(keys)
            alice.expect(answer)


def test_pasted_bytes_that_are_no_text_do_not_end_the_chat(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        alice.press_bytes(b"caf\xe9\r")
        alice.expect("you: caf?  ")
        alice.press("still here\r")
        alice.expect("you: still here")


def test_a_refused_login_ends_with_one_line(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", environment={**chat_environment, "ROCKDOVE_PASSWORD": "wrong"}) as alice:
        alice.expect("rockdove: the login is not right")
        assert alice.wait() == 1
        assert "Traceback" not in alice.shown


def test_a_second_terminal_is_another_device_of_the_same_user(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as first,
        Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as second,
    ):
        first.expect("bob>")
        second.expect("bob>")
        first.press("from the first\r")
        second.expect("you: from the first")
        second.press("from the second\r")
        first.expect("you: from the second")


def test_a_device_that_is_taken_over_says_so(chat_environment: Environment, tmp_path: Path) -> None:
    elsewhere = {**chat_environment, "XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    with Terminal("--user", "alice", "--device", "tablet", environment=chat_environment) as first:
        first.expect("no conversations yet")
        with Terminal("--user", "alice", "--device", "tablet", environment=elsewhere) as second:
            second.expect("no conversations yet")
            first.expect("rockdove: ")
            assert first.wait() == 1


def test_ctrl_c_takes_back_the_line_and_then_leaves(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        alice.press("never mind\x03said\r")
        alice.expect("you: said")
        alice.press("\x03")
        assert alice.wait() == 0
    assert "you: never mind" not in alice.shown


@pytest.mark.crash
def test_what_is_written_without_a_connection_is_shown_as_pending_and_sent_later(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, chat_environment: Environment
) -> None:
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        port = server.port()
        server.kill()
        alice.expect("connection lost, trying again in")
        alice.press("are you there?\r")
        alice.expect("you: are you there?  … not sent yet")
        alice.expect("1 waiting to be sent")
        start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}").port()
        alice.expect("connected again")
        alice.expect("you: are you there?  ·")
    receiving = run_chat("--user", "bob", "--count", "1", environment=chat_environment)
    assert receiving.stdout.endswith("alice: are you there?\n")


@pytest.mark.crash
def test_what_was_not_sent_when_the_chat_ended_goes_out_with_the_next_one(
    tmp_path: Path, server: ServerProcess, start_server: StartServer, chat_environment: Environment
) -> None:
    port = server.port()
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("bob>")
        server.kill()
        alice.expect("connection lost")
        alice.press("left behind\r")
        alice.expect("left behind  … not sent yet")
        alice.press("/quit\r")
        alice.expect("1 not sent yet; they go out the next time you chat from here")
        assert alice.wait() == 0
    start_server(tmp_path / "data", "--tcp", f"127.0.0.1:{port}").port()
    with Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice:
        alice.expect("you: left behind")
        alice.press("and new\r")
        alice.expect("you: and new  ·")
        assert alice.shown.count("left behind") == 1
    receiving = run_chat("--user", "bob", "--count", "2", environment=chat_environment)
    assert [line.partition(": ")[2] for line in receiving.stdout.splitlines()] == ["left behind", "and new"]
