"""What is on disk when a call returns, and who may open it."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rockdove.client.errors import OutboxInUse, OutboxUnusable
from rockdove.client.storage import Place, Storage
from tests.unit.client.peer import OWNER

BOB = (0, "bob")


def test_what_was_added_and_settled_survives(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    one = storage.add(BOB, b"one", 0)
    two = storage.add(BOB, b"two", 8)
    storage.settle(one.number, Place(BOB, 3, ((5, 6), (9, 9))))
    storage.close()
    storage = Storage(tmp_path / "outbox", OWNER)
    assert list(storage.unsent()) == [two]
    assert list(storage.places()) == [Place(BOB, 3, ((5, 6), (9, 9)))]


def test_a_message_is_on_disk_when_post_returns_even_after_kill_9(tmp_path: Path) -> None:
    program = f"""
import os, signal
from rockdove.client.storage import Storage
storage = Storage({str(tmp_path / "outbox")!r}, {OWNER!r})
for number in range(20):
    storage.add((0, "bob"), b"%d" % number, 0)
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    told = killed.stdout.split()
    assert [each.body.decode() for each in Storage(tmp_path / "outbox", OWNER).unsent()] == told
    assert len(told) == 20


def test_every_transaction_is_synchronised_to_the_disk(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    assert storage._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_file_is_for_its_owner_s_eyes_only(tmp_path: Path) -> None:
    Storage(tmp_path / "outbox", OWNER).add(BOB, b"secret", 0)
    for file in tmp_path.iterdir():
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file


def test_one_process_at_a_time(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    with pytest.raises(OutboxInUse, match="in use"):
        Storage(tmp_path / "outbox", OWNER)
    storage.close()
    Storage(tmp_path / "outbox", OWNER).close()


def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    program = f"""
from rockdove.client.storage import Storage
storage = Storage({str(tmp_path / "outbox")!r}, {OWNER!r})
print("open", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(OutboxInUse):
            Storage(tmp_path / "outbox", OWNER)
        process.kill()
        process.wait(60)
    Storage(tmp_path / "outbox", OWNER).close()


def test_the_outbox_of_somebody_else_is_refused(tmp_path: Path) -> None:
    Storage(tmp_path / "outbox", OWNER).close()
    with pytest.raises(OutboxUnusable, match="belongs to alice@default/default, not to bob"):
        Storage(tmp_path / "outbox", "bob@default/default")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "outbox") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutboxUnusable, match="newer version"):
        Storage(tmp_path / "outbox", OWNER)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100])
def test_another_kind_of_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "outbox").write_bytes(content)
    with pytest.raises(OutboxUnusable, match="not a database"):
        Storage(tmp_path / "outbox", OWNER)


def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutboxUnusable, match="No such file or directory"):
        Storage(tmp_path / "missing" / "outbox", OWNER)


def test_the_device_id_stays_with_the_file(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    device = storage.device(None)
    assert device
    assert storage.device("chosen") == "chosen"
    storage.close()
    assert Storage(tmp_path / "outbox", OWNER).device(None) == device
    assert Storage(tmp_path / "another", OWNER).device(None) != device
    assert Storage(None, OWNER).device(None) == ""


def test_another_epoch_voids_the_places(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    storage.set_epoch(7)
    storage.save([Place(BOB, 3, ())])
    storage.set_epoch(2**64 - 1)
    assert list(storage.places()) == []
    assert storage.epoch() == 2**64 - 1


@pytest.mark.parametrize("read", ["unsent", "places", "epoch", "device"])
def test_a_file_that_can_no_longer_be_read_is_told_as_such(tmp_path: Path, read: str) -> None:
    storage = Storage(tmp_path / "outbox", OWNER)
    storage.close()
    reads = {
        "unsent": lambda: list(storage.unsent()),
        "places": lambda: list(storage.places()),
        "epoch": storage.epoch,
        "device": lambda: storage.device(None),
    }
    with pytest.raises(OutboxUnusable, match="cannot be used"):
        reads[read]()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox").touch(mode=0)
    with pytest.raises(OutboxUnusable, match="cannot be"):
        Storage(tmp_path / "outbox", OWNER)
