"""The disk refuses to sync: nobody is told OK for something that is not on it, and the server stops.

strace makes one fsync fail, and its log tells when each of the others was done.
"""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.process import PASSWORD, add_users
from tests.raw import Closed, RawClient, text_message, text_of

FAILING_SYNC = 60  # counted from the start of the server
SYNC_DONE = re.compile(r"(?P<start>\d+\.\d+) f(?:data)?sync\(.*\) += 0 <(?P<took>[\d.]+)>")


def can_trace() -> bool:
    return (
        bool(shutil.which("strace"))
        and subprocess.run(["strace", "-D", "-o", "/dev/null", "true"], check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not can_trace(), reason="needs strace and the right to use it: apt-get install strace"),
]


@dataclass(frozen=True)
class Acknowledged:
    """A message that alice was told is stored."""

    seqid: int
    sent: bytes
    asked_at: float  # seconds since the epoch
    answered_at: float


async def send_until_the_end(port: int) -> list[Acknowledged]:
    """One message after the other, until the server is gone."""
    acknowledged: list[Acknowledged] = []
    failed = False
    async with await RawClient.connect(port) as alice:
        await alice.login("alice", PASSWORD)
        try:
            for seqid in range(1, 10 * FAILING_SYNC):
                asked_at = time.time()
                answer = await alice.send(seqid, text_message("bob", f"text {seqid}"))
                assert not (failed and answer.code == pb.OK), "an OK after a failure"
                if answer.code == pb.OK:
                    acknowledged.append(Acknowledged(seqid, answer.payload, asked_at, time.time()))
                failed = answer.code != pb.OK
        except Closed:
            return acknowledged
    pytest.fail("the server goes on after a failed sync")


async def check_all_is_there(port: int, acknowledged: list[Acknowledged]) -> None:
    """A retry gets the same answer, and bob gets the messages."""
    async with await RawClient.connect(port) as alice, await RawClient.connect(port) as bob:
        await alice.login("alice", PASSWORD)
        for message in acknowledged:
            answer = await alice.send(message.seqid, text_message("bob", f"text {message.seqid}"))
            assert (answer.code, answer.payload) == (pb.OK, message.sent)
        await bob.login("bob", PASSWORD)
        for message in acknowledged:
            assert text_of(await bob.next_message()) == f"text {message.seqid}"


def test_failed_sync_stops_the_server_and_no_ok_comes_before_its_sync(tmp_path: Path, start_server: StartServer) -> None:
    data, trace = tmp_path / "data", tmp_path / "trace"
    add_users(data, ["alice", "bob"])
    inject = f"inject=fsync,fdatasync:error=EIO:when={FAILING_SYNC}"
    strace = ("strace", "-D", "-f", "-ttt", "-T", "-o", str(trace), "-e", "trace=fsync,fdatasync", "-e", inject)
    server = start_server(data, wrapper=strace)
    acknowledged = asyncio.run(send_until_the_end(server.port()))
    assert server.wait() not in (0, -9)

    log = trace.read_text()
    assert "EIO" in log
    syncs = [(float(match["start"]), float(match["start"]) + float(match["took"])) for match in SYNC_DONE.finditer(log)]
    assert len(acknowledged) > FAILING_SYNC // 2
    for message in acknowledged:
        in_time = [start for start, end in syncs if message.asked_at <= start and end <= message.answered_at]
        assert in_time, f"{message} was acknowledged without a sync"

    asyncio.run(check_all_is_there(start_server(data).port(), acknowledged))
