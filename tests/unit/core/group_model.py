"""A small model of groups: who is in them, who may do what, what everybody has seen."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from rockdove.core.records import GroupPolicy, Join
from rockdove.wire import im_pb2 as pb

ROOM: Final = 4  # members of a group, at most
NAMES_IN_NOTICE: Final = 1
RANKS: Final = ["MEMBER", "ADMIN", "OWNER"]
NOTICES: Final = {
    "name": "group.renamed",
    "announcement": "group.announced",
    "avatar_url": "group.avatar",
    "policy": "group.policy",
}


class Refused(Exception):
    """With a Code."""

    def __init__(self, code: int) -> None:
        self.code = code


def require(condition: bool, code: int = pb.PERMISSION_DENIED) -> None:
    if not condition:
        raise Refused(code)


@dataclass
class GroupModel:
    """One group. Users are names."""

    fields: dict[str, Any]  # name, announcement, avatar_url, policy
    roles: dict[str, str] = field(default_factory=dict)  # of present members
    muted: dict[str, int] = field(default_factory=dict)  # until when, of those in `roles`; of everyone under ""
    asking: set[str] = field(default_factory=set)
    dissolved_by: str = ""
    version: int = 1
    log: list[tuple[Any, ...]] = field(default_factory=list)
    seen: dict[str, set[int]] = field(default_factory=dict)  # seqs

    @property
    def policy(self) -> GroupPolicy:
        policy: GroupPolicy = self.fields["policy"]
        return policy

    @property
    def owner(self) -> str:
        return self.dissolved_by or next(name for name, role in self.roles.items() if role == "OWNER")

    def write(self, *entry: Any) -> None:
        self.log.append(entry)
        for name in self.roles:
            self.seen.setdefault(name, set()).add(len(self.log))

    def tell(self, kinds: str | tuple[str, str], actor: str, users: Iterable[str] = (), text: str = "") -> None:
        first, further = (kinds, kinds) if isinstance(kinds, str) else kinds
        users = list(users)
        self.write(first, actor, users[:NAMES_IN_NOTICE], text)
        while users := users[NAMES_IN_NOTICE:]:
            self.write(further, actor, users[:NAMES_IN_NOTICE], text)

    # -- rights

    def rank(self, name: str) -> int:
        """Raises Refused for who is no member of a living group."""
        require(not self.dissolved_by, pb.NOT_FOUND)
        require(name in self.roles)
        return RANKS.index(self.roles[name])

    def require_admin(self, name: str) -> None:
        require(self.rank(name) > 0)

    # -- what may be done

    def add(self, actor: str, users: list[str], text: str = "") -> None:
        self.asking.difference_update(users)
        for user in users:
            self.roles[user] = "MEMBER"
            if self.policy.history_for_new:
                self.seen[user] = set(range(1, len(self.log) + 1))
        self.version += 1
        self.tell("group.joined", actor, users, text)

    def drop(self, kind: str, actor: str, users: list[str], text: str = "") -> None:
        self.version += 1
        self.tell(kind, actor, users, text)
        for user in users:
            del self.roles[user]
            self.muted.pop(user, None)

    def join(self, actor: str) -> bool:
        """Say whether the admins are told of a request."""
        require(not self.dissolved_by, pb.NOT_FOUND)
        if actor in self.roles:
            return False
        require(self.policy.join is not Join.INVITE)
        if self.policy.join is Join.OPEN:
            require(len(self.roles) < ROOM, pb.FAILED_PRECONDITION)
            self.add(actor, [actor])
            return False
        new = actor not in self.asking
        self.asking.add(actor)
        return new

    def answer(self, actor: str, user: str, accept: bool) -> bool:
        """Say whether he is told of a refusal."""
        self.require_admin(actor)
        if not accept:
            asked = user in self.asking
            self.asking.discard(user)
            return asked
        if user not in self.roles:
            require(user in self.asking, pb.NOT_FOUND)
            require(len(self.roles) < ROOM, pb.FAILED_PRECONDITION)
            self.add(actor, [user])
        return False

    def leave(self, actor: str) -> None:
        require(not self.dissolved_by, pb.NOT_FOUND)
        if actor in self.asking:
            self.asking.remove(actor)
        elif actor in self.roles:
            require(actor != self.owner, pb.FAILED_PRECONDITION)
            self.drop("group.left", actor, [actor])
        else:
            require(bool(self.seen.get(actor)))

    def invite(self, actor: str, users: list[str], unreachable: set[str]) -> None:
        """`unreachable` are those whom the actor may not turn to."""
        require(self.rank(actor) > 0 or self.policy.members_invite)
        users = [user for user in users if user not in self.roles]
        require(len(self.roles) + len(users) <= ROOM or not users, pb.FAILED_PRECONDITION)
        require(not unreachable.intersection(users))
        if users:
            self.add(actor, users, "welcome")

    def kick(self, actor: str, users: list[str]) -> None:
        self.require_admin(actor)
        users = [user for user in users if user in self.roles]
        require(all(self.rank(user) < self.rank(actor) for user in users))
        if users:
            self.drop("group.kicked", actor, users, "go away")

    def dissolve(self, actor: str) -> None:
        if actor == self.dissolved_by:
            return
        require(self.rank(actor) == 2)
        self.tell("group.dissolved", actor)
        self.dissolved_by = actor
        self.roles.clear()
        self.version += 1

    def update(self, actor: str, changes: dict[str, Any]) -> None:
        self.require_admin(actor)
        heir = changes.get("owner", self.owner)
        if heir != self.owner:
            require(actor == self.owner)
            require(heir in self.roles, pb.NOT_FOUND)
        news = [
            (kind, changes[name]) for name, kind in NOTICES.items() if changes.get(name, self.fields[name]) != self.fields[name]
        ]
        self.fields.update({name: changes[name] for name in NOTICES if name in changes})
        self.version += bool(news or heir != self.owner)
        for kind, value in news:
            self.tell(kind, actor, [], value if isinstance(value, str) else "")
        if heir != self.owner:
            self.roles |= {self.owner: "ADMIN", heir: "OWNER"}
            self.muted.pop(heir, None)
            self.tell("group.owner", actor, [heir])

    def role(self, actor: str, user: str, role: str) -> None:
        self.require_admin(actor)
        require(user in self.roles, pb.NOT_FOUND)
        if self.roles[user] != role:
            require(actor == self.owner)
            require(actor != user, pb.INVALID_ARGUMENT)
            self.roles[user] = role
            self.version += 1
            self.tell("group.role", actor, [user], role.lower())

    def mute(self, actor: str, user: str, seconds: int, now_ms: int) -> None:
        """A `user` of "" is everyone but the admins."""
        self.require_admin(actor)
        if user:
            require(user in self.roles, pb.NOT_FOUND)
            require(self.rank(user) < self.rank(actor))
        before = self.muted.get(user, 0)
        after = now_ms + 1000 * seconds if seconds else 0
        if before != after and (seconds or before > now_ms):
            self.muted[user] = after
            self.version += 1
            users = [user] if user else []
            self.tell(*(("group.muted", actor, users, str(seconds)) if seconds else ("group.unmuted", actor, users)))

    def post(self, actor: str, everyone: bool, now_ms: int) -> None:
        """`everyone`: mentions @all."""
        member = self.rank(actor) == 0
        require(now_ms >= self.muted.get(actor, 0))
        require(not (member and self.policy.only_admins_post))
        require(not (member and now_ms < self.muted.get("", 0)))
        require(not (member and everyone))
        self.write("post", actor)
