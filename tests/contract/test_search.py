"""Searches find what they should on every store, however far the index has come."""

from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rockdove.core.msgid import STEP, first_msgid
from rockdove.core.records import (
    FOREVER,
    Append,
    Batch,
    Draft,
    Effect,
    EndMembers,
    Group,
    GroupPolicy,
    HideMessages,
    Member,
    NoteEdit,
    PutGroup,
    PutMembers,
    Query,
    Rewrite,
    Role,
    User,
    single_conversation,
    within,
)
from rockdove.core.text import Terms, searchable
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from tests.contract.backends import TENANTS, Backend
from tests.contract.changes import change_of
from tests.contract.conftest import MakeBackend
from tests.contract.machine import START_MS, commit

GROUP: Final = 1
ALL: Final = 1_000_000


class Town:
    """Alice, bob, carol and a group of theirs; xavier and yann of another tenant, where messages do not stay for ever."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.users: dict[str, User] = {}
        for tenant in run(backend.accounts.tenants()):
            self.users |= {user.name: user for user in run(backend.accounts.users(tenant.id, "", ALL))}
        self.msgid = first_msgid(START_MS)
        alice = self.users["alice"]
        group = Group(GROUP, alice.tenant, "team", "Team", alice.id, START_MS, GroupPolicy(), size=3)
        members = [self.member(name) for name in TENANTS[FOREVER]]
        self.change(PutGroup(group), *map(PutMembers.of, members))

    def member(self, name: str, after_seq: int = 0) -> Member:
        return Member(GROUP, self.users[name].id, Role.MEMBER, START_MS, after_seq)

    # -- what happens

    def say(self, sender: str, to: str, words: str) -> int:
        """`to` is a user or "team"."""
        return self.post(sender, to, pb.TXT, pb.MessageTxt(txt=words).SerializeToString())

    def post(self, sender: str, to: str, kind: pb.MessageType, payload: bytes) -> int:
        draft = self._draft(sender, to, kind, payload)
        batch = Batch()
        batch.messages.append(draft)
        assert commit(self.backend.store, batch) is None
        return draft.msgid

    def _draft(self, sender: str, to: str, kind: pb.MessageType, payload: bytes) -> Draft:
        self.msgid += STEP
        user = self.users[sender]
        conversation = GROUP if to == "team" else single_conversation(user.id, self.users[to].id)
        body = codec.canonical(pb.Message(type=kind, to=to, payload=payload))
        draft = Draft(user.tenant, conversation, user.id, codec.sender_field(sender), 0, 0, body, None)
        draft.msgid = self.msgid
        return draft

    def change(self, *effects: Effect, draft: Draft | None = None) -> None:
        batch = Batch()
        batch.changes.append((0, change_of(*effects, draft=draft)))
        assert commit(self.backend.store, batch) is None
        assert batch.changes[0][1].refusal is None

    def edit(self, msgid: int, sender: str, to: str, words: str) -> None:
        change = pb.Change(msgid=msgid, type=pb.TXT, payload=pb.MessageTxt(txt=words).SerializeToString())
        message = pb.Message.FromString(self.record(msgid))
        message.edited.CopyFrom(change)
        draft = self._draft(sender, to, pb.EDIT, change.SerializeToString())
        self.change(Rewrite(msgid, message.SerializeToString()), NoteEdit(msgid, draft.msgid), draft=draft)

    def recall(self, msgid: int, sender: str, to: str) -> None:
        draft = self._draft(sender, to, pb.RECALL, pb.Change(msgid=msgid).SerializeToString())
        gone = [msgid, *run(self.backend.store.edits(msgid))]
        self.change(*(Rewrite(each, codec.tombstone(self.record(each))) for each in gone), draft=draft)

    def record(self, msgid: int) -> bytes:
        located = run(self.backend.store.located(msgid))
        assert located is not None
        return located.record

    def leave(self, name: str) -> None:
        self.change(EndMembers(GROUP, (self.users[name].id,), run(self.backend.store.last_seq(GROUP))))

    def join(self, name: str) -> None:
        self.change(PutMembers.of(self.member(name, run(self.backend.store.last_seq(GROUP)))))

    def hide(self, name: str, conversation: int, seqs: tuple[int, ...] = (), through: int = 0) -> None:
        self.change(HideMessages(self.users[name].id, conversation, seqs, through))

    def index(self, limit: int = ALL) -> None:
        """Once; all of it without a limit."""
        while run(self.backend.store.index(limit)) and limit == ALL:
            pass

    # -- what is found

    def find(self, name: str, query: str | Query, limit: int = ALL) -> list[int]:
        """The msgids on all pages."""
        found: list[int] = []
        wanted = Query(query) if isinstance(query, str) else query
        before = wanted.before_msgid
        while before:
            page = Query(wanted.text, wanted.conversation, wanted.sender, wanted.since_msgid, before, wanted.types)
            matches, following = run(self.backend.store.search(self.users[name].id, page, limit))
            assert len(matches) <= limit
            assert following < before
            assert all(match.record == self.record(match.msgid) for match in matches)
            found += [match.msgid for match in matches]
            before = following
        return found


@pytest.fixture
def town(backend: Backend) -> Town:
    return Town(backend)


@pytest.fixture(params=["not at all", "early", "late", "step by step"])
def pace(request: pytest.FixtureRequest) -> str:
    """When messages are indexed."""
    return str(request.param)


class Paced:
    """A town whose index is kept at a pace: at the start, before the search, or after each event."""

    def __init__(self, town: Town, pace: str) -> None:
        self.town = town
        self.pace = pace

    def happened(self) -> None:
        """The things that are to be indexed early have happened."""
        if self.pace in {"early", "step by step"}:
            self.town.index()

    def find(self, name: str, query: str | Query) -> list[int]:
        if self.pace in {"late", "step by step"}:
            self.town.index()
        return self.town.find(name, query)


@pytest.fixture
def paced(town: Town, pace: str) -> Paced:
    return Paced(town, pace)


def test_a_message_is_found_by_both_users_and_by_nobody_else(paced: Paced) -> None:
    msgid = paced.town.say("alice", "bob", "The secret garden")
    paced.town.say("carol", "alice", "something else")
    paced.happened()
    assert paced.find("alice", "secret") == paced.find("bob", "GARDEN sec") == [msgid]
    for other in ("carol", "xavier", "zoe"):
        assert paced.find(other, "secret") == []


def test_a_message_is_found_right_after_it_was_sent(paced: Paced) -> None:
    first = paced.town.say("alice", "bob", "tea")
    paced.happened()
    second = paced.town.say("bob", "alice", "green tea")
    assert paced.town.find("alice", "tea") == [second, first]


def test_newest_first_over_all_conversations(paced: Paced) -> None:
    pairs = [("alice", "bob"), ("carol", "alice"), ("alice", "team"), ("alice", "alice"), ("bob", "carol")] * 3
    msgids = [paced.town.say(*pair, "今天天气很好") for pair in pairs]
    paced.happened()
    alices = [msgid for msgid, pair in zip(msgids, pairs, strict=True) if "alice" in pair]
    assert paced.find("alice", "天气") == alices[::-1]
    assert paced.find("carol", "天") == [m for m, pair in zip(msgids, pairs, strict=True) if {"carol", "team"} & {*pair}][::-1]


def test_an_edited_message_is_found_by_its_new_content_alone(paced: Paced) -> None:
    msgid = paced.town.say("alice", "bob", "old words")
    other = paced.town.say("alice", "bob", "older")
    paced.happened()
    paced.town.edit(msgid, "alice", "bob", "new words")
    assert paced.find("bob", "new") == paced.find("bob", "words") == [msgid]
    assert paced.find("bob", "old") == [other]
    paced.town.edit(msgid, "alice", "bob", "newest")
    assert paced.find("bob", "newest") == [msgid]
    assert paced.find("bob", "words") == []


def test_a_recalled_message_is_not_found_nor_are_its_edits(paced: Paced) -> None:
    msgid = paced.town.say("alice", "bob", "shame on me")
    kept = paced.town.say("alice", "bob", "shame on you")
    paced.happened()
    paced.town.edit(msgid, "alice", "bob", "shame and regret")
    paced.town.recall(msgid, "alice", "bob")
    assert paced.find("bob", "shame") == [kept]
    assert paced.find("bob", "regret") == []


def test_only_talk_is_found(paced: Paced) -> None:
    town = paced.town
    msgid = town.say("alice", "bob", "party")
    town.post("bob", "alice", pb.REACTION, pb.Reaction(msgid=msgid, emoji="party").SerializeToString())
    notice = town._draft("alice", "team", pb.NOTICE, pb.Notice(kind="group.renamed", text="party").SerializeToString())
    notice.sender = 0
    town.change(Append(notice))
    paced.happened()
    assert paced.find("alice", "party") == [msgid]
    assert paced.find("alice", "") == [msgid]


def test_what_a_user_deleted_for_himself_is_found_by_the_others_only(paced: Paced) -> None:
    town = paced.town
    msgids = [town.say("alice", "team", f"tea {number}") for number in range(5)]
    paced.happened()
    town.hide("bob", GROUP, (4,))
    town.hide("bob", GROUP, (), 2)
    assert paced.find("bob", "tea") == [msgids[4], msgids[2]]
    assert paced.find("alice", "tea") == msgids[::-1]


def test_who_left_a_group_finds_what_he_saw(paced: Paced) -> None:
    town = paced.town
    seen = town.say("alice", "team", "tea with bob")
    town.leave("bob")
    paced.happened()
    without = town.say("alice", "team", "tea without bob")
    assert paced.find("bob", "tea") == [seen]
    town.join("bob")
    again = town.say("alice", "team", "tea with bob again")
    assert paced.find("bob", "tea") == [again, seen]
    assert paced.find("carol", "tea") == [again, without, seen]


def test_filters_hold_together(paced: Paced) -> None:
    town = paced.town
    talk = single_conversation(town.users["alice"].id, town.users["bob"].id)
    first = town.say("alice", "bob", "report one")
    file = town.post("bob", "alice", pb.FILE, pb.MessageFile(name="Report.pdf", url="x").SerializeToString())
    paced.happened()
    group = town.say("bob", "team", "report two")
    bob = town.users["bob"].id
    for text in ("report", " "):
        assert paced.find("alice", Query(text)) == [group, file, first]
        assert paced.find("alice", Query(text, conversation=talk)) == [file, first]
        assert paced.find("alice", Query(text, sender=bob)) == [group, file]
        assert paced.find("alice", Query(text, conversation=talk, sender=bob)) == [file]
        assert paced.find("alice", Query(text, types=frozenset({pb.FILE, pb.IMAGE}))) == [file]
        assert paced.find("alice", Query(text, since_msgid=file)) == [group, file]
        assert paced.find("alice", Query(text, before_msgid=file)) == [first]
        assert paced.find("alice", Query(text, since_msgid=file, before_msgid=group)) == [file]
        assert paced.find("carol", Query(text, conversation=talk)) == []
    assert paced.find("alice", Query("?!")) == []


def test_pages_go_on_where_the_last_one_ended(paced: Paced) -> None:
    msgids = [paced.town.say("alice", ("bob", "team")[number % 2], "tea") for number in range(7)]
    paced.happened()
    msgids += [paced.town.say("alice", "bob", "tea") for _ in range(7)]
    for limit in (1, 2, 5, 14, 15):
        assert paced.town.find("alice", "tea", limit) == msgids[::-1]


def test_what_was_cut_is_not_found(paced: Paced) -> None:
    town = paced.town
    talk = single_conversation(town.users["xavier"].id, town.users["yann"].id)
    msgids = [town.say("xavier", "yann", "tea") for _ in range(6)]
    paced.happened()
    for _ in range(3):
        run(town.backend.store.spans(0, 0, ALL))  # what is cut must be settled
    count = run(town.backend.store.cut(talk, 3, 1 << 62, ALL))
    assert count
    assert paced.find("yann", "tea") == msgids[: count - 1 : -1]


def test_everything_is_found_after_a_restart(paced: Paced) -> None:
    town = paced.town
    msgids = [town.say("alice", "bob", "tea") for _ in range(4)]
    paced.happened()
    town.edit(msgids[0], "alice", "bob", "coffee")
    for clean in (True, False):
        town.backend.restart(clean=clean)
        assert paced.find("bob", "tea") == msgids[:0:-1]
        assert paced.find("bob", "coffee") == msgids[:1]


# ---------------------------------------------------------------- everything

WORDS: Final = st.text(st.sampled_from("aaAbé  -ß12我你他们ひらｶ안녕กข👍+म"), min_size=1, max_size=6)
NAMES: Final = TENANTS[FOREVER]
EVENTS: Final = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(NAMES), st.sampled_from([*NAMES, "team"]), WORDS),
    st.tuples(st.just("edit"), st.integers(0, 9), WORDS),
    st.tuples(st.just("recall"), st.integers(0, 9)),
    st.tuples(st.just("hide"), st.sampled_from(NAMES), st.integers(0, 9)),
    st.tuples(st.just("clear"), st.sampled_from(NAMES), st.integers(0, 9)),
    st.tuples(st.just("leave"), st.sampled_from(NAMES)),
    st.tuples(st.just("join"), st.sampled_from(NAMES)),
    st.tuples(st.just("index"), st.integers(1, 5)),
    st.tuples(st.just("restart"), st.booleans()),
)


class History:
    """A town where things happen, and what has to be found there, told by looking at every message."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.sent: list[tuple[int, str, str]] = []  # msgid, sender, receiver
        self.present = set(NAMES)

    def happen(self, event: tuple[object, ...]) -> None:
        match event:
            case "say", str(sender), str(to), str(words):
                if to != "team" or sender in self.present:
                    self.sent.append((self.town.say(sender, to, words), sender, to))
            case "edit", int(back), str(words):
                for msgid, sender, to in self._chosen(back):
                    if not pb.Message.FromString(self.town.record(msgid)).removed:
                        self.town.edit(msgid, sender, to, words)
            case "recall", int(back):
                for chosen in self._chosen(back):
                    self.town.recall(*chosen)
            case "hide" | "clear", str(name), int(back):
                for msgid, _, _ in self._chosen(back):
                    located = run(self.town.backend.store.located(msgid))
                    assert located is not None
                    if run(self.town.backend.store.visible(self.town.users[name].id, located.conversation)):
                        seqs, through = ((located.seq,), 0) if event[0] == "hide" else ((), located.seq)
                        self.town.hide(name, located.conversation, seqs, through)
            case "leave", str(name) if name in self.present:
                self.present.remove(name)
                self.town.leave(name)
            case "join", str(name) if name not in self.present:
                self.present.add(name)
                self.town.join(name)
            case "index", int(limit):
                self.town.index(limit)
            case "restart", bool(clean):
                self.town.backend.restart(clean=clean)

    def _chosen(self, back: int) -> Iterator[tuple[int, str, str]]:
        if back < len(self.sent):
            yield self.sent[-1 - back]

    def wanted(self, name: str, query: str) -> list[int]:
        return [msgid for msgid, _, _ in reversed(self.sent) if self._is_wanted(name, query, msgid)]

    def _is_wanted(self, name: str, query: str, msgid: int) -> bool:
        store, user = self.town.backend.store, self.town.users[name].id
        located = run(store.located(msgid))
        assert located is not None
        conversation, seq = located.conversation, located.seq
        return (
            within(run(store.visible(user, conversation)), seq)
            and not run(store.hidden(user, conversation, seq - 1, seq))
            and Terms(query).occur_in(searchable(pb.Message.FromString(located.record)))
        )


def test_a_search_finds_what_looking_at_every_message_finds(make_backend: MakeBackend, examples: int) -> None:
    @given(data=st.data(), events=st.lists(EVENTS, min_size=5, max_size=30), limit=st.integers(1, 5))
    @settings(max_examples=examples * 3 // 5)
    def find(data: st.DataObject, events: list[tuple[object, ...]], limit: int) -> None:
        with closing(make_backend()) as backend:
            history = History(Town(backend))
            for event in events:
                history.happen(event)
            texts = [event[3] for event in events if event[0] == "say"]
            for _ in range(5):
                query = data.draw(st.one_of(WORDS, *[_parts(str(text)) for text in texts]))
                for name in NAMES:
                    found = history.town.find(name, query, limit)
                    assert found == (history.wanted(name, query) if query.strip() else found), (name, query)

    find()


def _parts(text: str) -> st.SearchStrategy[str]:
    """What somebody may remember of it."""
    return st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda ends: text[min(ends) : max(ends)])
