"""The disk is full: sending waits, everything else goes on, and nothing is lost."""

import asyncio
import errno
import subprocess
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.process import PASSWORD, add_users
from tests.raw import DEADLINE_SECONDS, RawClient, text_message, text_of

MOUNT = ("unshare", "--mount", "--map-root-user", "sh", "-c")
DISK_BYTES = 16 * 1024 * 1024


def can_mount() -> bool:
    try:
        return subprocess.run([*MOUNT, "mount -t tmpfs tmpfs /mnt"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not can_mount(), reason="needs root, or user namespaces: a disk of its own is mounted for the test"),
]


def fill(disk: Path) -> Path:
    """Leave no space; the file to remove when there shall be some again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return ballast


def long_text(seqid: int) -> str:
    return f"text {seqid} ".ljust(10_000, ".")


class Talk:
    """alice writes to bob."""

    def __init__(self, alice: RawClient) -> None:
        self._alice = alice
        self.sent: list[str] = []

    async def send(self) -> int:
        """Send the next text, or again the one that was refused; the code of the answer."""
        seqid = len(self.sent) + 1
        answer = await self._alice.send(seqid, text_message("bob", long_text(seqid)))
        if answer.code == pb.OK:
            assert pb.Sent.FromString(answer.payload).seq == seqid
            self.sent.append(long_text(seqid))
        return answer.code


async def scenario(port: int, disk: Path) -> None:
    alice, bob = await RawClient.connect(port), await RawClient.connect(port)
    await alice.login("alice", PASSWORD)
    await bob.login("bob", PASSWORD)
    talk = Talk(alice)
    for _ in range(10):
        assert await talk.send() == pb.OK

    ballast = fill(disk)
    while (code := await talk.send()) == pb.OK:
        assert len(talk.sent) * 10_000 < 2 * DISK_BYTES, "the disk is not full"
    assert code == pb.UNAVAILABLE

    # Reading and acknowledging go on, and the sender is told again.
    heard = [await bob.next_message() for _ in talk.sent[:200]]
    for message in heard:
        bob.ack(message.msgid)
    heard += [await bob.next_message() for _ in talk.sent[len(heard) :]]
    assert [text_of(message) for message in heard] == talk.sent
    bob.ack(heard[-1].msgid)
    await bob.ping()
    pulled = await bob.pull("alice", after=5, limit=3)
    assert [text_of(message) for message in pulled.messages] == talk.sent[5:8]
    assert await talk.send() == pb.UNAVAILABLE

    ballast.unlink()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await talk.send() != pb.OK:
            await asyncio.sleep(0.05)
    last = await bob.next_message()
    assert text_of(last) == talk.sent[-1]
    bob.ack(last.msgid)
    await bob.ping()

    # The acks were only held back: nothing comes again.
    await bob.close()
    bob = await RawClient.connect(port)
    await bob.login("bob", PASSWORD)
    assert await talk.send() == pb.OK
    assert text_of(await bob.next_message()) == talk.sent[-1]
    await alice.close()
    await bob.close()


def test_full_disk_refuses_sends_serves_reads_and_recovers_by_itself(tmp_path: Path, start_server: StartServer) -> None:
    disk, prepared = tmp_path / "disk", tmp_path / "prepared"
    disk.mkdir()
    add_users(prepared, ["alice", "bob"])
    script = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && cp -r "$1/." "$0" && shift && exec "$@"'
    server = start_server(disk, wrapper=(*MOUNT, script, str(disk), str(prepared)))
    port = server.port()
    asyncio.run(scenario(port, Path(f"/proc/{server.pid}/root{disk}")))
    server.stop()
