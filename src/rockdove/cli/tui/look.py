"""Styled lines for textual."""

from collections.abc import Iterable
from typing import Final

from rich.text import Text

from rockdove.cli.chat.place import Line

STYLES: Final = {
    "class:old": "grey58",
    "class:me": "bold green",
    "class:peer": "bold cyan",
    "class:mark": "grey58",
    "class:mentioned": "bold yellow",
    "class:news": "magenta",
    "class:status": "yellow",
    "class:error": "red",
}


def styled(line: Line) -> Text:
    """One line."""
    return Text.assemble(*((text, STYLES.get(style, "")) for style, text in line))


def styled_lines(lines: Iterable[Line]) -> Text:
    """Several, one below the other."""
    return Text("\n").join(map(styled, lines))
