"""The messages of the open conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from rich.console import Group as Rows
from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from textual.message import Message as Notification
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rockdove.cli.chat.notices import person
from rockdove.cli.chat.own import Mark
from rockdove.cli.chat.words import describe, local_time, one_line
from rockdove.cli.terminal import printable, printable_lines, shorten
from rockdove.cli.tui.look import STYLES
from rockdove.client import Message, Notice
from rockdove.locale import Texts

_QUOTED_COLUMNS: Final = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A message, and all else that its looks depend on. `mark` is for the user's own, `day` for the first one of a day."""

    key: str
    message: Message
    mark: Mark | None
    replied: Message | None
    day: str


class MessageList(OptionList):
    """Shows rows; asks for older ones when the user gets to the top. The highlighted one is what commands are about."""

    can_focus = False  # the line to write in keeps it

    class OlderWanted(Notification):
        """The user has scrolled up to the first message."""

    def __init__(self, me: str, texts: Texts, id: str) -> None:  # noqa: A002  # textual's name
        super().__init__(id=id)
        self._me = me
        self._texts = texts
        self._rows: list[Row] = []
        self._at_end = True

    @property
    def chosen(self) -> Message | None:
        """The highlighted message."""
        return None if self.highlighted is None else self._rows[self.highlighted].message

    def show(self, rows: list[Row]) -> None:
        """Show these instead; who was at the end stays there, who looks at earlier ones goes on looking at them."""
        if rows == self._rows:
            return
        at_end = self._at_end
        chosen = self._rows[self.highlighted].key if self.highlighted is not None else None
        from_end = self.virtual_size.height - self.scroll_offset.y
        same = len(list(takewhile(lambda pair: pair[0].key == pair[1].key, zip(rows, self._rows, strict=False))))
        before, self._rows = self._rows, rows
        if same < len(before):
            self.set_options(self._as_options(rows))
        else:
            for index, (row, old) in enumerate(zip(rows, before, strict=False)):
                if row != old:
                    self.replace_option_prompt_at_index(index, self._prompt_of(row))
            self.add_options(self._as_options(rows[same:]))
        keys = [row.key for row in rows]
        if chosen in keys:
            self.highlighted = keys.index(chosen)
        elif at_end or not before:
            self.call_after_refresh(self.scroll_end, animate=False)
        elif before[0].key != rows[0].key:
            self.call_after_refresh(lambda: self.scroll_to(y=self.virtual_size.height - from_end, animate=False))

    def choose(self, step: int) -> None:
        """Highlight the message above (-1) or below (1); below the last one is none."""
        if not self._rows:
            return
        if self.highlighted is None:
            self.highlighted = len(self._rows) - 1 if step < 0 else None
        elif self.highlighted + step < 0:
            self.post_message(self.OlderWanted())
        else:
            self.highlighted = self.highlighted + step if self.highlighted + step < len(self._rows) else None

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whether the end is in sight, and shall stay so."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        """There is more or less room."""
        if self._at_end:
            self.call_after_refresh(self.scroll_end, animate=False)

    def page_up(self) -> None:
        """Scroll towards the earlier messages."""
        if self.scroll_offset.y > 0:
            self.scroll_page_up(animate=False)
        else:
            self.post_message(self.OlderWanted())

    def on_mouse_scroll_up(self) -> None:
        """The same with the wheel, which scrolls by itself."""
        if self.scroll_offset.y <= 0:
            self.post_message(self.OlderWanted())

    def _as_options(self, rows: Sequence[Row]) -> list[Option]:
        return [Option(self._prompt_of(row), id=row.key) for row in rows]

    def _prompt_of(self, row: Row) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=10, justify="right", style=STYLES["class:old"])
        table.add_column(ratio=1)
        start = f"{row.message.seq or ''} {local_time(row.message.timestamp_ms or 0):%H:%M}" if row.message.seq else ""
        table.add_row(start, self._words(row))
        return Rows(Rule(Text(row.day, STYLES["class:old"]), style=STYLES["class:old"]), table) if row.day else table

    def _words(self, row: Row) -> Text:
        message, texts = row.message, self._texts
        if isinstance(message.content, Notice):
            return Text(one_line(message.content, texts, self._me), STYLES["class:old"])
        who = STYLES["class:me" if message.sender == self._me else "class:peer"]
        words = Text.assemble((printable(person(message.sender, self._me, texts)), who), "  ")
        if row.replied:
            quoted = shorten(one_line(row.replied.content, texts), _QUOTED_COLUMNS)
            words.append(f"↪ {row.replied.seq} {person(row.replied.sender, self._me, texts)}: {quoted}\n", STYLES["class:old"])
        elif message.reply_to:
            words.append("↪ ", STYLES["class:old"])
        meant = {self._me, "@all"} & {*message.mentions}
        style = STYLES["class:old"] if message.removed else STYLES["class:mentioned"] if meant else ""
        words.append("\n".join(printable_lines(describe(message.content, texts))), style)
        for emoji, users in message.reactions.items():
            words.append(f"  {printable(emoji)}{len(users) if len(users) > 1 else ''}")
        signs = [texts["edited"]] if message.edited else []
        if row.mark and not message.removed:
            signs.append(texts[row.mark.value])
        words.append("".join(f"  {sign}" for sign in signs), "cyan" if row.mark is Mark.READ else STYLES["class:mark"])
        return words
