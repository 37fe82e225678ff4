"""Which file, and so which device, a chat takes."""

from pathlib import Path

import pytest

from rockdove.cli.chat.outboxes import outbox_path, start_client
from rockdove.client import OutboxInUse


class FakeClient:
    """Knows which files are taken."""

    def __init__(self, path: Path, taken: set[str]) -> None:
        self.path = path
        self._taken = taken

    def start(self) -> None:
        if self.path.name in self._taken:
            raise OutboxInUse(str(self.path))
        self._taken.add(self.path.name)


def test_the_state_directory_of_the_user_is_kept_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = outbox_path("alice", "acme", "shop", "[::1]:5181", None)
    assert path.parent == tmp_path / "rockdove"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert outbox_path("alice", "a", "b", "c", None).parent == tmp_path / ".local" / "state" / "rockdove"


def test_the_order_in_which_nodes_are_named_makes_no_other_device() -> None:
    assert outbox_path("alice", "a", "b", "one,two:2", None) == outbox_path("alice", "a", "b", "two:2, one", None)
    assert outbox_path("alice", "a", "b", "one", None) != outbox_path("alice", "a", "b", "one,two:2", None)


def test_everybody_has_a_file_of_their_own() -> None:
    names = [
        outbox_path(*who)
        for who in [
            ("alice", "acme", "shop", "host:1", None),
            ("alice", "acme", "shop", "host:2", None),
            ("alice", "acme", "shop", "host:1", "tablet"),
            ("bob", "acme", "shop", "host:1", None),
            ("alice", "other", "shop", "host:1", None),
        ]
    ]
    assert len(set(names)) == 5


def test_the_server_cannot_lead_out_of_the_directory() -> None:
    path = outbox_path("alice", "acme", "shop", "../../etc/x", None)
    assert "/" not in path.name
    assert path.parent.name == "rockdove"


def test_a_second_chat_is_another_device_and_comes_back_as_it(tmp_path: Path) -> None:
    taken: set[str] = set()
    path = tmp_path / "state" / "alice.outbox"
    chats = [start_client(lambda path: FakeClient(path, taken), path, fixed=False) for _ in range(3)]  # type: ignore[arg-type, return-value]
    assert [chat.path.name for chat in chats] == ["alice.outbox", "alice.2.outbox", "alice.3.outbox"]  # type: ignore[attr-defined]
    taken.remove("alice.2.outbox")
    again = start_client(lambda path: FakeClient(path, taken), path, fixed=False)  # type: ignore[arg-type, return-value]
    assert again.path.name == "alice.2.outbox"  # type: ignore[attr-defined]


def test_a_device_that_was_named_is_that_one_or_none(tmp_path: Path) -> None:
    taken = {"alice.outbox"}
    with pytest.raises(OutboxInUse):
        start_client(lambda path: FakeClient(path, taken), tmp_path / "alice.outbox", fixed=True)  # type: ignore[arg-type, return-value]
