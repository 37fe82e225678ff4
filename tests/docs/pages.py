"""The project's pages, taken apart: sections, code blocks, tables, links."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for folder in ("", "docs", "docs/decisions", "deploy")
    for path in (ROOT / folder).glob("*.md")
    if not path.name.startswith(".")
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def read(name: str) -> str:
    """The text of a page, by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in that language."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def all_blocks(text: str) -> list[tuple[str, str]]:
    """All code blocks, with their language."""
    return _FENCE.findall(text)


def prose(text: str) -> str:
    """What is not in a code block."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, without the sections below it. Raises AssertionError when there is none."""
    match = re.search(rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#+ |\Z)", _hide_comments(text), re.MULTILINE | re.DOTALL)
    assert match, f"there is no section {heading!r}"
    return text[match.start(2) : match.end(2)]


def table(text: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose first heading is that; each a list of cells."""
    match = re.search(rf"^\| {re.escape(first_column)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert match, f"there is no table that begins with {first_column!r}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in match[1].splitlines()]


def code_spans(text: str) -> list[str]:
    """The words between backticks, outside of code blocks."""
    return _CODE.findall(prose(text))


def links(text: str) -> list[str]:
    """Where the page's links go."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> Iterator[str]:
    """What a link may name behind #, as GitHub makes it from headings."""
    for heading in _HEADING.findall(prose(text)):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield kept.replace(" ", "-")


def _hide_comments(text: str) -> str:
    """The same length, but nothing in a code block looks like a heading."""
    return _FENCE.sub(lambda match: match[0].replace("\n#", "\n "), text)
