"""The table of commands: what is read, offered and explained."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from rockdove.cli.chat.arguments import Argument, Kind, parse_arguments
from rockdove.cli.chat.commands import COMMANDS
from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.completion import CommandCompleter
from rockdove.client import Group
from rockdove.locale import LANGUAGES, load_texts

BY_NAME = {name: command for command in COMMANDS for name in command.names}


def read(line: str) -> list[object]:
    name, _, rest = line.partition(" ")
    return list(parse_arguments(BY_NAME[name].arguments, rest))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("/open bob", ["bob"]),
        ("/to #team", [Group("team")]),
        ("/join team", [Group("team")]),
        ("/join #team", [Group("team")]),
        ("/list", []),
        ("/history", [None]),
        ("/history 7", [7]),
        ("/recall", [None]),
        ("/recall 12", [12]),
        ("/edit new  words", [None, "new  words"]),
        ("/edit 12 new words", [12, "new words"]),
        ("/edit 12", [None, "12"]),
        ("/react 👍", [None, "👍"]),
        ("/react 12 👍", [12, "👍"]),
        ("/reply 12 yes", [12, "yes"]),
        ("/invite bob, carol @dave", [["bob", "carol", "dave"]]),
        ("/group new Team", ["new", "Team", None]),
        ("/group new Team bob carol", ["new", "Team", ["bob", "carol"]]),
        ("/mute all 5", ["all", 5]),
        ("/role bob admin", ["bob", "admin"]),
        ("/announce", [None]),
        ("/file https://example.com/x the plan", ["https://example.com/x", "the plan"]),
        ("/profile", [None]),
    ],
)
def test_a_command_is_read(line: str, values: list[object]) -> None:
    assert read(line) == values


@pytest.mark.parametrize("line", ["/open", "/open a b", "/list now", "/reply 12", "/react", "/mute bob", "/group", "/edit"])
def test_too_few_or_too_many_words_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="words"):
        read(line)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("/open a/b", "cannot_open"),
        ("/join a/b", "not_a_name"),
        ("/invite bob a/b", "not_a_name"),
        ("/reply one yes", "not_a_number"),
        ("/role bob king", "bad_choice"),
        ("/group old Team", "bad_choice"),
        ("/delete 9" + "9" * 30, "not_a_number"),
    ],
)
def test_what_cannot_be_meant_is_told(line: str, key: str) -> None:
    with pytest.raises(Complaint) as complaint:
        read(line)
    assert load_texts("en")[complaint.value.key].format(**complaint.value.values)
    assert complaint.value.key == key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_argument_is_explained(language: str) -> None:
    texts = load_texts(language)
    assert len({command.help(texts) for command in COMMANDS}) == len(COMMANDS)
    for command in COMMANDS:
        assert command.usage(texts).startswith(command.name)
    assert len(BY_NAME) == sum(len(command.names) for command in COMMANDS)


def test_the_languages_say_the_same_with_the_same_places() -> None:
    english, chinese = load_texts("en"), load_texts("zh")
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert places(text) == places(chinese[key]), key


def places(text: str) -> set[str]:
    return {part.partition("}")[0] for part in text.split("{")[1:]}


def completions(text: str) -> list[str]:
    def offers(argument: Argument) -> list[tuple[str, str]]:
        offered = {Kind.PEER: ["bob", "#team"], Kind.USER: ["bob"], Kind.USERS: ["bob"], Kind.MESSAGE: ["12"]}
        return [(each, "") for each in (*argument.choices, *offered.get(argument.kind, []))]

    completer = CommandCompleter(COMMANDS, offers, lambda command: command.help(load_texts("en")))
    return [each.text for each in completer.get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("/rea", ["/readers", "/react"]),
        ("/open ", ["bob", "#team"]),
        ("/open #", ["#team"]),
        ("/open bob ", []),
        ("/role bob a", ["admin"]),
        ("/group ", ["new"]),
        ("/group new Team b", ["bob"]),
        ("/invite bob b", ["bob"]),
        ("/reply 1", ["12"]),
        ("/nothing b", []),
        ("/list ", []),
        ("hello b", []),
        ("//open b", []),
    ],
)
def test_what_the_tab_key_offers(text: str, offered: list[str]) -> None:
    assert sorted(completions(text)) == sorted(offered)
