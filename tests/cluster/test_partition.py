"""A node is cut off from the database, from the bus, or from both, while its clients stay with it.

It lives in a network namespace of its own, with a link to each of them; a cut link swallows what is sent. Only root may do so.
"""

import asyncio
import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import PASSWORD, ROCKDOVE, ServerProcess, add_users
from tests.raw import RawClient, text_message, text_of

STORE, BUS, CLIENTS = range(3)  # links
CUTS = ([STORE], [BUS], [STORE, BUS])
NOBODY_MAC = "02:00:00:00:00:01"
STALL_SECONDS = 8.0  # of those who are not cut off
BEAT_SECONDS = 0.2
SETTINGS = {"ROCKDOVE_HEARTBEAT_SECONDS": "20", "ROCKDOVE_DRAIN_SECONDS": "0"}

pytestmark = pytest.mark.crash


def ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True)


class Island:
    """A namespace, and its links to this one."""

    def __init__(self) -> None:
        self.name = f"rockdove-{secrets.token_hex(3)}"
        self._first = secrets.randbelow(64) * 4  # of the third bytes of its addresses
        ip("netns", "add", self.name)
        for link in (STORE, BUS, CLIENTS):
            device = self._device(link)
            ip("link", "add", device, "type", "veth", "peer", "name", device, "netns", self.name)
            for where, address in (((), self.here(link)), (("-n", self.name), self.there(link))):
                ip(*where, "addr", "add", f"{address}/30", "dev", device)
                ip(*where, "link", "set", device, "up")

    def close(self) -> None:
        ip("netns", "del", self.name)

    def here(self, link: int) -> str:
        return f"10.213.{self._first + link}.1"

    def there(self, link: int) -> str:
        return f"10.213.{self._first + link}.2"

    def _device(self, link: int) -> str:
        return f"{self.name[-6:]}-{link}"

    def cut(self, link: int) -> None:
        """From now on what is sent either way gets lost."""
        ip("neigh", "replace", self.there(link), "lladdr", NOBODY_MAC, "nud", "permanent", "dev", self._device(link))
        address = ("neigh", "replace", self.here(link), "lladdr", NOBODY_MAC, "nud", "permanent", "dev", self._device(link))
        ip("-n", self.name, *address)

    def heal(self, link: int) -> None:
        ip("neigh", "del", self.there(link), "dev", self._device(link))
        ip("-n", self.name, "neigh", "del", self.here(link), "dev", self._device(link))


@pytest.fixture
def island() -> Iterator[Island]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces are made by root only")
    try:
        made = Island()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    with closing(made):
        yield made


@asynccontextmanager
async def online(host: str, port: int, user: str) -> AsyncIterator[RawClient]:
    async with await RawClient.connect(port, host=host) as client:
        assert (await client.login(user, PASSWORD, "")).status == pb.STATUS_OK
        yield client


async def heard(client: RawClient) -> pb.Message:
    """The next message, which a heartbeat finds if nothing else does."""
    waiting = asyncio.create_task(client.next_message())
    while not (await asyncio.wait((waiting,), timeout=BEAT_SECONDS))[0]:
        client.write(pb.Command(version=1, ping=pb.Ping()))
    message = waiting.result()
    client.ack(message.msgid)
    return message


async def insist(client: RawClient, seqid: int, message: pb.Message) -> pb.Sent:
    """Until it is stored."""
    while (answer := await client.send(seqid, message)).code == pb.UNAVAILABLE:
        await asyncio.sleep(BEAT_SECONDS)
    assert answer.code == pb.OK, answer
    return pb.Sent.FromString(answer.payload)


async def through(island: Island, links: Sequence[int], near: ServerProcess, far: ServerProcess) -> None:
    """Alice is at the node that is well, bob at the one that is cut off."""
    async with (
        online("127.0.0.1", near.port(), "alice") as alice,
        online(island.there(CLIENTS), far.port(), "bob") as bob,
    ):
        for client, other, peer in ((alice, bob, "bob"), (bob, alice, "alice")):
            await insist(client, 1, text_message(peer, "hello"))
            assert text_of(await heard(other)) == "hello"
            await other.ping()  # its login has come to its end
        for link in links:
            island.cut(link)
        began = time.monotonic()
        first = await insist(alice, 2, text_message("bob", "one"))
        print(f"cut {links}: the others wait {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < STALL_SECONDS
        if STORE in links:
            assert (await bob.send(2, text_message("alice", "two"))).code == pb.UNAVAILABLE
        for link in links:
            island.heal(link)
        healed = time.monotonic()
        second = await insist(bob, 2, text_message("alice", "two"))
        print(f"healed: stored again after {time.monotonic() - healed:.2f} s")
        assert (first.seq, second.seq) == (3, 4)
        assert text_of(await heard(bob)) == "one"
        assert text_of(await heard(alice)) == "two"
        log = await alice.pull("bob")
        assert [(message.seq, text_of(message)) for message in log.messages[2:]] == [(3, "one"), (4, "two")]


@pytest.mark.parametrize("links", CUTS)
def test_a_node_that_is_cut_off_holds_up_nobody_else_and_goes_on_once_it_is_not(
    tmp_path: Path, island: Island, links: Sequence[int]
) -> None:
    addresses = {"listen_addresses": f"127.0.0.1,{island.here(STORE)}"}
    with (
        closing(PostgresServer(addresses)) as postgres,
        closing(NatsServer("--addr", island.here(BUS))) as nats,
    ):
        postgres.admit(f"{island.there(STORE)}/32")
        add_users(postgres.dsn(), ("alice", "bob"))
        bus = f"nats://{island.here(BUS)}:{nats.port}"
        arguments = ("--bus", bus, "--store")
        near = ServerProcess(tmp_path, *arguments, postgres.dsn(), environment=SETTINGS)
        far = ServerProcess(
            tmp_path,
            *(*arguments, postgres.dsn().replace("127.0.0.1", island.here(STORE))),
            *("--tcp", f"{island.there(CLIENTS)}:0"),
            program=("ip", "netns", "exec", island.name, str(ROCKDOVE)),
            environment=SETTINGS,
        )
        try:
            for node in (near, far):
                node.wait_for_event("bus_connected")
                node.wait_for_event("ready")
            asyncio.run(through(island, links, near, far))
            assert "Traceback" not in near.log + far.log
        finally:
            near.kill()
            far.kill()
