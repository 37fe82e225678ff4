"""The rockdove command lines that the pages show, held against the command itself."""

import importlib
import shlex
from typing import Any

import typer

from rockdove.cli.app import app

GROUPS = ("user", "tenant", "admin", "cluster")


def command(name: str) -> Any:
    """The subcommand of that name, as it is parsed."""
    entry = getattr(importlib.import_module(f"rockdove.cli.{name}"), name)
    if not isinstance(entry, typer.Typer):
        function, entry = entry, typer.Typer(add_completion=False)
        entry.command()(function)
    return typer.main.get_command(entry)


def commands() -> dict[str, Any]:
    """Every command that can be given, by its words: "serve", "user add", … and "" for rockdove itself."""
    main = typer.main.get_command(app)
    found = {"": main}
    for name in main.commands:
        entry = command(name)
        if name in GROUPS:
            found |= {f"{name} {verb}": each for verb, each in entry.commands.items()}
        else:
            found[name] = entry
    return found


def options(entry: Any) -> set[str]:
    """The long options of a command."""
    return {option for parameter in entry.params if parameter.param_type_name == "option" for option in parameter.opts}


def arguments(entry: Any) -> list[str]:
    """What stands in a command line without dashes, in order."""
    return [parameter.metavar.strip("[]") for parameter in entry.params if parameter.param_type_name == "argument"]


def shown(script: str) -> list[list[str]]:
    """The rockdove command lines in a shell script, each without what stands before its arguments."""
    found = []
    for line in script.splitlines():
        piece: list[str] = []
        for word in [*_words(line), ";"]:
            if not set(word) <= set(";|&"):
                piece.append(word)
                continue
            if start := _start(piece):
                found.append(piece[start:])
            piece = []
    return found


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    return list(lexer)


def _start(words: list[str]) -> int:
    """Where the arguments of rockdove begin, 0 when it is another command."""
    found = [index for index, word in enumerate(words) if word.rpartition("/")[2] == "rockdove"]
    return found[-1] + 1 if found and found[-1] + 1 < len(words) else 0  # a last word is a user, a file or a service


def parse(words: list[str]) -> None:
    """Parse a command line without running it. Raises typer's errors when it is wrong."""
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    entry, rest = commands()[name], words[len(name.split()) :]
    if rest and rest[0] in getattr(entry, "commands", ()):  # a group that is a command by itself, too
        entry, rest = entry.commands[rest[0]], rest[1:]
    entry.make_context(name, rest)
