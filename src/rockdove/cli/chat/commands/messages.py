"""Commands about single messages."""

from rockdove.cli.chat.place import Place
from rockdove.client import Edit, File, Image, Message, Reaction, Recall, Text


async def reply(desk: Place, number: int, text: str) -> None:
    """Answer a message."""
    await desk.say(Text(text), (await desk.message(number)).msgid)


async def edit(desk: Place, number: int | None, text: str) -> None:
    """Say it in other words."""
    message = await _mine(desk, number)
    await desk.change(message, Edit(message.msgid, Text(text)))


async def recall(desk: Place, number: int | None) -> None:
    """Take it back for everyone."""
    message = await _mine(desk, number)
    await desk.change(message, Recall(message.msgid))


async def react(desk: Place, number: int | None, emoji: str) -> None:
    """Put an emoji on it."""
    message = await _theirs(desk, number)
    await desk.change(message, Reaction(message.msgid, emoji))


async def unreact(desk: Place, number: int | None, emoji: str) -> None:
    """Take it off again."""
    message = await _theirs(desk, number)
    await desk.change(message, Reaction(message.msgid, emoji, removed=True))


async def delete(desk: Place, number: int) -> None:
    """Delete it for oneself."""
    message = await desk.message(number)
    await desk.client.delete(message)
    desk.timeline.delete([number])
    await desk.note("deleted", number=number)


async def readers(desk: Place, number: int) -> None:
    """Who of the group has read it."""
    desk.group()
    found = await desk.client.readers(await desk.message(number))
    await desk.note("readers", count=found.count, total=found.total, names=desk.texts["comma"].join(found.users))


async def image(desk: Place, url: str) -> None:
    """Send a picture's address."""
    await desk.say(Image(url))


async def file(desk: Place, url: str, name: str | None) -> None:
    """Send a file's address."""
    await desk.say(File(url, name or ""))


async def _mine(desk: Place, number: int | None) -> Message:
    return desk.last_own() if number is None else await desk.message(number)


async def _theirs(desk: Place, number: int | None) -> Message:
    return desk.last_of_others() if number is None else await desk.message(number)
