"""rockdove admin check finds what does not agree; rockdove admin compact leaves nothing of what was deleted."""

import sqlite3
from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.core.records import Batch, MoveRead, single_conversation
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.chunk import entries, without
from rockdove.store.sqlite.database import DATABASE, lock_for_serving, open_database
from rockdove.store.sqlite.search_index import SEARCH_INDEX
from rockdove.store.sqlite.tail import Run
from tests.contract.backends import SqliteBackend, add_accounts
from tests.contract.machine import START_MS, commit
from tests.contract.test_search import ALL, GROUP, Town
from tests.unit.cli.command import Result, refused, rockdove, succeeded

FILES = (DATABASE, f"{DATABASE}-wal", SEARCH_INDEX, f"{SEARCH_INDEX}-wal")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with users."""
    directory = tmp_path_factory.mktemp("template")
    with closing(open_database(directory)) as connection:
        run(add_accounts(SqliteAccounts(connection)))
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=[4, 1000], ids=["settling", "in the tail"])
def town(request: pytest.FixtureRequest, data: Path, template: Path) -> Iterator[Town]:
    """Where much has happened; all that may be left out of a count is there."""
    with closing(SqliteBackend(data, template, seal_at=request.param)) as backend:
        town = Town(backend)
        store = backend.store
        phone = run(store.open_device(town.users["bob"].id, "phone", "test", START_MS)).id
        for number in range(30):
            town.say("alice", "bob", f"tea {number}")
            town.say("bob", "team", f"coffee {number}")
            town.say("xavier", "yann", f"water {number}")
        town.recall(town.say("alice", "bob", "confidential"), "alice", "bob")
        town.edit(town.say("bob", "alice", "wrong"), "bob", "alice", "right")
        town.leave("carol")
        town.say("alice", "team", "without carol")
        town.join("carol")
        town.hide("bob", talk(town), (28,), 3)
        town.change(MoveRead(town.users["bob"].id, talk(town), 10))
        batch = Batch()
        batch.cursors[phone, talk(town)] = 20
        assert commit(store, batch) is None
        for _ in range(5):
            run(store.spans(0, 0, ALL))
        assert run(store.cut(talk(town, "xavier", "yann"), 7, 1 << 62, ALL))
        yield town


def talk(town: Town, one: str = "alice", other: str = "bob") -> int:
    return single_conversation(town.users[one].id, town.users[other].id)


def found(result: Result) -> list[str]:
    """The differences; the command failed, and told how many there are."""
    *differences, summary = result.out.splitlines()
    assert summary.startswith("checked ")
    assert result.code == 1
    assert result.error == f"rockdove: {len(differences)} differences; keep a copy (rockdove backup) and report them\n"
    return differences


def spoil(data: Path, sql: str, *arguments: object) -> None:
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as connection:
        assert connection.execute(sql, arguments).rowcount > 0


def trace(data: Path, words: bytes) -> bool:
    """Whether any of the files still holds these bytes."""
    return any(words in (data / name).read_bytes() for name in FILES if (data / name).exists())


# ---------------------------------------------------------------- check


def test_what_the_server_wrote_agrees_with_itself_also_while_it_runs(town: Town, data: Path) -> None:
    for _ in range(2):
        line = succeeded(rockdove("admin", "check", "--data", data)).strip()
        assert line == f"checked {data}: 3 conversations, 88 messages, 1 groups, 7 unread counts, 1 cursors"
        town.backend.restart(clean=True)
    town.backend.store.close()
    succeeded(rockdove("admin", "check", "--data", data))


def test_check_alters_nothing(town: Town, data: Path) -> None:
    town.backend.store.close()
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    succeeded(rockdove("admin", "check", ROCKDOVE_DATA=str(data)))
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_there_has_to_be_a_database(data: Path) -> None:
    for command in ("check", "compact"):
        line = refused(rockdove("admin", command, "--data", data))
        assert line == f"there is no database in {data}; choose another data directory"
    assert not data.exists()


@pytest.fixture
def settled(town: Town) -> Town:
    """With nothing in memory any more, so that what the tables say counts."""
    for _ in range(5):
        run(town.backend.store.spans(0, 0, ALL))
    town.backend.store.close()
    return town


def test_a_message_that_is_missing_is_found(settled: Town, data: Path) -> None:
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as connection:
        for first, chunk in connection.execute("SELECT first_msgid, entries FROM log").fetchall():
            gone = [entry.msgid for entry in entries(chunk) if (entry.conversation, entry.seq) == (GROUP, 5)]
            if rest := without(chunk, gone):
                connection.execute("UPDATE log SET entries = ? WHERE first_msgid = ?", (rest, first))
            else:
                connection.execute("DELETE FROM log WHERE first_msgid = ?", (first,))
    differences = found(rockdove("admin", "check", "--data", data))
    assert differences[0] == "group team: seqs 5 to 5 are missing"
    assert "group team: alice has 29 unread, the store says 30" in differences


def test_a_message_that_the_store_does_not_find_is_found(settled: Town, data: Path) -> None:
    spoil(data, "DELETE FROM place WHERE conversation = ? AND first_seq = 1", GROUP)
    assert "group team: seq 1 is in the log, and the store does not find it" in found(
        rockdove("admin", "check", "--data", data)
    )


def test_a_wrong_end_of_a_log_is_found(settled: Town, data: Path) -> None:
    spoil(data, "UPDATE conversation SET last_seq = 50 WHERE id = ?", GROUP)
    assert found(rockdove("admin", "check", "--data", data))[0] == "group team: the log ends with seq 31, the store says 50"


def test_a_wrong_unread_count_is_found(settled: Town, data: Path) -> None:
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        row = connection.execute(
            "SELECT first_seq, entries FROM place WHERE conversation = ? AND first_seq <= 30 ORDER BY first_seq DESC LIMIT 1",
            (talk(settled),),
        ).fetchone()
    block = Run.of_block(*row)
    block.uncount(30)
    where = talk(settled), block.first
    spoil(data, "UPDATE place SET entries = ? WHERE (conversation, first_seq) = (?, ?)", block.block(0, ALL), *where)
    differences = found(rockdove("admin", "check", "--data", data))
    assert differences == ["alice and bob: bob has 20 unread, the store says 19"]


def test_a_group_of_another_size_is_found(settled: Town, data: Path) -> None:
    spoil(data, "UPDATE chat_group SET size = 7")
    assert found(rockdove("admin", "check", "--data", data)) == ["group team: has 3 members, its size says 7"]


def test_marks_beyond_the_end_are_found(settled: Town, data: Path) -> None:
    spoil(data, "UPDATE cursor SET seq = 1000")
    spoil(data, "UPDATE member SET read_seq = 99 WHERE conversation = ? AND user = ?", GROUP, settled.users["bob"].id)
    end = run_end(data, talk(settled))
    assert found(rockdove("admin", "check", "--data", data)) == [
        "group team: bob has read up to 99 and cleared up to 0, beyond the end 31",
        f"alice and bob: device 'phone' of bob has acknowledged 1000, beyond the end {end}",
    ]


def run_end(data: Path, conversation: int) -> int:
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        (end,) = connection.execute("SELECT last_seq FROM conversation WHERE id = ?", (conversation,)).fetchone()
    return int(end)


def test_a_member_without_a_place_is_found(settled: Town, data: Path) -> None:
    spoil(data, "DELETE FROM member WHERE conversation = ? AND user = ?", GROUP, settled.users["bob"].id)
    assert found(rockdove("admin", "check", "--data", data)) == ["group team: bob is a member, and has no place in it"]


def test_a_log_that_cannot_be_read_is_told_in_a_line(settled: Town, data: Path) -> None:
    spoil(data, "UPDATE log SET entries = x'0102' WHERE first_msgid = (SELECT max(first_msgid) FROM log)")
    line = refused(rockdove("admin", "check", "--data", data))
    assert line == f"the log in {data} holds bytes that are no messages; restore a backup"


# ---------------------------------------------------------------- compact


def test_nothing_is_left_of_what_was_recalled_or_cut(town: Town, data: Path) -> None:
    town.index()
    kept = town.say("alice", "bob", "preserved")
    town.recall(town.say("alice", "bob", "embarrassing " * 100), "alice", "bob")
    run(town.backend.store.cut(talk(town, "xavier", "yann"), 30, 1 << 62, ALL))
    assert trace(data, b"embarrassing")
    town.backend.store.close()
    size = (data / DATABASE).stat().st_size
    line = succeeded(rockdove("admin", "compact", "--data", data))
    assert line.startswith(
        f"compacted {data}: {DATABASE} from {size} to {(data / DATABASE).stat().st_size} bytes, {SEARCH_INDEX} "
    )
    for words in (b"confidential", b"embarrassing", b"water 1"):
        assert not trace(data, words)
    assert trace(data, b"preserved")
    succeeded(rockdove("admin", "check", "--data", data))
    town.backend.restart(clean=False)
    assert run(town.backend.store.index(1)) == 0
    assert town.find("bob", "preserved") == [kept]


def test_the_words_of_cut_messages_leave_the_index(town: Town, data: Path) -> None:
    town.say("xavier", "yann", "confidential")
    town.index()
    for _ in range(5):
        run(town.backend.store.spans(0, 0, ALL))
    assert run(town.backend.store.cut(talk(town, "xavier", "yann"), ALL, 1 << 62, ALL))
    town.backend.store.close()
    assert b"confidential" in (data / SEARCH_INDEX).read_bytes()
    succeeded(rockdove("admin", "compact", "--data", data))
    assert not trace(data, b"confidential")


def test_nothing_is_compacted_under_a_running_server(town: Town, data: Path) -> None:
    with lock_for_serving(data):
        line = refused(rockdove("admin", "compact", "--data", data))
    assert line.startswith(f"{data} is already served by process ")
