"""Groups against a small model of them, on the stores that the rules are carried out by."""

from asyncio import Runner
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rockdove.core.msgid import STEP, first_msgid
from rockdove.core.ports import Rule, View
from rockdove.core.records import (
    FOREVER,
    Batch,
    Change,
    Contact,
    ContactState,
    Draft,
    Effect,
    Group,
    GroupPolicy,
    Join,
    PutContact,
    Role,
    Tenant,
    within,
)
from rockdove.core.rules import group as group_rules
from rockdove.core.rules.group import Person
from rockdove.core.rules.group_life import CreateGroup, DissolveGroup
from rockdove.core.rules.group_membership import AnswerRequest, InviteUsers, JoinGroup, KickUsers, LeaveGroup
from rockdove.core.rules.group_settings import Mute, SetRole, UpdateGroup
from rockdove.core.rules.posting import WriteToGroup
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import BACKENDS, TENANTS, Backend, add_accounts
from tests.unit.core.group_model import NAMES_IN_NOTICE, ROOM, GroupModel, Refused, require

USERS: Final = [*TENANTS[FOREVER], "dave", "erin"]
GROUPS: Final = ["team", "club"]
ALL: Final = 1_000_000  # a limit that is never reached
START_MS: Final = 1_750_000_000_000

users = st.sampled_from(USERS)
actors = st.sampled_from(["alice", "alice", "alice", "bob", *USERS])  # those who may do something, above all
groups = st.sampled_from(["team", *GROUPS])
several = st.lists(users, unique=True, max_size=4)
policies = st.builds(GroupPolicy, st.sampled_from(Join), st.booleans(), st.booleans(), st.booleans())
texts = st.sampled_from(["", "A", "B"])
updates = st.fixed_dictionaries(
    {}, optional={"name": texts, "announcement": texts, "avatar_url": texts, "policy": policies, "owner": users}
)


class Step(NamedTuple):
    """What one user does."""

    what: str
    actor: str
    group: str
    detail: tuple[Any, ...] = ()


def step(what: str, *detail: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(what), actors, groups, st.tuples(*detail))


steps = st.one_of(
    step("create", several, policies),
    step("join"),
    step("join"),
    step("leave"),
    step("invite", several),
    step("kick", several),
    step("dissolve"),
    step("update", updates),
    step("role", users, st.sampled_from(["MEMBER", "ADMIN"])),
    step("role", users, st.just("ADMIN")),
    step("mute", st.one_of(users, st.just("")), st.sampled_from([0, 1, 60])),
    step("answer", users, st.booleans()),
    step("post", st.booleans()),
    step("post", st.just(False)),
)


class Asked(NamedTuple):
    """A step on its way into the store, and what the model expects of it."""

    step: Step
    item: Change | Draft
    code: int
    told: bool
    again: bool


class Relate:
    """How one user stands to another, and whether he blocks him."""

    conversation = 0

    def __init__(self, user: int, peer: int, state: ContactState, blocked: bool) -> None:
        self._contact = Contact(user, peer, state, blocked)

    async def decide(self, view: View, now_ms: int, msgids: Any) -> list[Effect]:
        version = await view.contact_version(self._contact.user) + 1
        contact = self._contact
        return [PutContact(Contact(contact.user, contact.peer, contact.state, contact.blocked, version=version))]


class GroupMachine(RuleBasedStateMachine):
    """Five users, two groups."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        super().__init__()
        self.backend = make_backend()
        self.runner = Runner()
        self.now_ms = START_MS
        self.msgid = first_msgid(START_MS)
        self.groups: dict[str, GroupModel] = {}
        self.conversations: dict[str, int] = {}
        self.blocks: set[tuple[str, str]] = set()
        self.friends: set[tuple[str, str]] = set()
        self.strangers = True
        self.ids: dict[str, int] = {}

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(policy=policies)
    def begin(self, policy: GroupPolicy) -> None:
        """One group with two admins is there already."""
        accounts = self.backend.accounts
        self.tenant: Tenant = self.run(accounts.tenant("acme", f"days{FOREVER}"))
        self.run(accounts.add_users(self.tenant.id, [("dave", ""), ("erin", "")], 0))
        self.ids = {name: self.run(accounts.user(self.tenant.id, name)).id for name in USERS}
        self.names = {user: name for name, user in self.ids.items()}
        self.devices = {
            name: self.run(self.backend.store.open_device(user, "", "", self.now_ms)).id for name, user in self.ids.items()
        }
        self.one_batch([Step("create", "alice", "team", (["bob", "carol"], policy))], repeated=False)
        promotions = [Step("role", "alice", "team", (name, "ADMIN")) for name in ("bob", "carol")]
        self.one_batch(promotions, repeated=False)

    def teardown(self) -> None:
        self.runner.close()
        self.backend.close()

    def person(self, name: str) -> Person:
        return Person(self.ids[name], name)

    def people(self, names: list[str]) -> list[Person]:
        return [self.person(name) for name in names]

    # -- the surroundings

    @rule(seconds=st.sampled_from([2, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.backend.restart(clean=clean)

    @rule(who=users, whom=users, state=st.sampled_from([ContactState.NONE, ContactState.FRIEND]), blocked=st.booleans())
    def relate(self, who: str, whom: str, state: ContactState, blocked: bool) -> None:
        if who == whom:
            return
        for pairs, holds in ((self.blocks, blocked), (self.friends, state is ContactState.FRIEND)):
            pairs.discard((who, whom))
            pairs.update([(who, whom)] if holds else [])
        self.commit([Change(Relate(self.ids[who], self.ids[whom], state, blocked), lambda change, error: None)])

    @rule(strangers=st.booleans())
    def decide_about_strangers(self, strangers: bool) -> None:
        self.strangers = strangers

    def unreachable(self, actor: str) -> set[str]:
        return {
            name for name in USERS if (name, actor) in self.blocks or not (self.strangers or (name, actor) in self.friends)
        } - {actor}

    # -- what is done

    @rule(steps=st.lists(steps, min_size=1, max_size=4), repeated=st.booleans())
    def one_batch(self, steps: list[Step], repeated: bool) -> None:
        """`repeated`: everything is asked for twice, which succeeds, and does nothing more."""
        self.now_ms += 1
        asked = list[Asked]()
        for step in steps:
            if step.what == "create" or step.group in self.conversations:
                for again in (False, True)[: 1 + (repeated and step.what not in {"create", "post"})]:
                    asked.append(Asked(step, self.item(step), *self.expect(step), again))
        self.commit([one.item for one in asked])
        done = False
        for one in asked:
            assert (one.item.refusal.code if one.item.refusal else pb.OK) == one.code, one.step
            if isinstance(one.item, Change):
                assert not (one.again and done and one.item.effects)
                assert told(one.item) == one.told
            done = one.code == pb.OK
        for group_id in self.groups.keys() - self.conversations.keys():
            group = self.run(self.backend.store.group_named(self.tenant.id, group_id))
            self.conversations[group_id] = group.conversation

    def expect(self, step: Step) -> tuple[int, bool]:
        """The Code of the answer, and whether somebody is told of a request, or of its refusal."""
        try:
            if step.what == "create":
                self.create(step.actor, step.group, *step.detail)
                return pb.OK, False
            detail = step.detail
            if step.what in {"invite", "kick"}:
                detail = (without(step.actor, detail[0]), *detail[1:])
            if step.what == "invite":
                detail = (*detail, self.unreachable(step.actor))
            elif step.what in {"mute", "post"}:
                detail = (*detail, self.now_ms)
            return pb.OK, bool(getattr(self.groups[step.group], step.what)(step.actor, *detail))
        except Refused as refused:
            return refused.code, False

    def create(self, actor: str, group_id: str, members: list[str], policy: GroupPolicy) -> None:
        require(group_id not in self.groups, pb.ALREADY_EXISTS)
        members = without(actor, members)
        require(1 + len(members) <= ROOM, pb.FAILED_PRECONDITION)
        require(not self.unreachable(actor).intersection(members))
        group = GroupModel({"name": "A", "announcement": "", "avatar_url": "", "policy": policy})
        group.roles = {actor: "OWNER"} | dict.fromkeys(members, "MEMBER")
        group.tell(("group.created", "group.joined"), actor, members)
        self.groups[group_id] = group

    def item(self, step: Step) -> Change | Draft:
        if step.what == "post":
            return self.post(step)
        decision = self.decision(step)
        return Change(decision, lambda change, error: None, notices=getattr(decision, "notices", 0))

    def post(self, step: Step) -> Draft:
        conversation, sender = self.conversations[step.group], self.ids[step.actor]
        body = codec.canonical(pb.Message(type=pb.CUSTOM, to=step.group, chat=pb.GROUP_CHAT))
        permit = WriteToGroup(conversation, sender, everyone=step.detail[0])
        field, device = codec.sender_field(step.actor), self.devices[step.actor]
        return Draft(self.tenant.id, conversation, sender, field, device, 0, body, None, permit)

    def decision(self, step: Step) -> Rule:
        actor, detail = self.person(step.actor), step.detail
        if step.what == "create":
            members = self.people(without(step.actor, detail[0]))
            return CreateGroup(self.asking_tenant, actor, step.group, "A", detail[1], members, ROOM)
        conversation = self.conversations[step.group]
        if step.what == "join":
            return JoinGroup(actor, conversation, ROOM)
        if step.what == "leave":
            return LeaveGroup(actor, conversation)
        if step.what == "dissolve":
            return DissolveGroup(actor, conversation)
        if step.what == "update":
            changes = dict(detail[0])
            owner = self.person(changes.pop("owner")) if "owner" in changes else None
            return UpdateGroup(actor, conversation, owner=owner, **changes)
        if step.what in {"invite", "kick"}:
            people = self.people(without(step.actor, detail[0]))
            if step.what == "kick":
                return KickUsers(actor, conversation, people, "go away")
            return InviteUsers(self.asking_tenant, actor, conversation, people, "welcome", ROOM)
        person = self.person(detail[0]) if detail[0] else None
        if step.what == "mute":
            return Mute(actor, conversation, person, detail[1])
        assert person is not None
        if step.what == "role":
            return SetRole(actor, conversation, person, Role[detail[1]])
        return AnswerRequest(actor, conversation, person, ROOM, accept=detail[1])

    @property
    def asking_tenant(self) -> Tenant:
        return replace(self.tenant, strangers=self.strangers)

    def commit(self, items: list[Change | Draft]) -> None:
        batch = Batch()
        batch.now_ms = self.now_ms
        for item in items:
            if isinstance(item, Draft):
                item.msgid = self.next_msgid()
                batch.messages.append(item)
            else:
                item.msgids = [self.next_msgid() for _ in range(item.notices)]
                batch.changes.append((len(batch.messages), item))
        heard: list[Exception | None] = []
        self.backend.store.commit(batch, heard.append)
        assert heard == [None]

    def next_msgid(self) -> int:
        self.msgid = max(self.msgid + STEP, first_msgid(self.now_ms))
        return self.msgid

    # -- what there is then

    @invariant()
    def groups_are_as_the_model_says(self) -> None:
        for group_id, conversation in self.conversations.items():
            model = self.groups[group_id]
            group: Group = self.run(self.backend.store.group(conversation))
            shown = {name: getattr(group, name) for name in model.fields}
            assert (group.id, shown, group.owner) == (group_id, model.fields, self.ids[model.owner])
            assert (group.size, group.version, group.dissolved) == (len(model.roles), model.version, bool(model.dissolved_by))
            assert group.muted_until_ms == model.muted.get("", 0)

    @invariant()
    def members_are_as_the_model_says(self) -> None:
        store = self.backend.store
        for group_id, conversation in self.conversations.items():
            model = self.groups[group_id]
            members = {
                name: (member.role.name, member.muted_until_ms)
                for name, member in self.run(store.members(conversation, 0, ALL))
            }
            assert members == {name: (role, model.muted.get(name, 0)) for name, role in model.roles.items()}
            admins = {self.names[user] for user in self.run(store.admins(conversation))}
            assert admins == {name for name, role in model.roles.items() if role != "MEMBER"}
            waiting = self.run(store.join_requests(conversation, 0, ALL))
            assert {name for name, _ in waiting} == model.asking
        for name in self.ids:
            mine = [self.conversations[group_id] for group_id, model in self.groups.items() if name in model.roles]
            assert [group for group, _ in self.run(store.groups_of(self.ids[name]))] == sorted(mine)

    @invariant()
    def logs_hold_what_happened(self) -> None:
        for group_id, conversation in self.conversations.items():
            messages = self.run(self.backend.store.messages(conversation, 0, 0, ALL))
            assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
            assert [entry(pb.Message.FromString(message.record), group_id) for message in messages] == self.groups[group_id].log

    @invariant()
    def everybody_may_see_what_was_said_while_he_was_there(self) -> None:
        for group_id, conversation in self.conversations.items():
            model = self.groups[group_id]
            for name, user in self.ids.items():
                spans = self.run(self.backend.store.visible(user, conversation))
                seqs = {seq for seq in range(1, len(model.log) + 1) if within(spans, seq)}
                assert seqs == model.seen.get(name, set()), name


def without(actor: str, names: list[str]) -> list[str]:
    return [name for name in names if name != actor]


def told(change: Change) -> bool:
    """Whether there is news of a request to join."""
    if change.refusal is not None:
        return False
    if isinstance(change.rule, JoinGroup):
        return change.rule.asked is not None
    return isinstance(change.rule, AnswerRequest) and change.rule.refused is not None


def entry(message: pb.Message, group_id: str) -> tuple[Any, ...]:
    """As the model writes it."""
    assert (message.to, message.chat) == (group_id, pb.GROUP_CHAT)
    sender = getattr(message, "from")
    if message.type != pb.NOTICE:
        return "post", sender
    assert not sender
    notice = pb.Notice.FromString(message.payload)
    return notice.kind, notice.actor, list(notice.users), notice.text


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users, to be copied."""
    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection, Runner() as runner:
        runner.run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.mark.parametrize(("kind", "examples"), [("memory", 120), ("sqlite", 30), ("sqlite-settling", 30)])
def test_groups_are_as_the_model_of_them(
    kind: str, examples: int, tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_rules, "NOTICE_NAMES", NAMES_IN_NOTICE)
    numbers = count()
    run_state_machine_as_test(
        lambda: GroupMachine(lambda: BACKENDS[kind](tmp_path / f"data{next(numbers)}", template)),
        settings=settings(max_examples=examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
