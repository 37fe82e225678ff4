"""Foreign text in a terminal: harmless, and as wide as it looks."""

import re
from typing import Final

from wcwidth import wcswidth, wcwidth

# What a terminal obeys, or what turns the order of what is shown: control characters, line and paragraph
# separators, bidirectional embeddings, overrides and isolates; and what no encoder takes.
_ACTIVE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TAB: Final = "    "


def printable(text: str) -> str:
    """`text` so that a terminal shows it and does nothing else. Line breaks become ↵, other controls a visible sign."""
    return _ACTIVE.sub(_sign, text.replace("\r\n", "\n"))


def printable_lines(text: str) -> list[str]:
    """As `printable`, with the line breaks kept: one string per line."""
    return [printable(line) for line in text.replace("\r\n", "\n").split("\n")]


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0A or code in (0x2028, 0x2029):
        return "↵"
    if code == 0x09:
        return _TAB
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures
    return "␡" if code == 0x7F else "\ufffd"


def width(text: str) -> int:
    """Columns that printable `text` takes."""
    return max(wcswidth(text), 0)


def shorten(text: str, columns: int) -> str:
    """`text`, cut so that it takes at most `columns` (at least 1), the last of them an ellipsis."""
    if width(text) <= columns:
        return text
    kept, used = "", 1
    for character in text:
        used += max(wcwidth(character), 0)
        if used > columns:
            break
        kept += character
    return kept + "…"


def pad(text: str, columns: int) -> str:
    """`text`, filled with blanks up to `columns`."""
    return text + " " * (columns - width(text))
