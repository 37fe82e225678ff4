"""Contacts against a small model of them: who asked whom, who are friends, who blocks whom."""

import copy
from asyncio import Runner
from collections.abc import Callable
from contextlib import closing
from itertools import count, permutations
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rockdove.core.errors import Refusal
from rockdove.core.records import FOREVER, Batch, Change, Contact, ContactState, Tenant
from rockdove.core.rules import contact as rules
from rockdove.core.rules.contact import AddContact, AnswerContact, BlockContact, ContactRule, RemoveContact, sees
from rockdove.core.rules.posting import WriteToUser
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import BACKENDS, TENANTS, Backend, add_accounts

NAMES: Final = TENANTS[FOREVER]
PAIRS: Final = list(permutations(NAMES, 2))
BLOCKED: Final = "BLOCKED"

operations = st.tuples(
    st.sampled_from(["add", "add", "accept", "accept", "decline", "remove", "block", "unblock"]), st.sampled_from(PAIRS)
)


class Model:
    """What users have done to each other. A pair is (who, to whom)."""

    def __init__(self) -> None:
        self.hoping: set[tuple[str, str]] = set()  # has asked, and not heard
        self.asked: set[tuple[str, str]] = set()  # and that has reached the other
        self.friends: set[frozenset[str]] = set()
        self.blocks: set[tuple[str, str]] = set()

    def do(self, what: str, who: str, whom: str) -> int:
        """The Code of the answer."""
        return getattr(self, f"_{what}")(who, whom, (whom, who))

    def _add(self, who: str, whom: str, back: tuple[str, str]) -> int:
        if (who, whom) in self.blocks:
            return pb.FAILED_PRECONDITION
        if {who, whom} in self.friends:
            return pb.OK
        if back in self.asked or (back in self.hoping and back not in self.blocks):
            self._befriend(who, whom)
            return pb.OK
        self.hoping.add((who, whom))
        if back not in self.blocks:
            self.asked.add((who, whom))
        return pb.OK

    def _accept(self, who: str, whom: str, back: tuple[str, str]) -> int:
        if (who, whom) in self.blocks:
            return pb.FAILED_PRECONDITION
        if {who, whom} in self.friends:
            return pb.OK
        if back not in self.asked:
            return pb.NOT_FOUND
        self._befriend(who, whom)
        return pb.OK

    def _decline(self, who: str, whom: str, back: tuple[str, str]) -> int:
        return self._remove(who, whom, back) if back in self.asked else pb.OK

    def _remove(self, who: str, whom: str, back: tuple[str, str]) -> int:
        self.friends.discard(frozenset((who, whom)))
        self._forget_requests(who, whom)
        return pb.OK

    def _block(self, who: str, whom: str, back: tuple[str, str]) -> int:
        self.blocks.add((who, whom))
        return pb.OK

    def _unblock(self, who: str, whom: str, back: tuple[str, str]) -> int:
        self.blocks.discard((who, whom))
        return pb.OK

    def _befriend(self, who: str, whom: str) -> None:
        self._forget_requests(who, whom)
        self.friends.add(frozenset((who, whom)))

    def _forget_requests(self, who: str, whom: str) -> None:
        for requests in (self.hoping, self.asked):
            requests.difference_update({(who, whom), (whom, who)})

    def shown(self, who: str, whom: str) -> str:
        """How `who` sees `whom` in the list."""
        if (who, whom) in self.blocks:
            return BLOCKED
        if {who, whom} in self.friends:
            return "FRIEND"
        if (whom, who) in self.asked:
            return "INVITED"
        return "REQUESTED" if (who, whom) in self.hoping else "NONE"


def make_rule(what: str, who: int, whom: int, name: str) -> ContactRule:
    if what == "add":
        return AddContact(who, whom, name, "hello", "")
    if what in {"accept", "decline"}:
        return AnswerContact(who, whom, name, "", accept=what == "accept")
    if what == "remove":
        return RemoveContact(who, whom, name)
    return BlockContact(who, whom, name, blocked=what == "block")


def shown(contact: Contact) -> str:
    return BLOCKED if contact.blocked else contact.state.name


class ContactMachine(RuleBasedStateMachine):
    """Three users, and a second device of each that asks only now and then what has changed."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        super().__init__()
        self.backend = make_backend()
        self.runner = Runner()
        self.model = Model()
        self.ids: dict[str, int] = {}
        self.pushed: dict[tuple[str, str], str] = dict.fromkeys(PAIRS, "NONE")  # what live devices have been told
        self.synced: dict[tuple[str, str], str] = dict.fromkeys(PAIRS, "NONE")
        self.versions: dict[str, int] = dict.fromkeys(NAMES, 0)
        self.now_ms = 1_750_000_000_000

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        accounts = self.backend.accounts
        tenant = self.run(accounts.tenant("acme", f"days{FOREVER}"))
        self.ids = {name: self.run(accounts.user(tenant.id, name)).id for name in NAMES}

    def teardown(self) -> None:
        self.runner.close()
        self.backend.close()

    @rule(steps=st.lists(operations, min_size=1, max_size=3))
    def one_batch(self, steps: list[tuple[str, tuple[str, str]]]) -> None:
        batch = Batch()
        self.now_ms += 1
        batch.now_ms = self.now_ms
        asked = []
        for what, (who, whom) in steps:
            rule = make_rule(what, self.ids[who], self.ids[whom], whom)
            change = Change(rule, lambda change, error: None)
            batch.changes.append((0, change))
            asked.append((change, rule, copy.deepcopy(self.model), self.model.do(what, who, whom), who, whom))
        told: list[Exception | None] = []
        self.backend.store.commit(batch, told.append)
        assert told == [None]
        for change, rule, before, code, who, whom in asked:
            assert (change.refusal.code if change.refusal else pb.OK) == code
            if change.refusal is None:
                self._push(rule, who, whom)
            if code == pb.OK and before.__dict__ == self.model.__dict__ and len(asked) == 1:
                assert not change.effects  # nothing new: nobody is told

    def _push(self, rule: ContactRule, who: str, whom: str) -> None:
        for before, after, pair in zip(rule.before, rule.after, [(who, whom), (whom, who)], strict=True):
            if after != before:
                assert after.version > before.version
                self.pushed[pair] = shown(after)

    @rule(name=st.sampled_from(NAMES), limit=st.integers(1, 3))
    def second_device_asks_what_has_changed(self, name: str, limit: int) -> None:
        names = {user: other for other, user in self.ids.items()}
        while True:
            page = self.run(self.backend.store.contacts(self.ids[name], self.versions[name], limit))
            for other, contact in page:
                assert other == names[contact.peer]
                assert contact.version > self.versions[name]
                self.versions[name] = contact.version
                self.synced[name, other] = shown(contact)
            if len(page) < limit:
                break
        assert {pair: state for pair, state in self.synced.items() if pair[0] == name} == {
            pair: self.model.shown(*pair) for pair in PAIRS if pair[0] == name
        }

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.backend.restart(clean=clean)

    @invariant()
    def everybody_stands_as_the_model_says(self) -> None:
        if not self.ids:
            return
        store = self.backend.store
        for who, whom in PAIRS:
            one, other = self.ids[who], self.ids[whom]
            friends, blocks = {who, whom} in self.model.friends, self.model.blocks
            assert shown(self.run(store.contact(one, other))) == self.model.shown(who, whom) == self.pushed[who, whom]
            assert self.run(sees(store, one, other)) == (friends and (who, whom) not in blocks and (whom, who) not in blocks)
            for strangers in (True, False):
                allowed = (whom, who) not in blocks and (strangers or friends)
                assert self._may_write(strangers, one, other, whom) == allowed
        for who in NAMES:
            wanted = {self.ids[whom] for whom in NAMES if {who, whom} in self.model.friends and (who, whom) not in blocks}
            assert set(self.run(store.friends(self.ids[who]))) == wanted
            listed = [whom for whom in NAMES if whom != who and self.model.shown(who, whom) != "NONE"]
            assert self.run(store.contact_count(self.ids[who])) == len(listed)

    def _may_write(self, strangers: bool, sender: int, receiver: int, name: str) -> bool:
        permit = WriteToUser(Tenant(1, "acme", "shop", strangers=strangers), sender, receiver, name)
        try:
            self.run(permit.check(self.backend.store, self.now_ms))
        except Refusal:
            return False
        return True


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users, to be copied."""
    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection, Runner() as runner:
        runner.run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_contacts_are_as_the_model_of_them(kind: str, tmp_path: Path, template: Path) -> None:
    numbers = count()
    run_state_machine_as_test(
        lambda: ContactMachine(lambda: BACKENDS[kind](tmp_path / f"data{next(numbers)}", template)),
        settings=settings(max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )


# ---------------------------------------------------------------- what the model does not know


class View:
    """Only the contacts of a `View`."""

    def __init__(self, *contacts: Contact, counts: dict[int, int] | None = None) -> None:
        self.sides = {(contact.user, contact.peer): contact for contact in contacts}
        self.counts = counts or {}

    async def contact(self, user: int, peer: int) -> Contact:
        return self.sides.get((user, peer), Contact(user, peer))

    async def contact_version(self, user: int) -> int:
        return max((contact.version for contact in self.sides.values() if contact.user == user), default=0)

    async def contact_count(self, user: int) -> int:
        return self.counts.get(user, 0)


def decide(view: View, rule: ContactRule) -> list[Contact]:
    """The sides that change."""
    with Runner() as runner:
        return [effect.contact for effect in runner.run(rule.decide(view, 1_000, []))]  # type: ignore[arg-type]


FRIENDS: Final = (
    Contact(1, 2, ContactState.FRIEND, remark="my bob", version=4),
    Contact(2, 1, ContactState.FRIEND, remark="my alice", version=9),
)


def test_a_request_carries_its_greeting_to_the_other_and_the_remark_to_oneself() -> None:
    mine, theirs = decide(View(), AddContact(1, 2, "bob", "hello bob", "Bobby"))
    assert mine == Contact(1, 2, ContactState.REQUESTED, remark="Bobby", updated_ms=1_000, version=1)
    assert theirs == Contact(2, 1, ContactState.INVITED, greeting="hello bob", updated_ms=1_000, version=1)


def test_adding_a_friend_again_changes_the_remark_and_concerns_nobody_else() -> None:
    (mine,) = decide(View(*FRIENDS), AddContact(1, 2, "bob", "hello", "Bobby"))
    assert (mine.user, mine.state, mine.remark, mine.version) == (1, ContactState.FRIEND, "Bobby", 5)
    assert decide(View(*FRIENDS), AddContact(1, 2, "bob", "hello", "my bob")) == []


def test_a_hidden_request_of_somebody_who_has_blocked_me_since_makes_no_friends() -> None:
    (mine,) = decide(View(Contact(2, 1, ContactState.REQUESTED, blocked=True)), AddContact(1, 2, "bob", "", ""))
    assert (mine.user, mine.state) == (1, ContactState.REQUESTED)


def test_a_refusal_comes_with_its_reason() -> None:
    view = View(Contact(1, 2, ContactState.INVITED, greeting="hello"), Contact(2, 1, ContactState.REQUESTED))
    mine, theirs = decide(view, AnswerContact(1, 2, "bob", "I do not know you", accept=False))
    assert (mine.state, mine.greeting) == (ContactState.NONE, "")
    assert (theirs.state, theirs.greeting) == (ContactState.NONE, "I do not know you")


def test_removal_forgets_the_remarks_but_not_those_about_somebody_blocked() -> None:
    mine, theirs = decide(View(*FRIENDS), RemoveContact(1, 2, "bob"))
    assert (mine.remark, theirs.remark) == ("", "")
    blocking = Contact(2, 1, ContactState.FRIEND, blocked=True, remark="spams")
    _, theirs = decide(View(FRIENDS[0], blocking), RemoveContact(1, 2, "bob"))
    assert (theirs.state, theirs.blocked, theirs.remark) == (ContactState.NONE, True, "spams")


@pytest.mark.parametrize("full", [1, 2])
@pytest.mark.parametrize("counted", [rules.CONTACTS - 1, rules.CONTACTS, rules.CONTACTS + 1])
def test_a_full_list_takes_nobody_more(full: int, counted: int) -> None:
    view, rule = View(counts={full: counted}), AddContact(1, 2, "bob", "", "")
    if counted < rules.CONTACTS:
        assert len(decide(view, rule)) == 2
        return
    with pytest.raises(Refusal) as refused:
        decide(view, rule)
    assert refused.value.code == pb.FAILED_PRECONDITION


def test_a_full_list_still_lets_its_contacts_be_changed() -> None:
    view = View(
        Contact(1, 2, ContactState.INVITED),
        Contact(2, 1, ContactState.REQUESTED),
        counts={1: rules.CONTACTS, 2: rules.CONTACTS},
    )
    assert len(decide(view, AnswerContact(1, 2, "bob", "", accept=True))) == 2
    assert len(decide(view, BlockContact(1, 2, "bob", blocked=True))) == 1
    with pytest.raises(Refusal):
        decide(view, BlockContact(1, 3, "carol", blocked=True))
