"""docs/glossary.md: words that are in use, once each, in order."""

import re
from pathlib import Path

import rockdove
from tests.docs.pages import read, table


def entries() -> list[str]:
    return [row[0] for row in table(read("docs/glossary.md"), "word")]


def words() -> list[str]:
    return [word for entry in entries() for word in entry.split(", ")]


def test_each_word_stands_there_once_in_alphabetical_order() -> None:
    assert entries() == sorted(entries())
    assert len(words()) == len(set(words()))


def test_every_word_is_used_by_the_code() -> None:
    folder = Path(rockdove.__file__).parent
    code = " ".join(
        path.read_text(encoding="utf-8") for suffix in ("py", "sql", "proto") for path in folder.rglob(f"*.{suffix}")
    )
    plain = re.sub(r"[-_\s#/]+", " ", code).lower()
    assert [word for word in words() if word.replace("-", " ") not in plain] == []
