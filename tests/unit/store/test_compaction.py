"""After compaction the files hold nothing of what was recalled."""

import shutil
from asyncio import run
from contextlib import closing
from pathlib import Path

import pytest

from rockdove.core.records import Batch, Rewrite
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.compaction import compact
from rockdove.store.sqlite.database import DataDirectoryError, lock_for_serving, open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.wire import codec
from tests.contract.changes import change_of
from tests.contract.machine import commit
from tests.contract.model import draft_of

SECRET = "what nobody should have read "


def fill(directory: Path) -> None:
    """Many messages, all of them recalled, and one that stays."""
    with closing(open_database(directory)) as connection:
        accounts = SqliteAccounts(connection)
        assert not run(accounts.add_users(1, [("alice", ""), ("bob", "")], 0))
        alice, bob = run(accounts.users(1, "", 2))
        store = SqliteStore(connection, seal_at=10)
        device = run(store.open_device(alice.id, "", "test", 0)).id
        for number in range(1, 31):
            words = SECRET * number if number < 30 else "this one stays"
            draft = draft_of(alice, device, number, bob, words, number * 1024)
            batch = Batch()
            batch.messages.append(draft)
            assert commit(store, batch) is None
            if number < 30:
                batch = Batch()
                batch.changes.append((0, change_of(Rewrite(draft.msgid, codec.tombstone(draft.record)))))
                assert commit(store, batch) is None


def content(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())


def test_recalled_text_is_in_no_file_after_compaction(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "data")):
        fill(tmp_path / "data")
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")  # with what the journal holds
    assert SECRET.encode() in content(tmp_path / "crashed")
    compact(tmp_path / "crashed")
    left = content(tmp_path / "crashed")
    assert SECRET.encode() not in left
    assert b"this one stays" in left


def test_database_that_is_served_is_not_compacted(tmp_path: Path) -> None:
    fill(tmp_path)
    with lock_for_serving(tmp_path), pytest.raises(DataDirectoryError, match="already served"):
        compact(tmp_path)


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError, match="there is no database"):
        compact(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_compaction_is_put_off_while_another_command_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rockdove.store.sqlite.database.BUSY_SECONDS", 0.05)
    fill(tmp_path)
    with closing(open_database(tmp_path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log").fetchone()
        with pytest.raises(DataDirectoryError, match="another rockdove command"):
            compact(tmp_path)
