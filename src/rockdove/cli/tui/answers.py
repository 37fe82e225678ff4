"""What commands answer, between the messages and the line to write in, until Escape or the next command."""

from collections.abc import Callable

from textual.containers import VerticalScroll
from textual.widgets import Static

from rockdove.cli.chat.place import Line
from rockdove.cli.tui.look import styled_lines


class Answers(VerticalScroll):
    """Hidden while there are none. `leave` is called when the user wants to leave."""

    can_focus = False

    def __init__(self, leave: Callable[[], None], id: str) -> None:  # noqa: A002  # textual's name
        self._text = Static()
        self._lines: list[Line] = []
        self._leave = leave
        super().__init__(self._text, id=id)
        self.display = False

    @property
    def columns(self) -> int:
        """Width of a line."""
        return max(self.app.size.width // 2, 40)

    async def show(self, lines: list[Line]) -> None:
        """Show these below what is shown already."""
        if lines:
            self._lines += lines
            self._text.update(styled_lines(self._lines))
            self.display = True

    def close(self) -> None:
        """Leave."""
        self._leave()

    def clear(self) -> None:
        """Show none."""
        self._lines = []
        self.display = False
        self.scroll_home(animate=False)
