"""Groups, friends and messages that change, in a terminal."""

from collections.abc import Mapping

from tests.client.chat import Terminal, run_chat

Environment = Mapping[str, str]


def test_a_group_is_founded_led_and_left(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", environment=chat_environment) as alice,
        Terminal("--user", "bob", environment=chat_environment) as bob,
    ):
        bob.expect("no conversations yet")
        alice.expect("no conversations yet")
        alice.press("/group new Team bob\r")
        alice.expect("you founded the group with bob")
        bob.expect("alice founded the group with you   (/open #")
        group = bob.shown.partition("/open #")[2].partition(")")[0]
        bob.press("/open #" + group + "\r")
        bob.expect(f"You are talking to #{group} (Team).")
        alice.press("hello @bob\r")
        bob.expect("alice: hello @bob")
        alice.press("/invite carol\r")
        bob.expect("alice added carol")
        alice.press("/role bob admin\r")
        bob.expect("alice made you an admin")
        bob.press("/name The Team\r")
        alice.expect("bob named the group The Team")
        alice.press("/who\r")
        alice.expect("owner")
        bob.press("/mute all 999999999\r")
        bob.expect("at most 527040 minutes at a time")
        bob.press("/mute all 5\r")
        alice.expect("bob muted everyone but the admins for 5 min")
        bob.press("/kick carol\r")
        alice.expect("bob removed carol")
        bob.press("/groups\r")
        bob.expect("2 members")
        bob.press("/readers 2\r")
        bob.expect("1 of 1 have read it: bob")
        bob.press("/leave\r")
        alice.expect("bob left")
        bob.press("still here?\r")
        bob.expect("not sent: still here?")
    with Terminal("--user", "alice", "--group", group, "--lang", "zh", environment=chat_environment) as alice:
        alice.expect("我 邀请 carol 加入了群")
        alice.press("/dissolve\r")
        alice.expect("我 解散了群")


def test_messages_are_changed_and_the_lines_name_what(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice,
        Terminal("--user", "bob", "--to", "alice", environment=chat_environment) as bob,
    ):
        bob.expect("alice>")
        alice.expect("bob>")
        alice.press("frist\r")
        alice.expect("1 ")
        alice.expect("you: frist  ✓✓")
        alice.press("/edit first\r")
        bob.expect("alice changed 1 (frist) to: first")
        bob.press("/react 👍\r")
        alice.expect("bob put 👍 on 1 (first)")
        bob.press("/reply 1 indeed\r")
        alice.expect("bob ↪ 1: indeed")
        bob.expect("you: indeed  ✓✓")
        bob.press("/recall\r")
        alice.expect("bob took back 4 (indeed)")
        alice.press("/history\r")
        alice.expect("you: first  (edited)  👍")
        alice.expect("bob: [removed]")
        alice.press("/recall 4\r")
        alice.expect("that was not done: ")
        bob.press("/delete 1\r")
        bob.expect("message 1 is deleted for you")
        bob.press("/history\r")
        bob.expect("alice: [removed]")
        alice.press("/file https://example.com/plan.pdf the plan\r")
        bob.expect("[file] the plan https://example.com/plan.pdf")


def test_friendship_blocks_and_presence(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", environment=chat_environment) as alice,
        Terminal("--user", "bob", "--to", "alice", environment=chat_environment) as bob,
    ):
        bob.expect("alice>")
        alice.expect("no conversations yet")
        alice.press("/add bob it is me\r")
        bob.expect("alice wants to be your friend: it is me   (/accept alice or /decline alice)")
        bob.press("/requests\r")
        bob.expect("wants to be your friend  it is me")
        bob.press("/accept alice\r")
        alice.expect("bob and you are friends now")
        alice.press("/away lunch\r")
        bob.expect("alice · away: lunch")
        bob.press("/contacts\r")
        bob.expect("away: lunch")
        bob.press("x")
        alice.press("/open bob\r")
        alice.expect("You are talking to bob")
        bob.press("y")
        bob.press("\x03/nickname Bobby\r")
        bob.expect("done")
        alice.press("/profile bob\r")
        alice.expect("Bobby")
        bob.press("/block alice\r")
        bob.expect("alice is blocked; /unblock alice ends it")
        alice.press("hello?\r")
        alice.expect("not sent: hello?")
        assert "block" not in alice.shown


def test_who_is_writing_is_shown_until_it_is_sent(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", "--to", "bob", environment=chat_environment) as alice,
        Terminal("--user", "bob", "--to", "alice", environment=chat_environment) as bob,
    ):
        bob.expect("alice>")
        alice.expect("bob>")
        bob.press("hi ther")
        alice.expect("bob is writing …")
        bob.press("e\r")
        alice.expect("bob: hi there")
        assert "bob is writing" not in alice.shown


def test_a_search_finds_chinese_words(chat_environment: Environment) -> None:
    run_chat("--user", "alice", "--to", "bob", environment=chat_environment, lines="明天下午我们去喝茶吧\n别的\n")
    with Terminal("--user", "bob", environment=chat_environment) as bob:
        bob.expect("别的")
        bob.press("/search 喝茶\r")
        bob.expect("alice alice: 明天下午我们去喝茶吧")
        bob.press("/search 咖啡\r")
        bob.expect("nothing found")


def test_the_tab_key_completes_commands_names_and_numbers(chat_environment: Environment) -> None:
    run_chat("--user", "carol", "--to", "alice", environment=chat_environment, lines="one\n")
    with Terminal("--user", "alice", "--to", "carol", environment=chat_environment) as alice:
        alice.expect("carol: one")
        alice.expect("carol>")
        alice.press("/ope\t")
        alice.expect("carol> /open")
        alice.press(" ca\t")
        alice.expect("carol> /open carol")
        alice.press("\x03/rec\t")
        alice.expect("carol> /recall")
        alice.press("\x03/reply \t")
        alice.expect("carol> /reply 1")
        alice.press(" two\r")
        alice.expect("you: two")
        run = run_chat("--user", "carol", "--count", "1", "--json", environment=chat_environment)
        assert '"reply_to"' in run.stdout


def test_devices_are_listed_and_logged_out(chat_environment: Environment) -> None:
    with (
        Terminal("--user", "alice", "--device", "desk", environment=chat_environment) as desk,
        Terminal("--user", "alice", "--device", "sofa", environment=chat_environment) as sofa,
    ):
        desk.expect("no conversations yet")
        sofa.expect("no conversations yet")
        desk.press("/devices\r")
        desk.expect("sofa")
        desk.press("/kickdevice sofa\r")
        desk.expect("sofa is logged out")
        sofa.expect("rockdove: ")
        assert sofa.wait() == 1


def test_the_help_names_every_command_in_both_languages(chat_environment: Environment) -> None:
    for language, words in {"en": "found a group", "zh": "建群"}.items():
        with Terminal("--user", "alice", "--lang", language, environment=chat_environment) as alice:
            alice.expect("/open")
            alice.press("/help\r")
            alice.expect(words)
            alice.expect("/quit")


def test_a_pipe_shows_groups_notices_and_changes(chat_environment: Environment) -> None:
    with Terminal("--user", "alice", environment=chat_environment) as alice:
        alice.expect("no conversations yet")
        alice.press("/group new Team bob\r")
        alice.expect("you founded the group with bob")
        group = alice.shown.partition("You are talking to #")[2].partition(" ")[0].rstrip(".;")
        alice.press("hello\r")
        alice.expect("you: hello  ·")
        alice.press("/recall\r")
        alice.expect("you took back 2 (hello)")
    out = run_chat(
        "--user", "bob", "--group", group, "--linger", "2", environment=chat_environment, lines="from the pipe\n"
    ).stdout
    lines = [line.partition(" ")[2] for line in out.splitlines()]
    assert lines == [
        f"#{group} * alice founded the group with you",
        f"#{group} alice: [removed]",
        f"#{group} alice: [took a message back]",
    ]
