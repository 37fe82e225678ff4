"""From a data directory to a database, with real processes: clients go on where they were."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from rockdove.client import BlockingClient, Connected, MessageReceived, Settled
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from tests.conftest import StartServer
from tests.contract.machine import EVERYTHING, START_MS, commit
from tests.contract.model import draft_of
from tests.engines.postgres import PostgresServer
from tests.process import DEADLINE_SECONDS, PASSWORD, ROCKDOVE, ServerProcess, add_users

MESSAGES: Final = 30_000  # that make the move last
FIRST_KILL_SECONDS: Final = 0.5
NEXT_KILL_SECONDS: Final = 0.15  # later each time, until it ends before


async def fill(data: Path) -> None:
    """Many messages between two users who have no other part in the test."""
    connection = open_database(data)
    _, _, carol, dave = await SqliteAccounts(connection).users(1, "", EVERYTHING)
    with closing(SqliteStore(connection)) as store:
        device = (await store.open_device(carol.id, "filler", "", START_MS)).id
        msgids = MsgidSource(0, 0).run(MESSAGES, START_MS)
        batch = Batch()
        batch.messages += [draft_of(carol, device, number, dave, "filler", msgid) for number, msgid in enumerate(msgids, 1)]
        assert commit(store, batch) is None


def client(server: ServerProcess, user: str, outboxes: Path) -> BlockingClient:
    return BlockingClient(f"127.0.0.1:{server.port()}", user=user, token=PASSWORD, device="phone", outbox=outboxes / user)


def received(reader: BlockingClient, last_seq: int) -> Iterator[int]:
    """The seqs that come, up to that one."""
    for event in reader.events(timeout=DEADLINE_SECONDS):
        if isinstance(event, MessageReceived):
            reader.acknowledge(event.message)
            yield event.message.seq
            if event.message.seq == last_seq:
                return


def migrate(data: Path, address: str, *options: str) -> subprocess.Popen[str]:
    command = [ROCKDOVE, "migrate", "--data", str(data), "--store", address, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def state(postgres: PostgresServer, name: str) -> str:
    """As it was left: "new", "half done" or "done"."""
    if postgres.sql("SELECT to_regclass('setting') IS NULL", name) == "t":
        return "new"
    if postgres.sql("SELECT EXISTS (SELECT FROM setting WHERE name = 'moving')", name) == "t":
        return "half done"
    return "done" if postgres.sql("SELECT EXISTS (SELECT FROM account)", name) == "t" else "new"


def migrate_with_kills(data: Path, postgres: PostgresServer, name: str) -> Iterator[None]:
    """Kill it again and again, later each time, until it is done; yields after each kill that has left a half-done database."""
    for number in count():
        work = migrate(data, postgres.dsn(name))
        try:
            out, error = work.communicate(timeout=FIRST_KILL_SECONDS + number * NEXT_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            work.kill()
            work.communicate()
            left = state(postgres, name)
            if left == "half done":
                yield
            if left == "done":  # it was about to say so
                return
            continue
        assert work.returncode == 0, error
        assert "are the same there" in out
        return


@pytest.mark.crash
def test_clients_go_on_after_a_move_that_was_killed_again_and_again(
    tmp_path: Path, postgres: PostgresServer, start_server: StartServer
) -> None:
    data, outboxes, name = tmp_path / "data", tmp_path / "outboxes", postgres.create_database()
    outboxes.mkdir()
    add_users(data, ["alice", "bob", "carol", "dave"])
    asyncio.run(fill(data))
    before = start_server(data)
    with client(before, "alice", outboxes) as alice, client(before, "bob", outboxes) as bob:
        read = alice.send("bob", "read before the move")
        assert list(received(bob, read.seq)) == [read.seq]
        assert [message.seq for message in bob.search("read")] == [read.seq]  # now the server has the ack, too
        before.signal(signal.SIGSTOP)
        posting = alice.post("bob", "is it there?")
        shutil.copytree(outboxes, tmp_path / "unanswered")
        before.signal(signal.SIGCONT)
        sent = posting.wait(DEADLINE_SECONDS)
        before.kill()
    kills = 0
    for _ in migrate_with_kills(data, postgres, name):
        kills += 1
        if kills == 1:
            refused = start_server(tmp_path / "none", "--store", postgres.dsn(name))
            assert refused.wait() == 1
            assert "run rockdove migrate again" in refused.log
    assert kills
    work = migrate(data, postgres.dsn(name), "--verify-only")
    out, error = work.communicate(timeout=DEADLINE_SECONDS)
    assert (work.returncode, f"message: {MESSAGES + 2} rows" in out) == (0, True), error
    after = start_server(tmp_path / "none", "--store", postgres.dsn(name))
    with client(after, "alice", tmp_path / "unanswered") as alice:
        settled = next(event for event in alice.events(timeout=DEADLINE_SECONDS) if isinstance(event, Settled))
        assert settled.result == sent
        last = alice.send("bob", "after the move")
        assert last.seq == sent.seq + 1
        assert last.msgid > sent.msgid
    with client(after, "bob", outboxes) as bob:
        connected = next(event for event in bob.events(timeout=DEADLINE_SECONDS) if isinstance(event, Connected))
        assert not connected.epoch_changed
        assert list(received(bob, last.seq)) == [sent.seq, last.seq]
        assert [message.seq for message in bob.search("there")] == [sent.seq]
    after.stop()
