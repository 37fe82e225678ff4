"""What of a message can be searched, and which texts a search finds.

Texts are compared normalised. A query's words are found at the beginning of words ("hel" finds "Hello"); what is written
without spaces between words (Chinese, Japanese, Thai, ...), or with particles grown to them (Korean), is found anywhere; so
are symbols and emoji. All of a query must occur, in any order.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from rockdove.wire import im_pb2 as pb

# Never seen, and so never typed into a query: soft hyphens, joiners, marks of direction, variation selectors.
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")

_DENSE: Final = (  # scripts found anywhere
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1100, 0x1200),  # Hangul
    range(0x1780, 0x1800),  # Khmer
    range(0x19E0, 0x1A00),
    range(0x2E80, 0xA4D0),  # Han, Hiragana, Katakana, Bopomofo, Yi
    range(0xA960, 0xA980),  # Hangul
    range(0xA9E0, 0xAA00),  # Myanmar
    range(0xAA60, 0xAA80),
    range(0xAC00, 0xD800),  # Hangul
    range(0xF900, 0xFB00),  # Han
    range(0x1AFF0, 0x1B170),  # Hiragana, Katakana
    range(0x20000, 0x40000),  # Han
)
_WORD_CATEGORIES: Final = frozenset("LNM")  # letters, numbers, marks on them


class _Kinds(dict[int, str]):
    """For str.translate: of each character whether it belongs to a word (w), is found anywhere (a), or separates (space)."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))[0]
        kind = " "
        if category == "S" or (category in _WORD_CATEGORIES and any(code in script for script in _DENSE)):
            kind = "a"
        elif category in _WORD_CATEGORIES:
            kind = "w"
        self[code] = kind
        return kind


_KINDS: Final = _Kinds()
_PIECE: Final = re.compile("w+|a+")


class Pieces(NamedTuple):
    """A text in parts."""

    words: list[str]  # found at their beginning
    runs: list[str]  # of characters that are found anywhere


def normalised(text: str) -> str:
    """`text` as it is compared: compatibility forms and case are made one (NFKC, case folding), what is invisible goes."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", folded)


def pieces(text: str) -> Pieces:
    """The parts of a normalised text, in order; punctuation is left out."""
    found = Pieces([], [])
    kinds = text.translate(_KINDS)
    for match in _PIECE.finditer(kinds):
        start, end = match.span()
        (found.words if kinds[start] == "w" else found.runs).append(text[start:end])
    return found


class Terms:
    """What all has to occur in a text. Falsy if there is nothing: then nothing is found."""

    def __init__(self, query: str) -> None:
        self.words, self.runs = pieces(normalised(query))
        self._starts = [f" {word}" for word in self.words]

    def __bool__(self) -> bool:
        return bool(self.words or self.runs)

    def occur_in(self, text: str) -> bool:
        """Whether they all do; `text` is as its author wrote it."""
        whole = normalised(text)
        if not all(run in whole for run in self.runs):
            return False
        if not self.words:
            return bool(self.runs)
        words = " " + " ".join(pieces(whole).words)
        return all(start in words for start in self._starts)


def searchable(message: pb.Message) -> str:
    """The text by which a stored message is found: what it says, or what it is called; "" if it is not found by any.

    Of an edited one it is the new content.
    """
    if message.removed:
        return ""
    content = message.edited if message.HasField("edited") else message
    try:
        if content.type == pb.TXT:
            return pb.MessageTxt.FromString(content.payload).txt
        if content.type in {pb.FILE, pb.AUDIO, pb.VIDEO}:
            return pb.MessageFile.FromString(content.payload).name
        if content.type == pb.LOCATION:
            return pb.MessageLocation.FromString(content.payload).name
    except DecodeError:  # whoever sent it wrote nonsense
        pass
    return ""
