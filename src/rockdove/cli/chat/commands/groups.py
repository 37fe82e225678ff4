"""Commands about groups; but for the first three, about the open one."""

from dataclasses import replace
from typing import Final

from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.lines import table_lines
from rockdove.cli.chat.place import Place
from rockdove.cli.chat.words import presence_words
from rockdove.client import Group, Joining, Member, Refused, Role

_LISTED: Final = 200  # groups, members
_ROLES: Final = {"member": Role.MEMBER, "admin": Role.ADMIN, "owner": Role.OWNER}
_JOINING: Final = {"invite": Joining.INVITE, "approval": Joining.APPROVAL, "open": Joining.OPEN}
_EVERYONE: Final = "all"
_MUTED_MINUTES: Final = 366 * 24 * 60


async def create(desk: Place, new: str, name: str, users: list[str] | None) -> None:  # noqa: ARG001
    """Found one, and open it."""
    group = await desk.client.groups.create(name, users or [])
    await desk.talk_to(group)


async def list_(desk: Place) -> None:
    """Those that the user is a member of."""
    rows: list[tuple[str, ...]] = []
    async for info in desk.client.groups.mine():
        desk.acquaintances.add(info.group)
        rows.append((str(info.group), info.name, desk.texts["members"].format(count=info.size)))
        if len(rows) == _LISTED:
            break
    if rows:
        await desk.screen.show(table_lines(rows))
    else:
        await desk.note("no_groups")


async def join(desk: Place, group: Group) -> None:
    """Join, or ask to."""
    await desk.client.groups.join(group)
    if (await desk.client.groups.info(group)).member:
        await desk.talk_to(group)
    else:
        await desk.note("asked_to_join", group=group)


async def leave(desk: Place) -> None:
    """Leave it."""
    group = desk.group()
    await desk.client.groups.leave(group)
    desk.acquaintances.forget(group)


async def dissolve(desk: Place) -> None:
    """End it for everyone."""
    group = desk.group()
    await desk.client.groups.dissolve(group)
    desk.acquaintances.forget(group)


async def invite(desk: Place, users: list[str]) -> None:
    """Make them members."""
    await desk.client.groups.invite(desk.group(), users)


async def kick(desk: Place, users: list[str]) -> None:
    """Put them out."""
    await desk.client.groups.kick(desk.group(), users)


async def who(desk: Place) -> None:
    """Its members, or how the one is with whom the user talks."""
    peer = desk.peer()
    members: list[Member] = []
    if isinstance(peer, Group):
        async for member in desk.client.groups.members(peer):
            members.append(member)
            if len(members) == _LISTED:
                break
    names = [member.user for member in members] or [str(peer)]
    roles = {member.user: desk.texts.get(f"role_{member.role}", "") for member in members}
    statuses = await desk.client.presence.query(names)
    rows = [(each.user, roles.get(each.user, ""), presence_words(each, desk.texts)) for each in statuses]
    await desk.screen.show(table_lines(rows))


async def role(desk: Place, user: str, name: str) -> None:
    """Make a member something else."""
    await desk.client.groups.set_role(desk.group(), user, _ROLES[name])


async def mute(desk: Place, user: str, minutes: int) -> None:
    """Silence somebody, or everyone but the admins."""
    if minutes > _MUTED_MINUTES:
        raise Complaint("too_many_minutes", most=_MUTED_MINUTES)
    await desk.client.groups.mute(desk.group(), None if user == _EVERYONE else user, minutes * 60)


async def name(desk: Place, text: str) -> None:
    """Rename it."""
    await desk.client.groups.update(desk.group(), name=text)


async def announce(desk: Place, text: str | None) -> None:
    """Announce something; or show what is announced."""
    group = desk.group()
    if text is not None:
        await desk.client.groups.update(group, announcement=text)
        return
    announcement = (await desk.client.groups.info(group)).announcement
    if announcement:
        await desk.note("announcement", text=announcement)
    else:
        await desk.note("no_announcement")


async def policy(desk: Place, joining: str) -> None:
    """How one becomes a member."""
    group = desk.group()
    now = (await desk.client.groups.info(group)).policy
    await desk.client.groups.update(group, policy=replace(now, joining=_JOINING[joining]))


async def asked(desk: Place) -> list[str]:
    """Who wants to join the open group, if one is open and the user may answer."""
    if not isinstance(desk.open, Group):
        return []
    try:
        return [request.user async for request in desk.client.groups.requests(desk.open)]
    except Refused:
        return []
