"""A terminal in which what is said scrolls up, above lines that still change and the line to write in."""

from collections.abc import Callable
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal
from prompt_toolkit.completion import Completer
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style

from rockdove.cli.chat.place import Line

_STYLE: Final = Style.from_dict(
    {
        "old": "ansibrightblack",
        "me": "bold ansigreen",
        "peer": "bold ansicyan",
        "mark": "ansibrightblack",
        "mentioned": "bold",
        "news": "ansimagenta",
        "status": "ansiyellow",
        "error": "ansired",
    }
)
_MENU_ROWS: Final = 6
_REFRESH_SECONDS: Final = 1.0  # of the lines that change: there may be a countdown in them


class Screen:
    """`below` are the lines that still change, `prompt` stands before what is written.

    `enter` gets what was written, `typing` what is being written, at each key.
    """

    def __init__(
        self,
        below: Callable[[], list[Line]],
        prompt: Callable[[], str],
        enter: Callable[[str], None],
        typing: Callable[[str], None],
        completer: Completer,
    ) -> None:
        self._below = below
        self._prompt = prompt
        self._enter = enter
        self._session: PromptSession[str] = PromptSession(
            self._message,
            style=_STYLE,
            key_bindings=self._bindings(),
            completer=completer,
            complete_while_typing=False,  # only with Tab: it takes room from what is said
            reserve_space_for_menu=_MENU_ROWS,
            erase_when_done=True,
            refresh_interval=_REFRESH_SECONDS,
        )
        self._session.default_buffer.on_text_changed += lambda buffer: typing(buffer.text)

    async def run(self) -> None:
        """Returns when the user leaves: Ctrl-D or Ctrl-C on an empty line, or `close`."""
        try:
            await self._session.prompt_async()
        except EOFError:
            return

    def close(self) -> None:
        """Let `run` return."""
        if self._session.app.is_running:
            self._session.app.exit(result="")

    async def show(self, lines: list[Line]) -> None:
        """Print lines above the changing ones, for good. They are on the terminal when this returns."""
        if not lines:
            return
        async with in_terminal():
            for line in lines:
                self._session.app.print_text(FormattedText([*line, ("", "\n")]), _STYLE)

    def refresh(self) -> None:
        """The lines below have changed."""
        self._session.app.invalidate()

    @property
    def columns(self) -> int:
        """Width of the terminal."""
        return self._session.app.output.get_size().columns

    def _message(self) -> FormattedText:
        fragments = [fragment for line in self._below() for fragment in (*line, ("", "\n"))]
        return FormattedText([*fragments, ("bold", self._prompt())])

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("enter")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            text = buffer.text
            buffer.reset(append_to_history=True)
            self._enter(text)

        @bindings.add("c-c")
        def clear_or_leave(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()
            else:
                self.close()

        return bindings
