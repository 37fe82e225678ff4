"""What the notices in a group's log say: who was in it, and who might write, place by place (protocol §7)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from rockdove.wire import im_pb2 as pb

MEMBER, ADMIN, OWNER = pb.GroupRole.MEMBER, pb.GroupRole.ADMIN, pb.GroupRole.OWNER


@dataclass(frozen=True)
class State:
    """A group after one of its notices. Mutes are taken to last for ever."""

    roles: Mapping[str, int]  # by user, of the members
    muted: frozenset[str] = frozenset()
    hushed: bool = False  # everyone but the admins is muted
    dissolved: bool = False

    def may_post(self, user: str) -> bool:
        """Whether the user may write now."""
        role = self.roles.get(user)
        return not (role is None or self.dissolved or user in self.muted or (self.hushed and role == MEMBER))

    def after(self, notice: pb.Notice) -> "State":
        """What the notice makes of it."""
        return _CHANGES[notice.kind](self, notice)


def _came(state: State, notice: pb.Notice) -> State:
    return replace(state, roles=dict.fromkeys(notice.users, MEMBER) | dict(state.roles))


def _went(state: State, notice: pb.Notice) -> State:
    roles = {user: role for user, role in state.roles.items() if user not in notice.users}
    return replace(state, roles=roles, muted=state.muted.difference(notice.users))


def _muted(state: State, notice: pb.Notice) -> State:
    return replace(state, muted=state.muted.union(notice.users), hushed=state.hushed or not notice.users)


def _unmuted(state: State, notice: pb.Notice) -> State:
    return replace(state, muted=state.muted.difference(notice.users), hushed=state.hushed and bool(notice.users))


def _handed_over(state: State, notice: pb.Notice) -> State:
    (heir,) = notice.users
    return replace(state, roles={**state.roles, notice.actor: ADMIN, heir: OWNER}, muted=state.muted - {heir})


_CHANGES: Final[Mapping[str, Callable[[State, pb.Notice], State]]] = {
    "group.created": lambda _, notice: State(dict.fromkeys(notice.users, MEMBER) | {notice.actor: OWNER}),
    "group.joined": _came,
    "group.left": _went,
    "group.kicked": _went,
    "group.dissolved": lambda state, _: replace(state, roles={}, dissolved=True),
    "group.role": lambda s, n: replace(s, roles={**s.roles, n.users[0]: ADMIN if n.text == "admin" else MEMBER}),
    "group.owner": _handed_over,
    "group.muted": _muted,
    "group.unmuted": _unmuted,
}


class GroupLog:
    """One group, as far as its log is known."""

    def __init__(self, notices: Mapping[int, pb.Notice], last_seq: int, *, history_for_new: bool) -> None:
        """`notices` by seq; `history_for_new` is the group's policy."""
        self.states = [State({})]  # after each seq
        self.idle: list[int] = []  # seqs of notices that tell what was so already
        self._spans: dict[str, list[tuple[int, int]]] = {}  # by user: closed ones
        since: dict[str, int] = {}  # by present member: after which seq he sees
        for seq in range(1, last_seq + 1):
            before = self.states[-1]
            state = before.after(notices[seq]) if seq in notices else before
            if seq in notices and state == before and notices[seq].kind != "group.muted":
                self.idle.append(seq)
            for user in state.roles.keys() - before.roles.keys():
                since[user] = 0 if history_for_new else seq - 1
            for user in before.roles.keys() - state.roles.keys():
                self._spans.setdefault(user, []).append((since.pop(user), seq))
            self.states.append(state)
        for user, after in since.items():
            self._spans.setdefault(user, []).append((after, last_seq))

    def may_see(self, user: str, seq: int) -> bool:
        """Whether the message at `seq` is for the user: from his joining to his leaving notice, both included."""
        return any(after < seq <= through for after, through in self._spans.get(user, ()))

    def between(self, low: int, high: int) -> list[State]:
        """The states that the group went through from after seq `low` to after seq `high`."""
        return self.states[low : high + 1]


def holds(request: pb.Group, actor: str, state: State) -> bool:
    """Whether what was asked for is so."""
    operation = request.WhichOneof("op")
    match operation:
        case "create":
            return bool(state.roles) or state.dissolved
        case "join":
            return actor in state.roles
        case "leave":
            return actor not in state.roles
        case "invite":
            return set(request.invite.users) <= {actor, *state.roles}
        case "kick":
            return state.roles.keys().isdisjoint(request.kick.users)
        case "dissolve":
            return state.dissolved
        case "role":
            return state.roles.get(request.role.user) == request.role.role
        case "mute":
            muted = request.mute.user in state.muted if request.mute.user else state.hushed
            return muted == bool(request.mute.seconds)
        case _:
            raise ValueError(operation)


def tells_of(notice: pb.Notice, request: pb.Group) -> bool:
    """Whether the notice can be news of this request."""
    users = set(notice.users)
    match request.WhichOneof("op"):
        case "create":
            return notice.kind == "group.created" and users <= set(request.create.members)
        case "join":
            return notice.kind == "group.joined" and users == {notice.actor}
        case "leave":
            return notice.kind == "group.left" and users == {notice.actor}
        case "invite":
            return notice.kind == "group.joined" and users <= set(request.invite.users)
        case "kick":
            return notice.kind == "group.kicked" and users <= set(request.kick.users)
        case "dissolve":
            return notice.kind == "group.dissolved"
        case "role":
            kinds = {"group.owner"} if request.role.role == OWNER else {"group.role"}
            return notice.kind in kinds and users == {request.role.user}
        case "mute":
            kind = "group.muted" if request.mute.seconds else "group.unmuted"
            return notice.kind == kind and users == ({request.mute.user} if request.mute.user else set())
        case _:
            return False
