"""Commands about oneself: profile, presence, devices."""

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.lines import table_lines
from rockdove.cli.chat.place import Place
from rockdove.cli.chat.words import last_seen_words, presence_words
from rockdove.client import Here


async def profile(desk: Place, user: str | None) -> None:
    """What somebody tells about himself."""
    name = user or desk.client.user
    found = await desk.client.users.get([name])
    if not found:
        raise Complaint("no_such_user", name=name)
    (shown,) = found
    (status,) = await desk.client.presence.query([name])
    rows = [
        (shown.user, shown.nickname, presence_words(status, desk.texts)),
        *((key, value, "") for key, value in sorted({**shown.ext, "avatar": shown.avatar_url}.items()) if value),
    ]
    await desk.screen.show(table_lines(rows))


async def nickname(desk: Place, text: str) -> None:
    """Be shown under another name."""
    await desk.client.users.update(nickname=text)
    await desk.note("done")


async def away(desk: Place, text: str | None) -> None:
    """Tell that one is not here."""
    await desk.client.presence.set(Here.AWAY, text or "")
    await desk.note("now_away")


async def back(desk: Place) -> None:
    """Tell that one is here again."""
    await desk.client.presence.set(Here.ONLINE)
    await desk.note("now_back")


async def status(desk: Place, text: str | None) -> None:
    """Tell what one is doing."""
    await desk.client.presence.set(Here.ONLINE, text or "")
    await desk.note("done")


async def devices(desk: Place) -> None:
    """Where the user is logged in."""
    rows = [
        (
            each.device or desk.texts["unnamed_device"],
            each.client,
            desk.texts["here_1"] if each.online else last_seen_words(each.last_seen_ms, desk.texts),
        )
        for each in await desk.client.devices.list()
    ]
    await desk.screen.show(table_lines(rows))


async def kick_device(desk: Place, device: str) -> None:
    """Log a device out."""
    await desk.client.devices.kick(device)
    await desk.note("device_kicked", device=device)
