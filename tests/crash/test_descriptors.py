"""More connections than file descriptors: those who talk go on, newcomers are turned away until there is room."""

import asyncio
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.conftest import StartServer
from tests.process import PASSWORD, add_users
from tests.raw import DEADLINE_SECONDS, Closed, RawClient, text_message, text_of

pytestmark = pytest.mark.crash

OPEN_FILES = 160
CROWD = 150


async def is_let_in(port: int, device: str, crowd: list[RawClient]) -> bool:
    """Whether a newcomer may log in; if not, it is told so, or at least its connection is closed."""
    try:
        client = await RawClient.connect(port)
        crowd.append(client)
        answer = await client.login("carol", PASSWORD, device)
    except (Closed, OSError):
        return False
    if answer.status == pb.STATUS_FAIL:
        assert answer.code == pb.RESOURCE_EXHAUSTED, answer
        await client.disconnected()
    return answer.status == pb.STATUS_OK


async def scenario(port: int) -> None:
    alice, bob = await RawClient.connect(port), await RawClient.connect(port)
    await alice.login("alice", PASSWORD)
    await bob.login("bob", PASSWORD)

    crowd: list[RawClient] = []
    let_in = await asyncio.gather(*(is_let_in(port, f"device{number}", crowd) for number in range(CROWD)))
    assert 0 < sum(let_in) < OPEN_FILES
    for seqid in range(1, 20):
        answer = await alice.send(seqid, text_message("bob", f"text {seqid}"))
        assert answer.code == pb.OK
        message = await bob.next_message()
        assert text_of(message) == f"text {seqid}"
        bob.ack(message.msgid)

    for client in crowd:
        await client.close()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await is_let_in(port, "late", crowd):
            await asyncio.sleep(0.05)  # the server has to notice first that the crowd has gone
    for client in (alice, bob, *crowd):
        await client.close()


@pytest.mark.parametrize("arguments", [(), ("--proxy-protocol", "10.0.0.0/8")])
def test_server_out_of_descriptors_keeps_those_it_has_and_recovers(
    tmp_path: Path, start_server: StartServer, arguments: tuple[str, ...]
) -> None:
    add_users(tmp_path, ["alice", "bob", "carol"])
    server = start_server(tmp_path, *arguments, wrapper=("prlimit", f"--nofile={OPEN_FILES}:{OPEN_FILES}"))
    asyncio.run(scenario(server.port()))
    server.stop()
