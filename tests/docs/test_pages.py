"""Every page: links resolve, commands can be given."""

import re

import pytest

from rockdove.cli.chat.commands import COMMANDS
from tests.docs.commands import GROUPS, command, commands, options, parse, shown
from tests.docs.pages import PAGES, ROOT, all_blocks, anchors, blocks, code_spans, links, read

NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_links_within_the_project_resolve(name: str) -> None:
    for link in links(read(name)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.exists(), f"{name} links to {link}"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{name} links to {link}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_scripts_can_be_given(name: str) -> None:
    for script in blocks(read(name), "sh"):
        for words in shown(script):
            parse(words)


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_the_text_exist_with_their_options(name: str) -> None:
    known = commands()
    for words in (span.removeprefix("./").split() for span in code_spans(read(name))):
        if words[0] != "rockdove" or not words[1:] or words[1] == "COMMAND":
            continue
        verbs = " ".join(words[1:3]) if words[1] in GROUPS else words[1]
        entry = command(verbs) if verbs in GROUPS else known[verbs]
        assert {word for word in words if word.startswith("--")} <= options(entry), words


def test_options_in_the_text_exist() -> None:
    known = {option for entry in commands().values() for option in options(entry)} | {"--help"}
    for name in ("README.md", "README.zh-CN.md", "docs/operations.md"):
        mentioned = {option for span in code_spans(read(name)) for option in re.findall(r"(?<!\S)--[a-z-]+", span)}
        assert mentioned <= known, name


def test_both_readmes_have_the_same_code() -> None:
    english, chinese = (
        [(language, re.sub(r" +# .*", "", body)) for language, body in all_blocks(read(name))]
        for name in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese


def test_both_readmes_have_the_same_structure_and_links() -> None:
    english, chinese = read("README.md"), read("README.zh-CN.md")
    assert [line.split()[0] for line in re.findall(r"^#+ .*", english, re.MULTILINE)] == [
        line.split()[0] for line in re.findall(r"^#+ .*", chinese, re.MULTILINE)
    ]
    assert set(links(english)) ^ set(links(chinese)) == {"README.md", "README.zh-CN.md"}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_commands_of_the_chat_in_the_readmes_exist(name: str) -> None:
    known = {word for each in COMMANDS for word in each.names}
    paths = {"/healthz", "/readyz", "/metrics"}
    shown = {span.split()[0] for span in code_spans(read(name)) if span.startswith("/")} - paths
    assert "/group" in shown
    assert shown <= known
