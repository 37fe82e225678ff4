"""The rockdove command: one module per subcommand, loaded when it is asked for."""

import os
import sys
from typing import Final, NoReturn

from rockdove.cli.errors import CommandError

_EXTRAS: Final = {"textual": "tui", "asyncpg": "cluster", "nats": "cluster"}  # who needs them chose more than the server


def main() -> NoReturn:
    """Run the command line of this process. Every error is told in lines that begin with `rockdove:`, without a traceback."""
    try:
        from rockdove.cli.app import run

        code = run(sys.argv[1:])
        sys.stdout.flush()
    except CommandError as error:
        for line in error.lines:
            print(f"rockdove: {line}", file=sys.stderr)
        code = error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("rockdove"):
            raise
        package = error.name.partition(".")[0]
        advice = "pip install 'rockdove[server]', or 'rockdove[chat]' for the chat alone"
        if package in _EXTRAS:
            advice = f"pip install 'rockdove[{_EXTRAS[package]}]'"
        print(f"rockdove: the Python package {package} is not installed: {advice}", file=sys.stderr)
        code = 1
    except BrokenPipeError:  # `rockdove user list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
