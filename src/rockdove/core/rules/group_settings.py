"""What a group is, and what its members may do in it (protocol §7)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from rockdove.core.errors import denied, invalid
from rockdove.core.ports import View
from rockdove.core.records import Effect, Group, GroupPolicy, Member, PutGroup, PutMembers, Role
from rockdove.core.rules.group import Person, check_above, find_admin, find_other, notice

_KINDS: Final = {  # the notice for each field of a group
    "name": "group.renamed",
    "announcement": "group.announced",
    "avatar_url": "group.avatar",
    "policy": "group.policy",
}


class UpdateGroup:
    """Change what is given and not None; a new owner takes the place of the old one. `group` is what it is now."""

    group: Group

    def __init__(
        self,
        actor: Person,
        conversation: int,
        *,
        name: str | None = None,
        announcement: str | None = None,
        avatar_url: str | None = None,
        policy: GroupPolicy | None = None,
        owner: Person | None = None,
    ) -> None:
        self._actor = actor
        self.conversation = conversation
        self._wanted: dict[str, Any] = {
            "name": name,
            "announcement": announcement,
            "avatar_url": avatar_url,
            "policy": policy,
        }
        self._owner = owner
        self.notices = sum(value is not None for value in (*self._wanted.values(), owner))

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        """Raises Refusal."""
        self.group, actor = await find_admin(view, self.conversation, self._actor.id)
        changes = {field: value for field, value in self._wanted.items() if value not in (None, getattr(self.group, field))}
        news: list[tuple[str, list[Person], str]] = [
            (_KINDS[field], [], value if isinstance(value, str) else "") for field, value in changes.items()
        ]
        members = list[PutMembers]()
        if self._owner is not None and self._owner.id != self.group.owner:
            members = await _hand_over(view, self.group, actor, self._owner)
            changes["owner"] = self._owner.id
            news.append(("group.owner", [self._owner], ""))
        if not changes:
            return []
        self.group = replace(self.group, **changes, version=self.group.version + 1)
        notices = [
            notice(self.group, msgid, kind, self._actor, users, text)
            for msgid, (kind, users, text) in zip(msgids, news, strict=False)  # what stays as it was needs none
        ]
        return [PutGroup(self.group), *members, *notices]


class SetRole:
    """Make a member an admin, or an admin a member."""

    notices = 1

    def __init__(self, actor: Person, conversation: int, person: Person, role: Role) -> None:
        """`role` is not OWNER: who becomes that takes somebody's place."""
        self._actor = actor
        self.conversation = conversation
        self._person = person
        self._role = role

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        """Raises Refusal."""
        group, actor = await find_admin(view, self.conversation, self._actor.id)
        member = await find_other(view, group, self._person)
        if member.role is self._role:
            return []
        _check_owner(actor)
        if member.role is Role.OWNER:
            raise invalid("the owner has no other role: hand the group over first")
        group = replace(group, version=group.version + 1)
        return [
            PutMembers.of(member._replace(role=self._role)),
            PutGroup(group),
            notice(group, msgids[0], "group.role", self._actor, [self._person], self._role.name.lower()),
        ]


class Mute:
    """Let a member, or everyone but the admins, post nothing for some seconds; 0 ends it."""

    notices = 1

    def __init__(self, actor: Person, conversation: int, person: Person | None, seconds: int) -> None:
        """A `person` of None is everyone but the admins."""
        self._actor = actor
        self.conversation = conversation
        self._person = person
        self._seconds = seconds

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """Raises Refusal."""
        group, actor = await find_admin(view, self.conversation, self._actor.id)
        until_ms = now_ms + self._seconds * 1000 if self._seconds else 0
        changed = replace(group, version=group.version + 1)
        if self._person is None:
            before_ms, users = group.muted_until_ms, list[Person]()
            effects: list[Effect] = [PutGroup(replace(changed, muted_until_ms=until_ms))]
        else:
            member = await find_other(view, group, self._person)
            check_above(actor, member.role, self._person.name)
            before_ms, users = member.muted_until_ms, [self._person]
            effects = [PutMembers.of(member._replace(muted_until_ms=until_ms)), PutGroup(changed)]
        if before_ms == until_ms or max(before_ms, until_ms) <= now_ms:
            return []
        kind, text = ("group.muted", str(self._seconds)) if self._seconds else ("group.unmuted", "")
        return [*effects, notice(group, msgids[0], kind, self._actor, users, text)]


async def _hand_over(view: View, group: Group, owner: Member, heir: Person) -> list[PutMembers]:
    """The owner becomes an admin, and the other the owner, whom nobody could unmute. Raises Refusal."""
    _check_owner(owner)
    member = await find_other(view, group, heir)
    heir_now = member._replace(role=Role.OWNER, muted_until_ms=0)
    return [PutMembers.of(owner._replace(role=Role.ADMIN)), PutMembers.of(heir_now)]


def _check_owner(actor: Member) -> None:
    if actor.role is not Role.OWNER:
        raise denied("only the owner gives roles, and the group, to others: ask the owner")
