"""Commands about friends, requests and blocks."""

from rockdove.cli.chat.commands import groups
from rockdove.cli.chat.lines import table_lines
from rockdove.cli.chat.place import Place
from rockdove.cli.chat.words import presence_words
from rockdove.client import ContactState


async def list_(desk: Place) -> None:
    """Everybody, with how they are."""
    roster = (await desk.client.contacts.list()).contacts
    if not roster:
        await desk.note("no_contacts")
        return
    desk.acquaintances.add(*(contact.user for contact in roster))
    friends = [contact.user for contact in roster if contact.state == ContactState.FRIEND]
    statuses = await desk.client.presence.query(friends)
    here = {status.user: presence_words(status, desk.texts) for status in statuses}
    rows = [
        (each.user, here.get(each.user) or desk.texts.get(f"contact_{int(each.state)}", ""), each.remark or each.greeting)
        for each in sorted(roster, key=lambda contact: contact.user)
    ]
    await desk.screen.show(table_lines(rows))


async def add(desk: Place, user: str, greeting: str | None) -> None:
    """Ask somebody to be friends."""
    await desk.client.contacts.add(user, greeting=greeting or "")
    desk.acquaintances.add(user)


async def remove(desk: Place, user: str) -> None:
    """End a friendship."""
    await desk.client.contacts.remove(user)


async def block(desk: Place, user: str) -> None:
    """Hear nothing more of somebody."""
    await desk.client.contacts.block(user)


async def unblock(desk: Place, user: str) -> None:
    """Hear of somebody again."""
    await desk.client.contacts.unblock(user)


async def requests(desk: Place) -> None:
    """Who waits for an answer: to be friends, or to join the open group."""
    roster = (await desk.client.contacts.list()).contacts
    rows = [(each.user, desk.texts["contact_2"], each.greeting) for each in roster if each.state == ContactState.INVITED]
    rows += [(user, desk.texts["wants_to_join"].format(group=desk.open), "") for user in await groups.asked(desk)]
    if rows:
        await desk.screen.show(table_lines(rows))
    else:
        await desk.note("no_requests")


async def accept(desk: Place, user: str) -> None:
    """Say yes: to who wants to join the open group, else to who wants to be friends."""
    if user in await groups.asked(desk):
        await desk.client.groups.accept(desk.group(), user)
    else:
        await desk.client.contacts.accept(user)


async def decline(desk: Place, user: str) -> None:
    """Say no to the same."""
    if user in await groups.asked(desk):
        await desk.client.groups.refuse(desk.group(), user)
        await desk.note("refused_to_let_in", user=user)
    else:
        await desk.client.contacts.decline(user)
