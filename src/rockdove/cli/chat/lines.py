"""How messages and conversations look on the screen."""

from datetime import date, datetime

from rockdove.cli.chat.own import Mark, OwnLine
from rockdove.cli.chat.screen import Line
from rockdove.cli.chat.words import describe, local_time, one_line
from rockdove.cli.terminal import pad, printable_lines, shorten, width
from rockdove.client import Conversation, Message
from rockdove.locale import Texts


def own_line(line: OwnLine, mark: Mark, texts: Texts, columns: int | None = None) -> list[Line]:
    """A message that the user has written here; in a single row, with an ellipsis if need be, when `columns` are given."""
    words = printable_lines(line.text)
    when, you, sign = local_time(line.timestamp_ms), texts["you"], texts[mark.value]
    if columns:
        room = max(columns - width(f"{when:%H:%M} {you}:   {sign}") - 1, 10)
        words = [shorten(words[0] if len(words) == 1 else f"{words[0]} …", room)]
    return _said(when, "class:me", you, words, "", sign)


def message_line(message: Message, me: str, texts: Texts, *, old: bool, mark: Mark | None = None) -> list[Line]:
    """A message from the log; grey when it is `old`. The `mark` is for the user's own ones."""
    mine = message.sender == me
    return _said(
        local_time(message.timestamp_ms),
        "class:old" if old else "class:me" if mine else "class:peer",
        texts["you"] if mine else printable_lines(message.sender)[0],
        printable_lines(describe(message.content, texts)),
        "class:old" if old else "",
        texts[mark.value] if mark else "",
    )


def _said(when: datetime, who_style: str, who: str, words: list[str], style: str, mark: str) -> list[Line]:
    time = f"{when:%H:%M} "
    first, *rest = words
    # Further lines stand under the first one: nobody can make them look like somebody else's message.
    indent = " " * (width(time) + width(who) + 2)
    said: list[Line] = [
        [("class:old", time), (who_style, who), (style, f": {first}")],
        *([(style, indent + line)] for line in rest),
    ]
    if mark:
        said[-1].append(("class:mark", f"  {mark}"))
    return said


def day_line(day: date) -> Line:
    """What separates the days."""
    return [("class:old", f"── {day:%Y-%m-%d} ──")]


def conversation_lines(conversations: list[Conversation], me: str, texts: Texts, columns: int) -> list[Line]:
    """The list of conversations: who, how much is new, when and what was said last."""
    names = [str(each.peer) for each in conversations]
    news = [texts["unread"].format(count=each.unread) if each.unread else "" for each in conversations]
    name_width, news_width = max(map(width, names), default=0), max(map(width, news), default=0)
    lines: list[Line] = []
    for name, new, each in zip(names, news, conversations, strict=True):
        line: Line = [("class:peer", pad(name, name_width)), ("class:news", "  " + pad(new, news_width))]
        if each.last:
            who = f"{texts['you']}: " if each.last.sender == me else ""
            last = f"{local_time(each.last.timestamp_ms):%Y-%m-%d %H:%M}  {who}{one_line(each.last.content, texts)}"
            line.append(("class:old", "  " + shorten(last, max(columns - name_width - news_width - 5, 20))))
        lines.append(line)
    return lines
