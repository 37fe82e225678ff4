"""Drives a store and the model of groups, contacts and changed messages side by side, and compares all that can be read."""

from asyncio import Runner
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rockdove.core.errors import StoreUnavailable
from rockdove.core.msgid import first_msgid
from rockdove.core.ports import Store, View
from rockdove.core.records import (
    GROUPS_END,
    NO_RETENTION,
    OPEN,
    Append,
    Batch,
    Change,
    Contact,
    ContactState,
    Draft,
    DropJoinRequest,
    Effect,
    EndMembers,
    Group,
    HideMessages,
    Join,
    JoinRequest,
    KickDevice,
    Member,
    MoveRead,
    NoteEdit,
    Outcome,
    PutContact,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Rewrite,
    Role,
    User,
    single_conversation,
    single_members,
)
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import TENANTS, Backend
from tests.contract.changes import IfMember, change_of
from tests.contract.group_model import GroupModel, Installation, expanded, message_of
from tests.contract.machine import EVERYTHING, START_MS, breakdowns, commit

USERS: Final = TENANTS[NO_RETENTION]
DEVICES: Final = ["", "phone"]
GROUPS: Final = 3  # at most
STEP: Final = 1024  # from one msgid to the next


class GroupMachine(RuleBasedStateMachine):
    """Random groups, contacts, messages and changes of them in one store."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        super().__init__()
        self.backend = make_backend()
        self.runner = Runner()
        self.now_ms = START_MS
        self.msgid = first_msgid(START_MS)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @property
    def store(self) -> Store:
        return self.backend.store

    @initialize()
    def begin(self) -> None:
        (tenant,) = [t for t in self.run(self.backend.accounts.tenants()) if t.retention_days == NO_RETENTION]
        self.tenant = tenant.id
        self.users: list[User] = list(self.run(self.backend.accounts.users(tenant.id, "", EVERYTHING)))
        self.model = GroupModel(self.users)

    def teardown(self) -> None:
        self.runner.close()
        self.backend.close()

    @rule(number=st.integers(0, 2), name=st.sampled_from(DEVICES))
    def log_in(self, number: int, name: str) -> None:
        self._device(self.users[number], name)

    def _device(self, user: User, name: str) -> Installation:
        opened = self.run(self.store.open_device(user.id, name, "test", self.now_ms))
        device = next((d for d in self.model.devices if (d.user, d.name) == (user.id, name)), None)
        if device is None:
            device = Installation(opened.id, user.id, name)
            for sibling in self.model.devices:
                if sibling.user == user.id:
                    for conversation, seq in sibling.cursors.items():
                        device.cursors[conversation] = max(seq, device.cursors.get(conversation, 0))
            self.model.devices.append(device)
        assert (opened.id, opened.last_seqid, opened.kicked_ms) == (device.id, device.last_seqid, device.kicked_ms)
        return device

    # -- a batch: each step is applied to a copy of the model at once, so that the next one can build on it

    @rule(data=st.data(), size=st.integers(1, 5), breakdown=st.one_of(st.none(), st.tuples(breakdowns, st.booleans())))
    def commit(self, data: st.DataObject, size: int, breakdown: tuple[int, bool] | None) -> None:
        self.now_ms += 1
        batch = Batch()
        batch.now_ms = self.now_ms
        devices = {user.id: self._device(user, data.draw(st.sampled_from(DEVICES))).id for user in self.users}
        before, self.model = self.model, deepcopy(self.model)
        expected: list[tuple[Draft, tuple[Outcome, int, int]]] = []
        for _ in range(size):
            step = data.draw(st.sampled_from(self._possible()))
            draft, change = step(data, devices)
            if change is not None:
                batch.changes.append((len(batch.messages), change))
            elif draft is not None:
                batch.messages.append(draft[0])
            if draft is not None:
                expected.append(draft)
        for device in self.model.devices:
            if data.draw(st.booleans()) and self.model.logs:
                conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
                seq = data.draw(st.integers(0, self.model.last_seq(conversation)))
                batch.cursors[device.id, conversation] = seq
                device.cursors[conversation] = max(seq, device.cursors.get(conversation, 0))
        with self.backend.failing(breakdown[0], rolled_back=breakdown[1]) if breakdown else nullcontext():
            error = commit(self.store, batch)
        if error is not None:
            assert breakdown
            assert isinstance(error, StoreUnavailable)
            self.model = before
            return
        for draft, (outcome, msgid, seq) in expected:
            assert draft.outcome is outcome
            if outcome is not Outcome.REFUSED:
                assert (draft.msgid, draft.seq) == (msgid, seq)
        for _, change in batch.changes:
            if change.refusal is not None:
                assert change.refusal.__cause__ is None, "the view is not what it should be"

    def _possible(self) -> list[Callable[..., Any]]:
        steps = [self._post, self._put_contact, self._refuse, self._kick]
        if len(self.model.groups) < GROUPS:
            steps.append(self._create)
        if any(self.model.lives(conversation) for conversation in self.model.groups):
            steps += [self._post_to_group] * 3 + [self._join, self._join, self._end, self._end, self._update, self._ask]
        if self.model.logs:
            steps += [self._read, self._hide] + [self._amend] * 3
        return steps

    def _next_msgid(self) -> int:
        self.msgid += STEP
        return self.msgid

    def _draft(self, user: User, conversation: int, device: int, seqid: int, message: pb.Message, msgid: int) -> Draft:
        sender_field = codec.sender_field(user.name) if user.id else b""
        permit = IfMember(conversation, user.id) if conversation < GROUPS_END else None
        draft = Draft(self.tenant, conversation, user.id, sender_field, device, seqid, codec.canonical(message), None, permit)
        draft.msgid = msgid
        return draft

    def _notice(self, conversation: int) -> Append:
        message = pb.Message(type=pb.NOTICE, chat=pb.GROUP_CHAT, to=f"g{conversation}", payload=b"news")
        draft = self._draft(User(0, self.tenant, ""), conversation, 0, 0, message, self._next_msgid())
        draft.permit = None
        return Append(draft)

    def _change(self, *effects: Effect) -> tuple[None, Change]:
        change = change_of(*effects, look=self._look())
        self.model.carry_out(effects)
        return None, change

    def _look(self) -> Callable[[View], Coroutine[Any, Any, None]]:
        """The view within the transaction is what the model says at this place in the batch."""
        model = deepcopy(self.model)
        return lambda view: compare_view(view, model)

    # -- the steps

    def _post(self, data: st.DataObject, devices: dict[int, int], conversation: int | None = None) -> Any:
        user = data.draw(st.sampled_from(self.users))
        other = data.draw(st.sampled_from(self.users))
        conversation = conversation or single_conversation(user.id, other.id)
        kind = data.draw(st.sampled_from([pb.TXT, pb.TXT, pb.IMAGE, pb.REACTION]))
        words = data.draw(st.sampled_from([b"one", b"two"]))
        message = pb.Message(type=kind, to="somebody", payload=words)
        seqid = data.draw(st.integers(0, 5))
        draft = self._draft(user, conversation, devices[user.id], seqid, message, self._next_msgid())
        allowed = conversation >= GROUPS_END or user.id in [m.user for m in self.model.present(conversation)]
        return (draft, self.model.store(draft, allowed)), None

    def _post_to_group(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        return self._post(data, devices, data.draw(st.sampled_from(sorted(self.model.groups))))

    def _living(self, data: st.DataObject) -> Group:
        living = [group for _, group in sorted(self.model.groups.items()) if not group.dissolved]
        return data.draw(st.sampled_from(living))

    def _create(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        conversation = max(self.model.groups, default=0) + 1
        owner = data.draw(st.sampled_from(self.users)).id
        group = Group(conversation, self.tenant, f"g{conversation}", "Name", owner, self.now_ms, size=1)
        member = Member(conversation, owner, Role.OWNER, self.now_ms, 0)
        return self._change(PutGroup(group), PutMembers.of(member), self._notice(conversation))

    def _join(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        """A new member, or a present one's new role."""
        conversation = self._living(data).conversation
        user = data.draw(st.sampled_from(self.users)).id
        role = data.draw(st.sampled_from(list(Role)))
        if present := self.model.members.get((conversation, user)):
            return self._change(PutMembers.of(present._replace(role=role, muted_until_ms=self.now_ms)))
        after_seq = data.draw(st.sampled_from([0, self.model.last_seq(conversation)]))
        put = PutMembers.of(Member(conversation, user, role, self.now_ms, after_seq))
        effects = [put, self._notice(conversation), DropJoinRequest(conversation, user)]
        return self._change(*(effects if data.draw(st.booleans()) else [effects[1], effects[0]]))

    def _end(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        """A member goes, or the whole group does."""
        group = self._living(data)
        conversation, last_seq = group.conversation, self.model.last_seq(group.conversation)
        notice = self._notice(conversation)
        present = [member.user for member in self.model.present(conversation)]
        if not present or data.draw(st.integers(0, 5)) == 0:
            return self._change(notice, PutGroup(replace(group, dissolved=True, size=0, version=group.version + 1)))
        user = data.draw(st.sampled_from(present))
        ways: list[list[Effect]] = [
            [EndMembers(conversation, (user,), last_seq + 1), notice],
            [notice, EndMembers(conversation, (user,), last_seq + 1)],
            [EndMembers(conversation, (user,), last_seq)],
        ]
        return self._change(*data.draw(st.sampled_from(ways)))

    def _update(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        group = self._living(data)
        policy = replace(group.policy, join=data.draw(st.sampled_from(list(Join))), only_admins_post=True)
        return self._change(PutGroup(replace(group, name="Other", policy=policy, version=group.version + 1)))

    def _ask(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        conversation, user = self._living(data).conversation, data.draw(st.sampled_from(self.users)).id
        if data.draw(st.booleans()):
            return self._change(PutJoinRequest(JoinRequest(conversation, user, self.now_ms)))
        return self._change(DropJoinRequest(conversation, user))

    def _amend(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        """A recall or an edit; it comes as a message itself, and may be refused."""
        conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
        target = data.draw(st.sampled_from(self.model.logs[conversation].messages))
        user = data.draw(st.sampled_from(self.users))
        kind, refused = data.draw(st.sampled_from([pb.RECALL, pb.EDIT])), data.draw(st.booleans())
        words = pb.Change(msgid=target.msgid, payload=b"longer than it was").SerializeToString()
        message = pb.Message(type=kind, to="somebody", payload=words)
        seqid = data.draw(st.integers(0, 5))
        draft = self._draft(user, conversation, devices[user.id], seqid, message, self._next_msgid())
        content = message_of(target.record)
        if kind == pb.RECALL:
            effects: list[Effect] = [Rewrite(target.msgid, codec.tombstone(target.record))]
        elif content.removed:
            effects = []
        else:
            content.edited.ParseFromString(words)
            effects = [Rewrite(target.msgid, content.SerializeToString()), NoteEdit(target.msgid, draft.msgid)]
        change = change_of(*effects, refused=refused, draft=draft, look=self._look())
        if not refused and (draft.device, seqid) not in self.model.requests:
            self.model.carry_out(effects)
        return (draft, self.model.store(draft, not refused)), change

    def _of_somebody(self, data: st.DataObject) -> tuple[int, int]:
        """A conversation, and one who is or was in it."""
        conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
        if conversation >= GROUPS_END:
            return conversation, data.draw(st.sampled_from(single_members(conversation)))
        ever = {user for of, user in (*self.model.members, *self.model.times) if of == conversation}
        return conversation, data.draw(st.sampled_from(sorted(ever)))

    def _read(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        conversation, user = self._of_somebody(data)
        return self._change(MoveRead(user, conversation, data.draw(st.integers(0, self.model.last_seq(conversation)))))

    def _hide(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        conversation, user = self._of_somebody(data)
        kept = [message.seq for message in self.model.logs[conversation].kept]
        seqs = tuple(data.draw(st.lists(st.sampled_from(kept), max_size=2))) if kept else ()
        through = data.draw(st.one_of(st.just(0), st.integers(0, self.model.last_seq(conversation))))
        return self._change(HideMessages(user, conversation, seqs, through))

    def _put_contact(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        user, peer = data.draw(st.sampled_from(self.users)).id, data.draw(st.sampled_from(self.users)).id
        version = max((contact.version for contact in self.model.roster(user)), default=0) + 1
        state, blocked = data.draw(st.sampled_from(list(ContactState))), data.draw(st.booleans())
        return self._change(PutContact(Contact(user, peer, state, blocked, "remark", "hi", self.now_ms, version)))

    def _kick(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        device = data.draw(st.sampled_from(self.model.devices))
        return self._change(KickDevice(device.id, self.now_ms))

    def _refuse(self, data: st.DataObject, devices: dict[int, int]) -> Any:
        return None, change_of(refused=True, look=self._look())

    # -- what else happens

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.backend.restart(clean=clean)

    @precondition(lambda self: self.model.logs)
    @rule(data=st.data(), limit=st.integers(1, 5))
    def cut(self, data: st.DataObject, limit: int) -> None:
        self.run(self.store.spans(0, 0, EVERYTHING))
        conversation = data.draw(st.sampled_from(sorted(self.model.logs)))
        through = data.draw(st.integers(0, self.model.last_seq(conversation)))
        count = self.run(self.store.cut(conversation, through, 1 << 62, limit))
        assert 0 <= count <= limit
        self.model.cut(conversation, count)
        assert self.model.logs[conversation].kept_after <= max(through, self.model.logs[conversation].kept_after - count)

    @invariant()
    def store_and_model_agree(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        store, model = self.store, self.model
        await compare_view(store, model)
        for user in model.names:
            await self._compare_user(user)
        for conversation in model.groups:
            present = [(model.names[member.user], member) for member in model.present(conversation)]
            assert list(await store.members(conversation, 0, EVERYTHING)) == present
            assert list(await store.members(conversation, 1, 1)) == [pair for pair in present if pair[1].user > 1][:1]
            assert sorted(await store.admins(conversation)) == model.admins(conversation)
            asking = [(model.names[u], r) for (c, u), r in sorted(model.join_requests.items()) if c == conversation]
            assert list(await store.join_requests(conversation, 0, EVERYTHING)) == asking
            for seq in range(1, model.last_seq(conversation) + 1):
                assert await store.read_marks(conversation, seq, 0, EVERYTHING) == model.read_marks(conversation, seq)
        for conversation, log in model.logs.items():
            assert list(await store.messages(conversation, 0, 0, EVERYTHING)) == log.kept
        assert list(await store.spans(0, 0, EVERYTHING)) == model.spans()

    async def _compare_user(self, user: int) -> None:
        store, model = self.store, self.model
        assert [conversation for conversation, _ in await store.groups_of(user)] == model.groups_of(user)
        memberships = [(model.groups[c], model.members[c, user]) for c in model.groups_of(user)]
        assert list(await store.groups(user, 0, EVERYTHING)) == memberships
        assert list(await store.groups(user, 1, 1)) == [pair for pair in memberships if pair[0].conversation > 1][:1]
        pairs = [(user, peer) for peer in model.names]
        assert await store.contacts_between(pairs) == {pair: model.contacts.get(pair, Contact(*pair)) for pair in pairs}
        towards = {of: contact for (of, peer), contact in model.contacts.items() if peer == user}
        assert await store.sides_towards(user, [*model.names, max(model.names) + 1]) == towards
        roster = [(model.names[contact.peer], contact) for contact in model.roster(user)]
        assert list(await store.contacts(user, 0, EVERYTHING)) == roster
        assert list(await store.contacts(user, 2, 1)) == [pair for pair in roster if pair[1].version > 2][:1]
        assert set(await store.friends(user)) == model.friends(user)
        mine = sorted((device for device in model.devices if device.user == user), key=lambda device: device.name)
        assert [(state.id, state.name) for state in await store.devices(user)] == [(d.id, d.name) for d in mine]
        for device in mine:
            await self._compare_device(device, mine)
            caller = await store.caller(self.tenant, model.names[user], device.name)
            assert caller is not None
            assert (caller.user.id, caller.device) == (user, await store.device(user, device.name))
            assert caller.kicked_ms == device.kicked_ms
            assert caller.has_conversations or not (model.groups_of(user) or model.owed(device))

    async def _compare_device(self, device: Installation, siblings: list[Installation]) -> None:
        store, model, user = self.store, self.model, device.user
        assert list(await store.owed(user, device.id)) == model.owed(device)
        assert list(await store.summaries(user, device.id, None, EVERYTHING)) == model.summaries(device)
        for conversation, log in model.logs.items():
            position = await store.position(user, device.id, conversation)
            assert position.cursor == device.cursors.get(conversation, 0)
            assert position.delivered == max(sibling.cursors.get(conversation, 0) for sibling in siblings)
            assert expanded(position.visible, log.last_seq) == model.seen(user, conversation)
            hidden = {seq for of, c, seq in model.hidden if (of, c) == (user, conversation)}
            assert position.hides == bool(hidden)
            assert await store.hidden(user, conversation, 0, log.last_seq) == hidden
            assert await store.hidden(user, conversation, 2, 3) == hidden & {3}
            assert await store.read_seq(user, conversation) == model.reads.get((user, conversation), 0)


async def compare_view(view: View, model: GroupModel) -> None:
    """All that permits and rules can see."""
    assert await view.new_group() > max(model.groups, default=0)
    for conversation, group in model.groups.items():
        assert await view.group(conversation) == group
        assert await view.group_named(group.tenant, group.id) == group
        present = {member.user: member for member in model.present(conversation)}
        for user in model.names:
            assert await view.member(conversation, user) == present.get(user)
            assert await view.join_request(conversation, user) == model.join_requests.get((conversation, user))
        some = [*list(model.names)[::2], max(model.names) + 1]
        assert await view.roles_among(conversation, some) == {user: present[user].role for user in some if user in present}
        assert set(await view.askers_among(conversation, some)) == {u for u in some if (conversation, u) in model.join_requests}
    for conversation, log in model.logs.items():
        assert await view.last_seq(conversation) == log.last_seq
        for user in model.names:
            spans = await view.visible(user, conversation)
            assert expanded(spans, log.last_seq) == model.seen(user, conversation)
            bounds = [seq for span in spans for seq in span]
            assert bounds == sorted(set(bounds)), "spans go upwards and do not touch"
            is_open = any(through == OPEN for _, through in model.was_in(user, conversation))
            assert bool(spans and spans[-1][1] == OPEN) == is_open
        for message in log.messages:
            found = await view.located(message.msgid)
            if message in log.kept:
                assert found == (conversation, message.seq, message.sender, message.record)
            else:
                assert found is None
            assert set(await view.edits(message.msgid)) == model.edits.get(message.msgid, set())
    for user in model.names:
        assert await view.contact_version(user) == max((c.version for c in model.roster(user)), default=0)
        noted = [c for c in model.roster(user) if c.state != ContactState.NONE or c.blocked]
        assert await view.contact_count(user) == len(noted)
        for peer in model.names:
            assert await view.contact(user, peer) == model.contacts.get((user, peer), Contact(user, peer))
    for device in model.devices:
        found_device = await view.device(device.user, device.name)
        assert found_device is not None
        assert (found_device.id, found_device.kicked_ms) == (device.id, device.kicked_ms)
