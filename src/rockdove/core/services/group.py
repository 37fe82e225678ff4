"""Groups (protocol §7)."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.directory import Directory
from rockdove.core.errors import Refusal, StoreUnavailable, invalid
from rockdove.core.ports import Accounts, Randomness, Scheduler, Store
from rockdove.core.records import GroupPolicy, Join, JoinRequest, Role
from rockdove.core.rules.group import Person
from rockdove.core.rules.group_life import CreateGroup, DissolveGroup
from rockdove.core.rules.group_membership import AnswerRequest, InviteUsers, JoinGroup, KickUsers, LeaveGroup
from rockdove.core.rules.group_settings import Mute, SetRole, UpdateGroup
from rockdove.core.rules.posting import no_user
from rockdove.core.services.group_queries import GroupQueries, group_info
from rockdove.core.services.pending import Pending
from rockdove.core.services.requests import check_text, find_user, parse
from rockdove.wire import codec, names
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import ANNOUNCEMENT_BYTES, AVATAR_URL_BYTES, DISPLAY_NAME_BYTES, GREETING_BYTES

if TYPE_CHECKING:
    from rockdove.core.session import Session


class GroupService:
    """Changes groups, and tells what they are."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        directory: Directory,
        fanout: Fanout,
        scheduler: Scheduler,
        randomness: Randomness,
        group_max_members: int,
        max_frame_bytes: int,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._directory = directory
        self._fanout = fanout
        self._scheduler = scheduler
        self._randomness = randomness
        self._group_max_members = group_max_members
        self._queries = GroupQueries(store, accounts, directory, max_frame_bytes)
        self._operations: dict[str | None, Callable[[Session, Any], Awaitable[bytes | Pending]]] = {
            "create": self._create,
            "info": self._queries.info,
            "join": self._join,
            "leave": self._leave,
            "invite": self._invite,
            "kick": self._kick,
            "dissolve": self._dissolve,
            "update": self._update,
            "role": self._role,
            "mute": self._mute,
            "members": self._queries.members,
            "list": self._queries.mine,
            "answer": self._answer,
            "requests": self._queries.requests,
        }

    async def serve(self, session: "Session", payload: bytes) -> bytes | Pending:
        """Response.payload to a GROUP request, or what is to be stored first. Raises Refusal."""
        group = parse(pb.Group, payload)
        operation = group.WhichOneof("op")
        serve = self._operations.get(operation)
        if operation is None or serve is None:
            raise invalid("this Group holds no operation that is known here")
        return await serve(session, getattr(group, operation))

    # -- beginning and end

    async def _create(self, session: "Session", create: pb.GroupCreate) -> Pending:
        if create.id and not names.is_name(create.id):
            raise invalid(f"`id` is not a legal name: use {names.RULE}, or leave it to the server")
        check_text("name", create.name, DISPLAY_NAME_BYTES)
        rule = CreateGroup(
            session.tenant,
            _actor(session),
            create.id or self._randomness.token(),
            create.name,
            _read_policy(create.policy),
            await self._others(session, create.members),
            self._group_max_members,
        )
        return Pending(
            rule,
            rule.notices,
            answer=lambda: group_info(rule.group, session.name, Role.OWNER).SerializeToString(),
        )

    async def _dissolve(self, session: "Session", dissolve: pb.GroupRef) -> Pending:
        conversation = await self._queries.conversation(session, dissolve.id)
        rule = DissolveGroup(_actor(session), conversation)
        return Pending(rule, rule.notices)

    # -- coming and going

    async def _join(self, session: "Session", join: pb.GroupRef) -> Pending:
        conversation = await self._queries.conversation(session, join.id)
        rule = JoinGroup(_actor(session), conversation, self._group_max_members)
        return Pending(rule, rule.notices, tell=partial(self._tell_of_request, join.id, session.name, rule))

    def _tell_of_request(self, group_id: str, asker: str, rule: JoinGroup) -> None:
        if rule.asked is not None:
            event = _request_event(group_id, asker, rule.asked)
            self._scheduler.spawn(self._tell_admins(rule.asked.conversation, event))

    async def _tell_admins(self, conversation: int, event: bytes) -> None:
        try:
            admins = await self._store.admins(conversation)
        except StoreUnavailable:
            return  # they find the request in their list
        for admin in admins:
            self._fanout.to_user(admin, event)

    async def _answer(self, session: "Session", answer: pb.GroupAnswer) -> Pending:
        conversation = await self._queries.conversation(session, answer.id)
        check_text("reason", answer.reason, GREETING_BYTES)
        asker = await self._person(session, answer.user, active=answer.accept)
        rule = AnswerRequest(_actor(session), conversation, asker, self._group_max_members, accept=answer.accept)

        def tell() -> None:
            if rule.refused is not None:
                event = _request_event(answer.id, asker.name, rule.refused, refused=True, reason=answer.reason)
                self._fanout.to_user(asker.id, event)

        return Pending(rule, rule.notices, tell=tell)

    async def _invite(self, session: "Session", invite: pb.GroupUsers) -> Pending:
        conversation = await self._queries.conversation(session, invite.id)
        check_text("reason", invite.reason, GREETING_BYTES)
        users = await self._others(session, invite.users)
        rule = InviteUsers(session.tenant, _actor(session), conversation, users, invite.reason, self._group_max_members)
        return Pending(rule, rule.notices)

    async def _leave(self, session: "Session", leave: pb.GroupRef) -> Pending:
        conversation = await self._queries.conversation(session, leave.id)
        rule = LeaveGroup(_actor(session), conversation)
        return Pending(rule, rule.notices)

    async def _kick(self, session: "Session", kick: pb.GroupUsers) -> Pending:
        conversation = await self._queries.conversation(session, kick.id)
        check_text("reason", kick.reason, GREETING_BYTES)
        if session.name in kick.users:
            raise invalid("you are among `users`: leave the group instead")
        users = await self._others(session, kick.users, active=False)
        rule = KickUsers(_actor(session), conversation, users, kick.reason)
        return Pending(rule, rule.notices)

    # -- settings

    async def _update(self, session: "Session", update: pb.GroupUpdate) -> Pending:
        conversation = await self._queries.conversation(session, update.id)
        check_text("name", update.name, DISPLAY_NAME_BYTES)
        check_text("avatar_url", update.avatar_url, AVATAR_URL_BYTES)
        if not names.is_display_lines(update.announcement, ANNOUNCEMENT_BYTES):
            advice = f"use at most {ANNOUNCEMENT_BYTES} bytes without control characters other than line feeds and tabs"
            raise invalid(f"`announcement` is not to be shown: {advice}")
        heir = await self._person(session, update.owner) if update.HasField("owner") else None
        rule = UpdateGroup(
            _actor(session),
            conversation,
            name=update.name if update.HasField("name") else None,
            announcement=update.announcement if update.HasField("announcement") else None,
            avatar_url=update.avatar_url if update.HasField("avatar_url") else None,
            policy=_read_policy(update.policy) if update.HasField("policy") else None,
            owner=heir,
        )
        group = await self._store.group(conversation)
        assert group is not None
        known = {group.owner: await self._queries.owner(group), session.user: session.name}
        if heir is not None:
            known[heir.id] = heir.name

        def answer() -> bytes:
            role = Role.OWNER if rule.group.owner == session.user else Role.ADMIN
            # Where two hand-overs meet in one batch, the new owner may be unknown here: his notice tells his name.
            return group_info(rule.group, known.get(rule.group.owner, ""), role).SerializeToString()

        return Pending(rule, rule.notices, answer)

    async def _role(self, session: "Session", change: pb.GroupRole) -> Pending:
        conversation = await self._queries.conversation(session, change.id)
        if change.role not in pb.GroupRole.Role.values():
            raise invalid(f"role {change.role} is not known here")
        person = await self._person(session, change.user, active=change.role == pb.GroupRole.OWNER)
        rule: UpdateGroup | SetRole
        if change.role == pb.GroupRole.OWNER:
            rule = UpdateGroup(_actor(session), conversation, owner=person)
        else:
            rule = SetRole(_actor(session), conversation, person, Role(change.role))
        return Pending(rule, rule.notices)

    async def _mute(self, session: "Session", mute: pb.GroupMute) -> Pending:
        conversation = await self._queries.conversation(session, mute.id)
        person = await self._person(session, mute.user, active=False) if mute.user else None
        rule = Mute(_actor(session), conversation, person, mute.seconds)
        return Pending(rule, rule.notices)

    # -- users

    async def _others(self, session: "Session", user_names: Iterable[str], *, active: bool = True) -> list[Person]:
        """Each of them once, without whoever asks. Raises Refusal."""
        others = [name for name in dict.fromkeys(user_names) if name != session.name]
        if len(others) > self._group_max_members:
            raise Refusal(
                pb.FAILED_PRECONDITION,
                f"group is full: it has room for {self._group_max_members} members, and {len(others)} were named",
            )
        for name in others:
            _check_name(name)
        found = await self._accounts.ids_named(session.tenant.id, others, removed=not active)
        for name in others:
            if name not in found:
                raise no_user(name)
        return [Person(found[name], name) for name in others]

    async def _person(self, session: "Session", name: str, *, active: bool = True) -> Person:
        """`active` as for `find_user`. Raises Refusal."""
        _check_name(name)
        user = await find_user(self._directory, session, name, active=active)
        return Person(user.id, user.name)


def _check_name(name: str) -> None:
    if not names.is_name(name):
        raise invalid(f"a user's name is not a legal name: use {names.RULE}")


def _actor(session: "Session") -> Person:
    return Person(session.user, session.name)


def _read_policy(policy: pb.GroupPolicy) -> GroupPolicy:
    if policy.join not in pb.GroupPolicy.Join.values():
        raise invalid(f"join policy {policy.join} is not known here")
    return GroupPolicy(Join(policy.join), policy.members_invite, policy.only_admins_post, policy.history_for_new)


def _request_event(group_id: str, asker: str, request: JoinRequest, *, refused: bool = False, reason: str = "") -> bytes:
    event = pb.GroupRequest(id=group_id, user=asker, asked_at=request.asked_ms, refused=refused, reason=reason)
    return codec.event(pb.GROUP, pb.Group(event=event).SerializeToString())
