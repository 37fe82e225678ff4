"""What a message says, in a line that is safe to print."""

from datetime import UTC, datetime

from rockdove.cli.terminal import printable
from rockdove.client import (
    Audio,
    Content,
    Custom,
    Edit,
    File,
    Image,
    Location,
    Notice,
    Reaction,
    Recall,
    Text,
    Video,
)
from rockdove.locale import Texts


def describe(content: Content, texts: Texts) -> str:  # noqa: C901  # one line per kind
    """`content` in words, as it was sent: not safe to print yet."""
    match content:
        case Text(text=text):
            return text
        case Image(url=url):
            return texts["image"].format(url=url)
        case File(url=url, name=name):
            return texts["file"].format(url=url, name=name)
        case Audio(url=url, name=name):
            return texts["audio"].format(url=url, name=name)
        case Video(url=url, name=name):
            return texts["video"].format(url=url, name=name)
        case Location(latitude=latitude, longitude=longitude, name=name):
            return texts["location"].format(latitude=latitude, longitude=longitude, name=name)
        case Custom(kind=kind):
            return texts["custom"].format(kind=kind)
        case Recall():
            return texts["recall"]
        case Edit(content=new):
            return texts["edit"].format(text=describe(new, texts))
        case Reaction(emoji=emoji, removed=removed):
            return texts["reaction_removed" if removed else "reaction"].format(emoji=emoji)
        case Notice(text=text, kind=kind):
            return text or f"[{kind}]"
        case _:
            return texts["unreadable"]


def one_line(content: Content, texts: Texts) -> str:
    """`content`, printable, in one line."""
    return printable(describe(content, texts))


def local_time(timestamp_ms: int) -> datetime:
    """Ms since the Unix epoch on this computer's clock and in its time zone."""
    return datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC).astimezone()
