"""What a message says, in a line that is safe to print."""

from datetime import UTC, datetime

from rockdove.cli.chat.notices import notice_sentence
from rockdove.cli.terminal import printable
from rockdove.client import (
    Audio,
    Content,
    Custom,
    Edit,
    File,
    Here,
    Image,
    Location,
    Notice,
    Reaction,
    Recall,
    Removed,
    Status,
    Text,
    Video,
)
from rockdove.locale import Texts


def describe(content: Content, texts: Texts, me: str = "") -> str:  # noqa: C901, PLR0912  # one line per kind
    """`content` in words, for the user `me`, as it was sent: not safe to print yet."""
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
        case Notice():
            return notice_sentence(content, me, texts)
        case Removed():
            return texts["removed"]
        case _:
            return texts["unreadable"]


def one_line(content: Content, texts: Texts, me: str = "") -> str:
    """`content`, printable, in one line."""
    return printable(describe(content, texts, me))


def presence_words(status: Status, texts: Texts) -> str:
    """Whether somebody is here: not safe to print yet."""
    words = last_seen_words(status.last_seen_ms, texts) if status.here == Here.OFFLINE else texts[f"here_{int(status.here)}"]
    return f"{words}: {status.text}" if status.text else words


def last_seen_words(last_seen_ms: int, texts: Texts) -> str:
    """When somebody who is not here was here."""
    if not last_seen_ms:
        return texts["here_0"]
    return texts["last_seen"].format(time=f"{local_time(last_seen_ms):%Y-%m-%d %H:%M}")


def local_time(timestamp_ms: int) -> datetime:
    """Ms since the Unix epoch on this computer's clock and in its time zone."""
    return datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC).astimezone()
