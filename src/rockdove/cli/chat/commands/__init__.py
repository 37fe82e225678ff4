"""All commands of the chat: the one table behind reading, completing and explaining them."""

from typing import Final

from rockdove.cli.chat.arguments import Argument, Kind
from rockdove.cli.chat.command import Command
from rockdove.cli.chat.commands import contacts, conversations, groups, messages, people

_PEER = Argument(Kind.PEER)
_USER = Argument(Kind.USER)
_USERS = Argument(Kind.USERS)
_GROUP = Argument(Kind.GROUP)
_MESSAGE = Argument(Kind.MESSAGE)
_ONE_OF_MINE = Argument(Kind.MESSAGE, optional=True)
_ONE_OF_THEIRS = Argument(Kind.MESSAGE, optional=True)
_NAME = Argument(Kind.WORD, label="argument_name")
_URL = Argument(Kind.WORD, label="argument_url")
_EMOJI = Argument(Kind.WORD, label="argument_emoji")
_TEXT = Argument(Kind.TEXT)
_MAYBE_TEXT = Argument(Kind.TEXT, optional=True)

# By subject; the help shows an empty line between two of them.
SECTIONS: Final[tuple[tuple[Command, ...], ...]] = (
    (
        Command(("/open", "/to"), (_PEER,), conversations.open_),
        Command(("/list",), (), conversations.list_),
        Command(("/history",), (Argument(Kind.NUMBER, optional=True),), conversations.history),
        Command(("/search",), (_TEXT,), conversations.search),
    ),
    (
        Command(("/reply",), (_MESSAGE, _TEXT), messages.reply),
        Command(("/edit",), (_ONE_OF_MINE, _TEXT), messages.edit),
        Command(("/recall",), (_ONE_OF_MINE,), messages.recall),
        Command(("/react",), (_ONE_OF_THEIRS, _EMOJI), messages.react),
        Command(("/unreact",), (_ONE_OF_THEIRS, _EMOJI), messages.unreact),
        Command(("/delete",), (_MESSAGE,), messages.delete),
        Command(("/readers",), (_MESSAGE,), messages.readers),
        Command(("/image",), (_URL,), messages.image),
        Command(("/file",), (_URL, Argument(Kind.TEXT, optional=True, label="argument_name")), messages.file),
    ),
    (
        Command(
            ("/group",), (Argument(Kind.WORD, choices=("new",)), _NAME, Argument(Kind.USERS, optional=True)), groups.create
        ),
        Command(("/groups",), (), groups.list_),
        Command(("/join",), (_GROUP,), groups.join),
        Command(("/leave",), (), groups.leave),
        Command(("/dissolve",), (), groups.dissolve),
        Command(("/invite",), (_USERS,), groups.invite),
        Command(("/kick",), (_USERS,), groups.kick),
        Command(("/who",), (), groups.who),
        Command(("/role",), (_USER, Argument(Kind.WORD, choices=("member", "admin", "owner"))), groups.role),
        Command(
            ("/mute",), (Argument(Kind.USER, choices=("all",)), Argument(Kind.NUMBER, label="argument_minutes")), groups.mute
        ),
        Command(("/name",), (_TEXT,), groups.name),
        Command(("/announce",), (_MAYBE_TEXT,), groups.announce),
        Command(("/policy",), (Argument(Kind.WORD, choices=("invite", "approval", "open")),), groups.policy),
    ),
    (
        Command(("/contacts",), (), contacts.list_),
        Command(("/add",), (_USER, _MAYBE_TEXT), contacts.add),
        Command(("/remove",), (_USER,), contacts.remove),
        Command(("/block",), (_USER,), contacts.block),
        Command(("/unblock",), (_USER,), contacts.unblock),
        Command(("/requests",), (), contacts.requests),
        Command(("/accept",), (_USER,), contacts.accept),
        Command(("/decline",), (_USER,), contacts.decline),
    ),
    (
        Command(("/profile",), (Argument(Kind.USER, optional=True),), people.profile),
        Command(("/nickname",), (_TEXT,), people.nickname),
        Command(("/away",), (_MAYBE_TEXT,), people.away),
        Command(("/back",), (), people.back),
        Command(("/status",), (_MAYBE_TEXT,), people.status),
        Command(("/devices",), (), people.devices),
        Command(("/kickdevice",), (_NAME,), people.kick_device),
    ),
    (
        Command(("/help",), (), conversations.help_),
        Command(("/quit",), (), conversations.quit_),
    ),
)
COMMANDS: Final = tuple(command for section in SECTIONS for command in section)
