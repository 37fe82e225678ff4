"""What a command takes: how it is written, read and told."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.peer import parse_peer
from rockdove.client import Group
from rockdove.locale import Texts
from rockdove.wire import names


class Kind(Enum):
    """Of an argument; the value is the key of the word that stands for it in the help."""

    PEER = "argument_peer"  # a user, or a group with its #
    USER = "argument_user"
    USERS = "argument_users"  # one or more
    GROUP = "argument_group"  # with or without #
    MESSAGE = "argument_message"  # its number, which is its seq
    NUMBER = "argument_number"
    WORD = "argument_word"
    TEXT = "argument_text"  # the rest of the line


@dataclass(frozen=True, slots=True)
class Argument:
    """One of a command. A word with `choices` is one of these; a user may also be one. `label` is the key of another word."""

    kind: Kind
    optional: bool = False
    choices: tuple[str, ...] = ()
    label: str = ""

    def shown(self, texts: Texts) -> str:
        """As it stands in the help."""
        word = "|".join(self.choices)
        if self.kind is not Kind.WORD or not word:
            word = "|".join([texts[self.label or self.kind.value], *self.choices])
        return f"[{word}]" if self.optional else word


Value = str | int | Group | list[str] | None


def parse_arguments(arguments: Sequence[Argument], text: str) -> list[Value]:
    """One value for each of `arguments`, None for those left out.

    Raises ValueError when one is missing or too many, Complaint when one is not what it must be.
    """
    values: list[Value] = []
    rest = text.strip()
    for position, argument in enumerate(arguments):
        word, _, after = rest.partition(" ")
        needed = [later for later in arguments[position + 1 :] if not later.optional]
        left_out = not word or (argument.optional and (not _may_be(argument, word) or (needed and not after.strip())))
        if left_out and not argument.optional:
            raise ValueError("too few words, or too many")
        if left_out:
            values.append(None)
        elif argument.kind in (Kind.TEXT, Kind.USERS):
            values.append(_read(argument, rest))
            rest = ""
        else:
            values.append(_read(argument, word))
            rest = after.strip()
    if rest:
        raise ValueError("too few words, or too many")
    return values


def _may_be(argument: Argument, word: str) -> bool:
    """Whether an optional argument is meant by this word, rather than the one after it."""
    if argument.kind in (Kind.MESSAGE, Kind.NUMBER):
        return _is_number(word)
    return not argument.choices or word in argument.choices


def _read(argument: Argument, text: str) -> Value:
    if argument.choices and text not in argument.choices and argument.kind is Kind.WORD:
        raise Complaint("bad_choice", text=text, choices=", ".join(argument.choices))
    match argument.kind:
        case Kind.PEER:
            try:
                return parse_peer(text)
            except ValueError as error:
                raise Complaint("cannot_open", peer=text, reason=error) from None
        case Kind.GROUP:
            return Group(_name(text.removeprefix("#")))
        case Kind.USER:
            return _name(text)
        case Kind.USERS:
            return [_name(name) for name in text.replace(",", " ").split()]
        case Kind.MESSAGE | Kind.NUMBER:
            if not _is_number(text):
                raise Complaint("not_a_number", text=text)
            return int(text)
        case _:
            return text


def _name(text: str) -> str:
    name = text.removeprefix("@")
    if not names.is_name(name):
        raise Complaint("not_a_name", name=text, rule=names.RULE)
    return name


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
