"""What a backup holds, and that no client is misled by a restored one."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rockdove.client import BlockingClient, Connected, MessageReceived
from tests.conftest import StartServer
from tests.process import DEADLINE_SECONDS, PASSWORD, ROCKDOVE, ServerProcess, add_users


def rockdove(*arguments: str | Path) -> None:
    done = subprocess.run([ROCKDOVE, *arguments], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr


def received(client: BlockingClient, last: str) -> list[tuple[int, str]]:
    """(seq, text) of what comes and is acknowledged, up to the text `last`."""
    found = []
    for event in client.events(timeout=DEADLINE_SECONDS):
        if isinstance(event, MessageReceived):
            found.append((event.message.seq, event.message.text))
            client.acknowledge(event.message)
            if event.message.text == last:
                return found
    raise AssertionError(f"{last!r} did not come, only {found}")


def come_back(client: BlockingClient) -> Connected:
    """The next login of a client."""
    for event in client.events(timeout=DEADLINE_SECONDS):
        if isinstance(event, Connected):
            return event
    raise AssertionError("the client did not come back")


class Talker:
    """Alice, who sends bob 0, 1, 2, … one after another."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self._news = threading.Condition()
        self._stop = False

    @contextmanager
    def talking(self, server: ServerProcess) -> Iterator[None]:
        with BlockingClient(f"127.0.0.1:{server.port()}", user="alice", token=PASSWORD) as alice:
            thread = threading.Thread(target=self._talk, args=(alice,))
            thread.start()
            try:
                yield
            finally:
                self._stop = True
                thread.join()

    def _talk(self, alice: BlockingClient) -> None:
        while not self._stop:
            alice.send("bob", str(self.acknowledged))
            with self._news:
                self.acknowledged += 1
                self._news.notify_all()

    def wait_for(self, acknowledged: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.acknowledged >= acknowledged, DEADLINE_SECONDS)


def test_a_backup_under_load_holds_all_that_was_acknowledged_before_and_no_gap(
    tmp_path: Path, server: ServerProcess, start_server: StartServer
) -> None:
    talker = Talker()
    before = []
    with talker.talking(server):
        for number in range(3):
            talker.wait_for(talker.acknowledged + 200)
            before.append(talker.acknowledged)
            rockdove("backup", tmp_path / f"{number}.db", "--data", tmp_path / "data")
        talker.wait_for(talker.acknowledged + 1)
    for number in range(3):
        data = tmp_path / f"restored-{number}"
        rockdove("restore", tmp_path / f"{number}.db", "--data", data)
        restored = start_server(data)
        with BlockingClient(f"127.0.0.1:{restored.port()}", user="bob", token=PASSWORD) as bob:
            (conversation,) = bob.conversations()
            assert before[number] <= conversation.last_seq <= talker.acknowledged + 1
            messages = received(bob, str(conversation.last_seq - 1))
            assert messages == [(seq, str(seq - 1)) for seq in range(1, conversation.last_seq + 1)]


def test_after_an_older_backup_is_restored_no_client_misses_a_message(tmp_path: Path, start_server: StartServer) -> None:
    data = tmp_path / "data"
    add_users(data, ["alice", "bob"])
    server = start_server(data)
    port = server.port()

    def client(user: str, device: str) -> BlockingClient:
        return BlockingClient(
            f"127.0.0.1:{port}",
            user=user,
            token=PASSWORD,
            device=device,
            outbox=tmp_path / f"{user}-{device}",
            jitter=lambda: 0.1,
        )

    with client("bob", "phone") as phone:
        with client("alice", "laptop") as alice, client("bob", "tablet") as tablet:
            alice.send("bob", "before")
            received(phone, "before")
            received(tablet, "before")
            rockdove("backup", tmp_path / "copy.db", "--data", data)
            for number in range(20):
                alice.send("bob", f"lost {number}")
            received(phone, "lost 19")
            received(tablet, "lost 19")
        server.stop()
        rockdove("restore", tmp_path / "copy.db", "--data", data)
        start_server(data, "--tcp", f"127.0.0.1:{port}").port()

        # Bob's phone was connected all the time, his tablet comes back with what is in its file.
        with client("alice", "laptop") as alice, client("bob", "tablet") as tablet:
            for number in range(5):
                alice.send("bob", f"new {number}")
            for bob in (phone, tablet):
                assert come_back(bob).epoch_changed
                new = [(seq, text) for seq, text in received(bob, "new 4") if text != "before"]
                assert new == [(seq, f"new {seq - 2}") for seq in range(2, 7)]
