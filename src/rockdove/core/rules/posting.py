"""Who may write to whom (protocol §4, §7)."""

from collections.abc import Mapping

from rockdove.core.errors import Refusal, denied, not_found
from rockdove.core.msgid import clock_text
from rockdove.core.ports import View
from rockdove.core.records import Contact, ContactState, Group, Member, Role, Tenant


def not_friends(name: str) -> Refusal:
    """The answer to who writes to a stranger, and to who was blocked: he cannot tell which (protocol §4)."""
    return denied(f"you and {name!r} are not friends: send a contact request first")


def no_user(name: str) -> Refusal:
    """There is no such user in this tenant."""
    return not_found(f"there is no user {name!r}: check the name")


def no_group(group_id: str) -> Refusal:
    """There is no such group in this tenant, or no more."""
    return not_found(f"there is no group {group_id!r}: check the id")


def not_member(group_id: str) -> Refusal:
    """The group is there, for others."""
    return denied(f"you are not a member of the group {group_id!r}: join it first")


async def check_reach(view: View, tenant: Tenant, sender: int, receiver: int, name: str) -> None:
    """May `sender` turn to `receiver`, who is called `name`? Raises Refusal: blocked, or strangers where that is not wanted."""
    if sender != receiver:
        _check_side(tenant, await view.contact(receiver, sender), name)


async def check_reach_of_all(view: View, tenant: Tenant, sender: int, receivers: Mapping[int, str]) -> None:
    """The same for many others, who are called so. Raises Refusal."""
    sides = await view.sides_towards(sender, receivers)
    for receiver in sides if tenant.strangers else receivers:
        _check_side(tenant, sides.get(receiver) or Contact(receiver, sender), receivers[receiver])


def _check_side(tenant: Tenant, other_side: Contact, name: str) -> None:
    if other_side.blocked or not (tenant.strangers or other_side.state is ContactState.FRIEND):
        raise not_friends(name)


class WriteToUser:
    """The permit for a message to one user."""

    __slots__ = ("_name", "_receiver", "_sender", "_tenant")

    def __init__(self, tenant: Tenant, sender: int, receiver: int, name: str) -> None:
        self._tenant = tenant
        self._sender = sender
        self._receiver = receiver
        self._name = name

    async def check(self, view: View, now_ms: int) -> None:  # noqa: ARG002
        await check_reach(view, self._tenant, self._sender, self._receiver, self._name)


class WriteToGroup:
    """The permit for a message to a group."""

    __slots__ = ("_conversation", "_everyone", "_sender")

    def __init__(self, conversation: int, sender: int, *, everyone: bool = False) -> None:
        """`everyone`: the message mentions @all."""
        self._conversation = conversation
        self._sender = sender
        self._everyone = everyone

    async def check(self, view: View, now_ms: int) -> None:
        group, member = await find_member(view, self._conversation, self._sender)
        if now_ms < member.muted_until_ms:
            raise denied(f"you are muted in this group until {clock_text(member.muted_until_ms)}: wait, or ask an admin")
        if member.role is not Role.MEMBER:
            return
        if group.policy.only_admins_post:
            raise denied("only admins post in this group: ask one of them")
        if now_ms < group.muted_until_ms:
            until = clock_text(group.muted_until_ms)
            raise denied(f"everyone but the admins is muted in this group until {until}: wait, or ask an admin")
        if self._everyone:
            raise denied("only admins may mention @all: mention single members")


async def find_living(view: View, conversation: int) -> Group:
    """The group, unless it was dissolved. Raises Refusal."""
    group = await view.group(conversation)
    assert group is not None, "a conversation id of a group is only ever taken from one"
    if group.dissolved:
        raise no_group(group.id)
    return group


async def find_member(view: View, conversation: int, user: int) -> tuple[Group, Member]:
    """A living group and the user as its present member. Raises Refusal."""
    group = await find_living(view, conversation)
    member = await view.member(conversation, user)
    if member is None:
        raise not_member(group.id)
    return group, member
