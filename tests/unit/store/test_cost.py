"""What a send may write, whatever the size of the group, and a crowd of logins, however many they are."""

from asyncio import run
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest

from rockdove.core.records import Batch, Group, Member, PutGroup, PutMembers, Role
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from tests.contract.changes import IfMember, change_of
from tests.contract.machine import commit
from tests.contract.model import draft_of


@pytest.mark.parametrize("size", [2, 500])
def test_group_message_writes_one_row_and_reads_none(tmp_path: Path, size: int) -> None:
    with closing(open_database(tmp_path)) as connection:
        accounts = SqliteAccounts(connection)
        assert not run(accounts.add_users(1, [(f"user{number}", "") for number in range(size)], 0))
        users = run(accounts.users(1, "", size))
        sender = users[0]
        store = SqliteStore(connection)
        device = run(store.open_device(sender.id, "", "test", 0)).id
        members = [PutMembers.of(Member(1, user.id, Role.MEMBER, 0, 0)) for user in users]
        batch = Batch()
        batch.changes.append((0, change_of(PutGroup(Group(1, 1, "g", "G", sender.id, 0, size=size)), *members)))
        assert commit(store, batch) is None
        statements: list[str] = []
        for seqid in (1, 2):
            draft = draft_of(sender, device, seqid, sender, "hello", seqid * 1024)
            draft.conversation, draft.permit = 1, IfMember(1, sender.id)
            batch = Batch()
            batch.messages.append(draft)
            written = connection.total_changes
            connection.set_trace_callback(statements.append if seqid == 2 else None)
            assert commit(store, batch) is None
            assert draft.seq == seqid
        assert connection.total_changes - written == 1
        assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "COMMIT"]


def test_the_log_is_settled_before_as_much_is_unsettled_again(tmp_path: Path) -> None:
    seal_at, batch_size = 64, 16
    with closing(open_database(tmp_path)) as connection:
        accounts = SqliteAccounts(connection)
        assert not run(accounts.add_users(1, [(f"user{number}", "") for number in range(100)], 0))
        sender, *others = run(accounts.users(1, "", 100))
        store = SqliteStore(connection, seal_at)
        device = run(store.open_device(sender.id, "", "test", 0)).id
        receivers, unsettled = cycle(others), 0  # hardly two messages of a tail share a row
        for first in range(1, 200 * batch_size, batch_size):
            batch = Batch()
            for seqid in range(first, first + batch_size):
                batch.messages.append(draft_of(sender, device, seqid, next(receivers), "hello", seqid * 1024))
            assert commit(store, batch) is None
            unsettled = max(unsettled, sum(tail.size for tail in store._log.tails))
    assert seal_at < unsettled <= 2 * seal_at + batch_size


def test_new_devices_of_a_turn_share_a_transaction(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as connection:
        accounts = SqliteAccounts(connection)
        names = [f"user{number}" for number in range(20)]
        assert not run(accounts.add_users(1, [(name, "") for name in names], 0))
        users = run(accounts.users(1, "", len(names)))
        store = SqliteStore(connection)
        batch = Batch()
        batch.newcomers += [(user.id, "phone", "test") for user in users]
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        assert commit(store, batch) is None
        for user in users:
            run(store.open_device(user.id, "phone", "test", 0))
        assert [statement for statement in statements if statement.startswith(("BEGIN", "COMMIT"))] == [
            "BEGIN IMMEDIATE",
            "COMMIT",
        ]
