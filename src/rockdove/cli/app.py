"""The subcommands, of which only the one that is run gets imported."""

import importlib
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from rockdove.cli.errors import wrong_usage
from rockdove.server.build import build

_SUBCOMMANDS: Final = {
    "serve": "Run the server.",
    "chat": "Chat in this terminal.",
    "tui": "Chat on the whole screen of this terminal.",
    "user": "Add, list, disable and remove users.",
    "tenant": "Add and configure tenants, and sign app tokens for them.",
    "backup": "Copy the database into a file, while the server runs.",
    "restore": "Put such a copy in the place of the database.",
    "migrate": "Move a data directory into a PostgreSQL database.",
    "admin": "Check and compact a data directory.",
    "bench": "Measure a server, and check it while it is measured.",
    "cluster": "Look after the nodes that share a store.",
}

app = typer.Typer(rich_markup_mode=None, add_completion=False)


def run(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name; returns the exit code. Raises CommandError."""
    return _run(app, "rockdove", arguments or ["--help"])


def _run(commands: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    command = typer.main.get_command(commands)
    try:
        return command.main(list(arguments), prog_name=name, standalone_mode=False) or 0
    except typer.TyperException as error:
        message = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".?")
        context = getattr(error, "ctx", None)
        help_of = context.command_path if context else name
        raise wrong_usage(f"{message[:1].lower()}{message[1:]}; see {help_of} --help") from None
    except typer.Abort:
        raise KeyboardInterrupt from None


def _register(name: str, summary: str) -> None:
    @app.command(
        name,
        help=summary,
        add_help_option=False,  # the subcommand's own help is asked for
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    def subcommand(context: typer.Context) -> int:
        entry = getattr(importlib.import_module(f"rockdove.cli.{name}"), name)
        if not isinstance(entry, typer.Typer):
            function, entry = entry, typer.Typer(rich_markup_mode=None, add_completion=False)
            entry.command()(function)
        return _run(entry, f"rockdove {name}", context.args)


for _name, _summary in _SUBCOMMANDS.items():
    _register(_name, _summary)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"rockdove {build()}")
        raise typer.Exit


@app.callback()
def rockdove(
    _: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Instant messaging that never loses, doubles or reorders a message."""
