"""The search index may be lost, broken or of another store: nothing that was sent gets lost by that."""

import sqlite3
from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.text import Terms
from rockdove.store.sqlite import search, search_index
from rockdove.store.sqlite.database import DATABASE
from rockdove.store.sqlite.search_index import SEARCH_INDEX, Document, SearchIndex
from rockdove.store.sqlite.store import SqliteStore
from tests.contract.backends import SqliteBackend, add_accounts
from tests.contract.test_search import Town

TEA = [Document(msgid, 7, "green tea") for msgid in (1, 2, 3)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users."""
    from rockdove.store.sqlite.accounts import SqliteAccounts
    from rockdove.store.sqlite.database import open_database

    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection:
        run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def town(data: Path, template: Path) -> Iterator[Town]:
    with closing(SqliteBackend(data, template)) as backend:
        yield Town(backend)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / SEARCH_INDEX


def found(index: SearchIndex, query: str, *conversations: int) -> list[int]:
    return list(index.find(Terms(query), conversations, 0, 1 << 62))


def filled(path: Path, epoch: int = 1) -> None:
    with closing(SearchIndex(path, epoch, 3)) as index:
        index.add(TEA, 3)


def is_indexed(town: Town) -> bool:
    """Whether the index holds all: nothing is left to take in."""
    return run(town.backend.store.index(1)) == 0


# ---------------------------------------------------------------- the file


def test_what_was_added_is_there_when_it_is_opened_again(path: Path) -> None:
    filled(path)
    with closing(SearchIndex(path, 1, 3)) as index:
        assert (index.last_msgid, found(index, "gre te", 7)) == (3, [3, 2, 1])


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_entries_of_the_conversations_asked_for_are_read(path: Path) -> None:
    with closing(SearchIndex(path, 1, 9)) as index:
        index.add([Document(msgid, msgid % 3 + 1, "tea 好茶") for msgid in range(1, 10)], 9)
        assert found(index, "te", 1, 3) == found(index, "茶", 1, 3) == [9, 8, 6, 5, 3, 2]


@pytest.mark.parametrize(("epoch", "newest"), [(2, 3), (1, 2)])
def test_an_index_of_another_store_is_begun_anew(path: Path, epoch: int, newest: int) -> None:
    filled(path)
    with closing(SearchIndex(path, epoch, newest)) as index:
        assert (index.last_msgid, found(index, "tea", 7)) == (0, [])
        index.add(TEA[:1], 1)
        assert found(index, "tea", 7) == [1]


def make_text(path: Path) -> None:
    path.write_text("a diary, and long enough to be taken for a header" * 1000)


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_other_program_s(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipe (name)")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"x" * (len(content) - 4096)
    path.write_bytes(content)


BREAK = [make_text, make_empty, make_other_program_s, damage, Path.unlink]


@pytest.mark.parametrize("ruin", BREAK)
def test_with_a_broken_index_everything_is_still_found_and_it_is_built_again(town: Town, data: Path, ruin) -> None:  # type: ignore[no-untyped-def]
    msgids = [town.say("alice", "bob", "green tea") for _ in range(100)]
    town.index()
    town.backend.store.close()
    ruin(data / SEARCH_INDEX)
    town.backend.restart(clean=False)
    assert town.find("bob", "tea") == msgids[::-1]
    town.index()
    assert is_indexed(town)
    assert town.find("bob", "tea") == msgids[::-1]
    assert town.find("carol", "tea") == []


def test_an_index_that_breaks_while_it_is_used_is_built_again(town: Town, data: Path) -> None:
    msgids = [town.say("alice", "bob", "green tea") for _ in range(100)]
    town.index()
    with closing(sqlite3.connect(data / SEARCH_INDEX, isolation_level=None)) as other:
        other.execute("DELETE FROM document_data")
    town.say("alice", "bob", "coffee")
    assert town.find("bob", "tea") == msgids[::-1]
    town.index()
    assert is_indexed(town)
    assert town.find("bob", "tea") == msgids[::-1]


def test_where_no_index_can_be_written_messages_are_stored_and_found(town: Town, data: Path) -> None:
    (data / SEARCH_INDEX).mkdir()
    msgid = town.say("alice", "bob", "green tea")
    with pytest.raises(StoreUnavailable):
        run(town.backend.store.index(1))
    town.edit(msgid, "alice", "bob", "black tea")
    assert town.find("bob", "black") == [msgid]
    (data / SEARCH_INDEX).rmdir()
    town.index()
    assert is_indexed(town)


def test_an_edit_that_did_not_reach_the_index_does_so_later(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    msgid = town.say("alice", "bob", "green tea")
    town.index()
    with monkeypatch.context() as crash:
        crash.setattr(search.SqliteSearch, "rewritten", lambda *_: None)
        town.edit(msgid, "alice", "bob", "black coffee")
    town.backend.restart(clean=False)
    town.index()
    assert town.find("bob", "coffee") == [msgid]
    assert town.find("bob", "tea") == []


def test_the_words_of_a_recalled_message_leave_the_index(town: Town, data: Path) -> None:
    msgid = town.say("alice", "bob", "confidential")
    town.index()
    conversation = run(town.backend.store.located(msgid)).conversation  # type: ignore[union-attr]
    town.recall(msgid, "alice", "bob")
    with closing(SearchIndex(data / SEARCH_INDEX, town.backend.store.epoch, town.backend.store.last_msgid)) as index:
        assert found(index, "confidential", conversation) == []


# ---------------------------------------------------------------- sizes


def test_of_very_many_conversations_all_are_searched(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RECENT", 2)
    old = [town.say("alice", to, "tea") for to in ("bob", "carol", "team", "alice")]
    new = [town.say("alice", to, words) for to in ("bob", "carol") for words in ("tea", "coffee")]
    town.index()
    for limit in (1, 2, 100):
        assert town.find("alice", "tea", limit) == [new[2], new[0], *old[::-1]]


def test_conversations_beyond_what_is_looked_at_at_once_come_on_the_next_page(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rockdove.store.searching.LOOKS", 3)
    tea = town.say("alice", "bob", "tea")
    for _ in range(10):
        town.say("alice", "bob", "coffee")
    assert town.find("bob", "tea") == [tea]
    matches, following = run(town.backend.store.search(town.users["bob"].id, search.Query("tea"), 10))
    assert matches == []
    assert following > tea


def test_long_words_and_long_queries(town: Town) -> None:
    word, talk = "x" * 3000, " ".join(f"word{number}" for number in range(2000))
    msgids = [town.say("alice", "bob", text) for text in (word, talk, "天气" * 2000)]
    town.index()
    assert town.find("bob", word) == town.find("bob", word[:40]) == msgids[:1]
    assert town.find("bob", word + "x") == []
    assert town.find("bob", talk) == msgids[1:2]
    assert town.find("bob", talk + " missing") == []
    assert town.find("bob", "天气" * 2000) == town.find("bob", "气天") == msgids[2:]


def test_signs_that_mean_something_to_the_index_are_searched_as_they_are(town: Town) -> None:
    texts = ['say "tea" AND* (coffee)', "a+b = c ^ d | ~e", "tea_pot", "$5 <b>`x`", "tea\0pot", "\ue000tea NEAR(x)"]
    msgids = {text: town.say("alice", "bob", text) for text in texts}
    town.index()
    for text, msgid in msgids.items():
        assert msgid in town.find("bob", text)
    assert town.find("bob", "a + ^") == [msgids[texts[1]]]


def test_the_index_lies_beside_the_database(town: Town, data: Path) -> None:
    town.say("alice", "bob", "tea")
    town.index()
    assert isinstance(town.backend.store, SqliteStore)
    assert {DATABASE, SEARCH_INDEX} <= {path.name for path in data.iterdir()}


def fill_up(index: SearchIndex, at: int) -> int:
    """Index until the file may not grow any more; the first msgid that failed."""
    assert index._connection is not None
    (pages,) = index._connection.execute("PRAGMA page_count").fetchone()
    index._connection.execute(f"PRAGMA max_page_count={pages}")
    while True:
        try:
            index.add([Document(at, 7, " ".join(f"word{at}x{number}" for number in range(2_000)))], at)
        except StoreUnavailable:
            return at
        at += 1


def test_a_full_disk_costs_what_was_not_committed_and_no_more(path: Path) -> None:
    with closing(SearchIndex(path, 1, 0)) as index:  # all messages are newer than the start
        index.add(TEA, 3)
        index.commit()
        index.add([Document(4, 7, "black tea")], 4)
        fill_up(index, 5)
        assert (index.last_msgid, found(index, "tea", 7)) == (3, [3, 2, 1])


def test_what_was_not_committed_is_indexed_again_also_if_the_file_is_locked_when_it_is_opened_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "BUSY_SECONDS", 0.05)
    with closing(SearchIndex(path, 1, 0)) as index:
        index.add(TEA, 3)
        index.commit()
        index.add([Document(4, 7, "black tea")], 4)
        fill_up(index, 5)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                _ = index.last_msgid
        assert index.last_msgid == 3
