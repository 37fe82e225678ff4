"""How messages and conversations look on the screen."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from rockdove.cli.chat.changes import change_sentence
from rockdove.cli.chat.notices import person
from rockdove.cli.chat.own import Mark, OwnLine
from rockdove.cli.chat.place import Line
from rockdove.cli.chat.words import describe, local_time, one_line
from rockdove.cli.terminal import pad, printable, printable_lines, shorten, width
from rockdove.client import Conversation, Group, Message, Notice
from rockdove.locale import Texts

_NUMBER_COLUMNS: Final = 4
_CELL_COLUMNS: Final = 40


def own_line(line: OwnLine, mark: Mark, texts: Texts, columns: int | None = None) -> list[Line]:
    """A message that the user has written here; in a single row, with an ellipsis if need be, when `columns` are given."""
    words = printable_lines(line.text)
    start, you, sign = _start(line.seq, line.timestamp_ms), texts["you"], texts[mark.value]
    if columns:
        room = max(columns - width(f"{start}{you}:   {sign}") - 1, 10)
        words = [shorten(words[0] if len(words) == 1 else f"{words[0]} …", room)]
    return _said(start, "class:me", you, words, "", sign)


def message_line(
    message: Message, me: str, texts: Texts, *, old: bool, mark: Mark | None = None, replied: Message | None = None
) -> list[Line]:
    """A message from the log; grey when it is `old`. The `mark` is for the user's own ones, `replied` is what it answers."""
    start = _start(message.seq, message.timestamp_ms)
    if isinstance(message.content, Notice):
        return [[("class:old", f"{start}* {one_line(message.content, texts, me)}")]]
    mine = message.sender == me
    who = printable_lines(person(message.sender, me, texts))[0]
    if message.reply_to:
        who += f" ↪ {replied.seq}" if replied else " ↪"
    signs = [texts["edited"]] if message.edited else []
    signs += [f"{emoji}{len(users) if len(users) > 1 else ''}" for emoji, users in message.reactions.items()]
    return _said(
        start,
        "class:old" if old else "class:me" if mine else "class:peer",
        who,
        printable_lines(describe(message.content, texts)),
        "class:old" if old or message.removed else "class:mentioned" if {me, "@all"} & {*message.mentions} else "",
        printable("  ".join([*signs, *([texts[mark.value]] if mark and not message.removed else [])])),
    )


def change_lines(change: Message, target: Message | None, me: str, texts: Texts) -> list[Line]:
    """What changed the message `target`, which is given as it was before."""
    sentence = printable(change_sentence(change, target, me, texts))
    return [[("class:old", f"{_start(change.seq, change.timestamp_ms)}* {sentence}")]]


def found_line(message: Message, me: str, texts: Texts, columns: int, *, show_peer: bool) -> Line:
    """A message that a search has found, in one row."""
    when = f"{message.seq:>{_NUMBER_COLUMNS}} {local_time(message.timestamp_ms):%Y-%m-%d %H:%M} "
    who = printable(person(message.sender, me, texts))
    if show_peer:
        who = f"{message.peer} {who}"
    room = max(columns - width(f"{when}{who}: ") - 1, 20)
    return [("class:old", when), ("class:peer", who), ("", f": {shorten(one_line(message.content, texts, me), room)}")]


def table_lines(rows: Sequence[tuple[str, ...]]) -> list[Line]:
    """Rows of cells, the first of them names."""
    cells = [[shorten(printable(cell), _CELL_COLUMNS) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    lines: list[Line] = []
    for row in cells:
        first, *rest = (pad(cell, columns) for cell, columns in zip(row, widths, strict=True))
        lines.append([("class:peer", first), ("", "".join(f"  {cell}" for cell in rest).rstrip())])
    return lines


def _start(seq: int, timestamp_ms: int) -> str:
    """The number by which commands name the message, and the time."""
    return f"{seq or '':>{_NUMBER_COLUMNS}} {local_time(timestamp_ms):%H:%M} "


def _said(start: str, who_style: str, who: str, words: list[str], style: str, mark: str) -> list[Line]:
    first, *rest = words
    # Further lines stand under the first one: nobody can make them look like somebody else's message.
    indent = " " * (width(start) + width(who) + 2)
    said: list[Line] = [
        [("class:old", start), (who_style, who), (style, f": {first}")],
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
    names = [printable(f"{each.peer} {each.name}".rstrip()) for each in conversations]
    news = [texts["unread"].format(count=each.unread) if each.unread else "" for each in conversations]
    name_width, news_width = max(map(width, names), default=0), max(map(width, news), default=0)
    lines: list[Line] = []
    for name, new, each in zip(names, news, conversations, strict=True):
        line: Line = [("class:peer", pad(name, name_width)), ("class:news", "  " + pad(new, news_width))]
        if each.last:
            who = f"{texts['you']}: " if each.last.sender == me else ""
            if isinstance(each.peer, Group) and each.last.sender not in ("", me):
                who = f"{each.last.sender}: "
            last = f"{local_time(each.last.timestamp_ms):%Y-%m-%d %H:%M}  {who}{one_line(each.last.content, texts, me)}"
            line.append(("class:old", "  " + shorten(last, max(columns - name_width - news_width - 5, 20))))
        lines.append(line)
    return lines
