"""How a command fails."""

from typing import Final

FAILED: Final = 1
USAGE: Final = 2  # the command line itself is wrong


class CommandError(Exception):
    """Ends the command. Each of `lines` is shown on stderr by itself, behind `rockdove: `, and says what to do."""

    def __init__(self, *lines: str, exit_code: int = FAILED) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
        self.exit_code = exit_code


def wrong_usage(line: str) -> CommandError:
    """An error in the command line itself."""
    return CommandError(line, exit_code=USAGE)
