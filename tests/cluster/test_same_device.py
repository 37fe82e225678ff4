"""The same device logs in at two nodes at once, again and again: one of the two is left, with or without a bus."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.cluster.installation import Installation, in_thread
from tests.process import PASSWORD
from tests.raw import DEADLINE_SECONDS, Closed, RawClient, text_message

ROUNDS = 15
ROUNDS_WITHOUT_BUS = 4
BEAT_SECONDS = 0.2

pytestmark = pytest.mark.crash


async def log_in(port: int) -> RawClient | None:
    """None: another login was faster, and this one was told so."""
    client = await RawClient.connect(port)
    with suppress(Closed):
        conack = await client.login("alice", PASSWORD, "phone")
        assert conack.status == pb.STATUS_OK, conack
        return client
    await client.close()
    return None


async def until_replaced(client: RawClient) -> None:
    """Heartbeats, until the server says that the device is elsewhere."""
    with suppress(Closed):
        while True:
            await client.ping()
            await asyncio.sleep(BEAT_SECONDS)
    last = await client.disconnected()
    assert last is not None
    assert last.code == pb.REPLACED


async def the_one_that_is_left(clients: Sequence[RawClient]) -> RawClient:
    replaced = {asyncio.create_task(until_replaced(client)): client for client in clients}
    while len(replaced) > 1:
        done, _ = await asyncio.wait(replaced, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
            await replaced.pop(task).close()
    [(task, left)] = replaced.items()
    task.cancel()
    await asyncio.wait((task,))
    return left


async def collide(installation: Installation, seqid: int) -> None:
    logged_in = await asyncio.gather(*(log_in(port) for port in installation.ports * 2))
    async with asyncio.timeout(DEADLINE_SECONDS):
        left = await the_one_that_is_left([client for client in logged_in if client is not None])
    for _ in range(2):  # and it stays
        await left.ping()
    answer = await left.send(seqid, text_message("alice", "still here"))
    assert (answer.code, pb.Sent.FromString(answer.payload).seq) == (pb.OK, seqid)
    await left.close()


def test_of_a_device_at_two_nodes_one_session_is_left(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        for number in range(1, ROUNDS + 1):
            await collide(installation, number)
        await in_thread(installation.nats.kill)
        for number in range(ROUNDS + 1, ROUNDS + ROUNDS_WITHOUT_BUS + 1):
            await collide(installation, number)

    with Installation.running(tmp_path, ("alice",)) as installation:
        asyncio.run(scenario(installation))
        installation.assert_no_fault()
