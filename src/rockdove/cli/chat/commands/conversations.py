"""Commands about conversations as a whole."""

from typing import Final

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.lines import conversation_lines, found_line
from rockdove.cli.chat.place import HISTORY, Place
from rockdove.cli.terminal import pad, width
from rockdove.client import Conversation, Message, Peer
from rockdove.wire.limits import PAGE_MAX

_LISTED: Final = 50  # conversations
_FOUND: Final = 20  # messages


async def open_(desk: Place, peer: Peer) -> None:
    """Talk to somebody."""
    await desk.talk_to(peer)


async def list_(desk: Place) -> None:
    """The conversations, newest activity first."""
    conversations: list[Conversation] = []
    async for conversation in desk.client.conversations():
        desk.acquaintances.add(conversation.peer)
        conversations.append(conversation)
        if len(conversations) == _LISTED:
            break
    if conversations:
        await desk.screen.show(conversation_lines(conversations, desk.client.user, desk.texts, desk.screen.columns))
    else:
        await desk.note("no_conversations")


async def history(desk: Place, number: int | None) -> None:
    """What was said before."""
    desk.peer()
    if number is not None and not 1 <= number <= PAGE_MAX:
        raise Complaint("bad_number", most=PAGE_MAX)
    await desk.look_back(number or HISTORY)


async def search(desk: Place, words: str) -> None:
    """Messages with these words; in the open conversation, or in all when none is open."""
    found: list[Message] = []
    async for message in desk.client.search(words, peer=desk.open):
        found.append(message)
        if len(found) == _FOUND:
            break
    if not found:
        await desk.note("nothing_found")
    show_peer = desk.open is None
    me, columns = desk.client.user, desk.screen.columns
    await desk.screen.show([found_line(each, me, desk.texts, columns, show_peer=show_peer) for each in reversed(found)])


async def help_(desk: Place) -> None:
    """All commands."""
    from rockdove.cli.chat.commands import SECTIONS  # the table has this function in it

    texts = desk.texts
    usages = [[(command.usage(texts), command.help(texts)) for command in section] for section in SECTIONS]
    column = max(width(usage) for section in usages for usage, _ in section) + 2
    body = "\n\n".join("\n".join(pad(usage, column) + text for usage, text in section) for section in usages)
    marks = {mark: texts[mark] for mark in ("sent", "delivered", "read")}
    await desk.screen.show([[("", line)] for line in texts["help"].format(commands=body, **marks).split("\n")])


async def quit_(desk: Place) -> None:
    """Leave the chat."""
    desk.screen.close()
