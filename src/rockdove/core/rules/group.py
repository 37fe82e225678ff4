"""What the rules of groups share: who may act, and what the notices tell (protocol §7)."""

from collections.abc import Sequence
from typing import NamedTuple

from rockdove.core.errors import Refusal, denied, not_found
from rockdove.core.ports import View
from rockdove.core.records import Append, Draft, Group, Join, Member, Role
from rockdove.core.rules.posting import find_living, find_member, not_member
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import NOTICE_NAMES


class Person(NamedTuple):
    """A user, by id and as notices name him."""

    id: int
    name: str


async def find_shown(view: View, conversation: int, user: int) -> tuple[Group, Member | None]:
    """A living group that the user may know about, and he as its member, if he is one. Raises Refusal."""
    group = await find_living(view, conversation)
    member = await view.member(conversation, user)
    if member is None and group.policy.join is Join.INVITE:
        raise not_member(group.id)
    return group, member


async def find_admin(view: View, conversation: int, user: int) -> tuple[Group, Member]:
    """A living group and the user as one of its admins, or its owner. Raises Refusal."""
    group, member = await find_member(view, conversation, user)
    if member.role is Role.MEMBER:
        raise denied("only admins of the group may do this: ask one of them")
    return group, member


async def find_other(view: View, group: Group, person: Person) -> Member:
    """The member of the group whom somebody wants to act on. Raises Refusal."""
    member = await view.member(group.conversation, person.id)
    if member is None:
        raise not_found(f"{person.name!r} is not a member of the group: invite the user first")
    return member


def check_above(actor: Member, role: Role, name: str) -> None:
    """May the one act on another of this role, who is called `name`? Raises Refusal."""
    if actor.role <= role:
        raise denied(f"you do not stand above {name!r} in this group: ask its owner")


def check_room(group: Group, newcomers: int, group_max_members: int) -> None:
    """Raises Refusal if so many more do not fit in."""
    if group.size + newcomers > group_max_members:
        raise Refusal(pb.FAILED_PRECONDITION, f"group is full: it has room for {group_max_members} members")


def notice(group: Group, msgid: int, kind: str, actor: Person, users: Sequence[Person] = (), text: str = "") -> Append:
    """The server's news for the group's log."""
    news = pb.Notice(kind=kind, actor=actor.name, users=[person.name for person in users], text=text)
    message = pb.Message(type=pb.NOTICE, payload=news.SerializeToString(), to=group.id, chat=pb.GROUP_CHAT)
    draft = Draft(
        tenant=group.tenant,
        conversation=group.conversation,
        sender=0,
        sender_field=b"",
        device=0,
        seqid=0,
        body=codec.canonical(message),
        origin=None,
    )
    draft.msgid = msgid
    return Append(draft)


def notices_for(users: int) -> int:
    """How many notices it takes to name so many users."""
    return max(1, -(-users // NOTICE_NAMES))


def notices(
    group: Group, msgids: Sequence[int], kinds: tuple[str, str], actor: Person, users: Sequence[Person], text: str = ""
) -> list[Append]:
    """News of any number of users: a notice of the first of the two kinds, then as many of the second as it takes."""
    first, further = kinds
    return [
        notice(
            group,
            msgids[number],
            further if number else first,
            actor,
            users[number * NOTICE_NAMES : (number + 1) * NOTICE_NAMES],
            text,
        )
        for number in range(notices_for(len(users)))
    ]
