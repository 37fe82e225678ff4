"""What the Tab key offers while a command is written."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from rockdove.cli.chat.arguments import Argument, Kind
from rockdove.cli.chat.command import Command

Offer = tuple[str, str]  # what is written, and what is shown beside it


class CommandCompleter(Completer):
    """`offers` has what can be written for an argument."""

    def __init__(
        self, commands: Sequence[Command], offers: Callable[[Argument], Iterable[Offer]], help_of: Callable[[Command], str]
    ) -> None:
        self._commands = commands
        self._offers = offers
        self._help_of = help_of

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Completions of the word before the cursor."""
        text = document.text_before_cursor
        if not text.startswith("/") or text.startswith("//") or "\n" in text:
            return
        *before, word = text.split(" ")
        if before:
            offers = self._for_argument(before[0], [each for each in before[1:] if each])
        else:
            offers = ((name, self._help_of(command)) for command in self._commands for name in command.names)
        for written, beside in offers:
            if written.lower().startswith(word.lower()):
                yield Completion(written, start_position=-len(word), display_meta=beside)

    def _for_argument(self, name: str, written: Sequence[str]) -> Iterator[Offer]:
        command = next((each for each in self._commands if name in each.names), None)
        if not command or not command.arguments:
            return
        position = min(len(written), len(command.arguments) - 1)
        if len(written) > position and command.arguments[-1].kind not in (Kind.USERS, Kind.TEXT):
            return
        argument = command.arguments[position]
        yield from self._offers(argument)
        if argument.optional and position + 1 < len(command.arguments):
            yield from self._offers(command.arguments[position + 1])
