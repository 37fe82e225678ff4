"""What only the bus on NATS has to cope with: servers that are away, frozen, wary, slow, shared."""

import asyncio
import resource
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import uvloop

from rockdove.bus import NEWS_BYTES
from rockdove.bus.nats import link
from rockdove.bus.nats.link import UNSENT_BYTES, Access
from rockdove.bus.nats.server import tls_context
from tests.contract.buses import EPOCH, Lines, Node, nats_node, until
from tests.contract.nats_credentials import write_credentials
from tests.engines.nats import NatsServer
from tests.protocol.real import Certificate, make_certificate

StartNats = Callable[..., NatsServer]
SECRET = "s3cret/@:%"
QUOTED = "s3cret%2F%40%3A%25"


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that the server can read, too, whoever it is."""
    with TemporaryDirectory(prefix="rockdove-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def certificate(directory: Path) -> Certificate:
    """For 127.0.0.1."""
    files = make_certificate(directory)
    files.key.chmod(0o644)
    return files


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server counts as frozen after a second."""
    monkeypatch.setattr(link, "STEP_SECONDS", 0.2)
    monkeypatch.setattr(link, "PING_SECONDS", 0.3)
    monkeypatch.setattr(link, "SILENCE_SECONDS", 0.7)


def configured(directory: Path, text: str) -> tuple[str, str]:
    """Options of a server with that configuration."""
    file = directory / "nats.conf"
    file.write_text(text)
    return "--config", str(file)


def play(scenario: Coroutine[Any, Any, None]) -> None:
    uvloop.run(scenario)  # as servers do


async def hear_each_other(one: Node, other: Node) -> None:
    """They do, as they are connected."""
    await one.told(other)
    await other.told(one)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def fails_with(log: Lines, reason: str) -> None:
    """That was the reason, said once, with no secret, however often it was tried."""
    await until(lambda: "bus_unreachable" in log.names)
    await asyncio.sleep(0.5)
    [(_, fields)] = log.events
    assert reason in str(fields["reason"])
    assert SECRET not in str(log.events)
    assert QUOTED not in str(log.events)


# -- servers that are away


def test_a_node_starts_without_the_server_and_finds_it_later(start_nats: StartNats) -> None:
    server = start_nats()
    server.kill()

    async def scenario() -> None:
        log = Lines()
        start = time.monotonic()
        async with nats_node(server.url, log) as node:
            assert time.monotonic() - start < 4
            assert not node.bus.connected
            node.bus.attend("user.1")
            await fails_with(log, "")
            server.start()
            await until(lambda: node.bus.connected)
            await until(lambda: node.gaps == 1)
            async with nats_node(server.url) as other:
                other.bus.ring("user.1", b"x")
                await other.told(node)
                assert node.heard == [("user.1", b"x")]
                assert other.gaps == 0
        assert log.names == ["bus_unreachable", "bus_connected"]

    play(scenario())


def test_a_node_goes_to_another_server_of_the_cluster(start_nats: StartNats, nats: NatsServer) -> None:
    first = start_nats()

    async def scenario() -> None:
        log = Lines()
        async with nats_node(f"{first.url},{nats.url}", log) as node:
            first.kill()
            await until(lambda: ("bus_connected", {"server": nats.address}) in log.events)
            async with nats_node(nats.url) as other:
                await hear_each_other(node, other)

    play(scenario())


def test_what_was_left_while_the_server_was_away_stays_left(start_nats: StartNats) -> None:
    server = start_nats()

    async def scenario() -> None:
        async with nats_node(server.url) as node, nats_node(server.url) as other:
            node.bus.attend("user.1")
            await node.bus.settled()
            server.kill()
            await until(lambda: not node.bus.connected)
            for topic in ("user.1", "user.2"):
                node.bus.attend(topic)
                node.bus.leave(topic)
            server.start()
            await until(lambda: node.bus.connected and other.bus.connected)
            for topic in ("user.1", "user.2"):  # at once: the server knows of nobody
                assert await asyncio.wait_for(other.bus.ask(topic, b"?", 1, 60_000), 10) == []
            assert node.asked == []

    play(scenario())


def test_the_death_of_a_server_is_logged_once_with_its_return(start_nats: StartNats) -> None:
    server = start_nats()

    async def scenario() -> None:
        log = Lines()
        async with nats_node(server.url, log) as node:
            server.kill()
            await until(lambda: "bus_unreachable" in log.names)
            await asyncio.sleep(1)
            server.start()
            await until(lambda: node.bus.connected)
        assert log.names == ["bus_connected", "bus_lost", "bus_unreachable", "bus_connected"]

    play(scenario())


@pytest.mark.usefixtures("impatient")
def test_a_frozen_server_blocks_nobody_and_what_waits_for_it_is_bounded(start_nats: StartNats) -> None:
    server = start_nats()

    async def scenario() -> None:
        log = Lines()
        async with nats_node(server.url, log) as node, nats_node(server.url) as other:
            descriptors = open_descriptors()
            server.pause()
            before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            start = time.monotonic()
            for number in range(200):
                for _ in range(20):
                    node.bus.ring("user.1", b"x" * 50_000)
                node.bus.attend(f"user.{number}")
                await asyncio.sleep(0)
            await node.bus.settled()
            await until(lambda: not node.bus.connected)
            assert time.monotonic() - start < 5
            grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
            assert grown_kib < 8 * UNSENT_BYTES // 1024  # of 200 MB
            assert log.names[:2] == ["bus_connected", "bus_slow"]
            assert ("bus_lost", {"server": server.address, "reason": "the server does not answer"}) in log.events
            await until(lambda: open_descriptors() == descriptors - 2)  # between two tries of both
            server.resume()
            await until(lambda: node.bus.connected and other.bus.connected)
            await until(lambda: node.gaps > 0)
            other.bus.ring("user.199", b"x")
            await other.told(node)
            # What the frozen server had taken in before may come late.
            assert [ring for ring in node.heard if ring[0] != "user.1"] == [("user.199", b"x")]

    play(scenario())


def test_a_node_that_hears_too_slowly_holds_little_and_knows_that_it_missed_something(
    start_nats: StartNats, directory: Path
) -> None:
    server = start_nats(*configured(directory, 'max_pending: 2MB\nwrite_deadline: "500ms"\n'))

    async def scenario() -> None:
        log = Lines()
        async with nats_node(server.url, log) as slow, nats_node(server.url) as other:
            slow.bus.attend("user.1")
            await slow.bus.settled()
            slow.on_ring = lambda topic, news: time.sleep(0.02)
            before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            async with asyncio.timeout(60):
                while "bus_lost" not in log.names:
                    for _ in range(20):
                        other.bus.ring("user.1", b"x" * 100_000)
                    await asyncio.sleep(0)
            slow.on_ring = lambda topic, news: None
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 8 * UNSENT_BYTES // 1024
            await slow.until(lambda: slow.gaps == 1)
            await other.told(slow)

    play(scenario())


def test_settled_is_what_the_server_has_answered_for_after_it_was_told() -> None:
    told: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload":1048576}\r\n')
        async for line in reader:
            told.append(line.split()[0])
            if told[-1] == b"PING":
                writer.write(b"PONG\r\n")
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        async with server, nats_node(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}") as node:
            for _ in range(20):
                told.clear()
                others = asyncio.ensure_future(node.bus.settled())
                await asyncio.sleep(0)
                node.bus.attend("user.1")
                await node.bus.settled()
                assert told[told.index(b"SUB") :].count(b"PING") >= 1
                node.bus.leave("user.1")
                await others

    play(scenario())


# -- servers that are wary


@pytest.mark.parametrize("url", ["nats://other:wrong@{}", "nats://rockdove@{}", "nats://{}"])
def test_a_server_that_does_not_know_us_is_told_of_and_tried_again(start_nats: StartNats, url: str) -> None:
    server = start_nats("--user", "rockdove", "--pass", SECRET)

    async def scenario() -> None:
        log = Lines()
        async with nats_node(url.format(server.address), log) as node:
            await fails_with(log, "Authorization Violation")
            assert not node.bus.connected

    play(scenario())


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (("--user", "rock dove", "--pass", SECRET), f"nats://rock%20dove:{QUOTED}@{{}}"),
        (("--auth", SECRET), f"nats://{QUOTED}@{{}}"),
    ],
    ids=["password", "token"],
)
def test_a_password_or_token_stands_in_the_url(start_nats: StartNats, options: tuple[str, ...], url: str) -> None:
    server = start_nats(*options)

    async def scenario() -> None:
        log = Lines()
        async with nats_node(url.format(server.address), log) as node:
            await until(lambda: node.bus.connected)
        assert SECRET not in str(log.events)

    play(scenario())


def test_a_file_of_credentials_lets_in_and_nothing_else_does(start_nats: StartNats, directory: Path) -> None:
    config, credentials = write_credentials(directory)
    server = start_nats("--config", str(config))

    async def scenario() -> None:
        log = Lines()
        access = Access(credentials)
        async with nats_node(server.url, access=access) as one, nats_node(server.url, access=access) as other:
            await hear_each_other(one, other)
        async with nats_node(server.url, log, access=Access(directory / "missing.creds")):
            await fails_with(log, "missing.creds")

    play(scenario())


def test_tls_is_spoken_with_whom_the_ca_vouches_for(start_nats: StartNats, certificate: Certificate) -> None:
    server = start_nats(
        "--tls", "--tlscert", str(certificate.cert), "--tlskey", str(certificate.key), "--user", "a", "--pass", SECRET
    )
    url = f"tls://a:{QUOTED}@{server.address}"

    async def scenario() -> None:
        access, log = Access(tls=tls_context(certificate.cert)), Lines()
        async with nats_node(url, access=access) as one, nats_node(url.replace("tls:", "nats:"), access=access) as other:
            await hear_each_other(one, other)
        async with nats_node(url, log):
            await fails_with(log, "self-signed certificate")
        log = Lines()
        async with nats_node(url.replace("127.0.0.1", "localhost"), log, access=access):
            await fails_with(log, "localhost")

    play(scenario())


def test_a_server_may_want_a_certificate_of_ours(start_nats: StartNats, certificate: Certificate) -> None:
    files = ("--tlscert", str(certificate.cert), "--tlskey", str(certificate.key), "--tlscacert", str(certificate.cert))
    server = start_nats("--tls", "--tlsverify", *files)

    async def scenario() -> None:
        log = Lines()
        known = Access(tls=tls_context(certificate.cert, certificate.cert, certificate.key))
        async with nats_node(server.url, access=known) as one, nats_node(server.url, access=known) as other:
            await hear_each_other(one, other)
        async with nats_node(server.url, log, access=Access(tls=tls_context(certificate.cert))) as unknown:
            await until(lambda: "bus_unreachable" in log.names)
            assert not unknown.bus.connected

    play(scenario())


@pytest.mark.parametrize("by", ["url", "ca"])
def test_nothing_is_said_without_tls_where_it_is_wanted(certificate: Certificate, by: str) -> None:
    said: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"auth_required":true,"max_payload":1048576}\r\n')
        said.append(await reader.read())
        writer.close()

    async def scenario() -> None:
        stranger = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = stranger.sockets[0].getsockname()[1]
        log = Lines()
        access = Access(tls=tls_context(certificate.cert) if by == "ca" else None)
        async with stranger, nats_node(f"{'tls' if by == 'url' else 'nats'}://a:{QUOTED}@127.0.0.1:{port}", log, access=access):
            await fails_with(log, "does not offer TLS")
            assert set(said) == {b""}

    play(scenario())


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        tls_context(tmp_path / "ca.pem")
    with pytest.raises(FileNotFoundError):
        tls_context(tmp_path / "missing.pem")


# -- servers that are shared, or take less


def test_two_stores_on_one_server_do_not_hear_each_other(nats: NatsServer) -> None:
    async def scenario() -> None:
        async with (
            nats_node(nats.url) as ours,
            nats_node(nats.url) as sibling,
            nats_node(nats.url, epoch=EPOCH + 1) as stranger,
        ):
            for node in (ours, stranger):
                node.bus.attend("user.1")
                await node.bus.settled()
            sibling.bus.ring("user.1", b"x")
            await sibling.told(ours)
            await stranger.bus.settled()
            assert ours.heard == [("user.1", b"x")]
            stranger.bus.leave("user.1")
            await stranger.bus.settled()
            assert await asyncio.wait_for(stranger.bus.ask("user.1", b"?", 1, 60_000), 10) == []
            assert stranger.heard == ours.asked == []

    play(scenario())


def test_a_server_that_takes_less_than_we_say_is_told_of_once(start_nats: StartNats, nats: NatsServer, directory: Path) -> None:
    server = start_nats(*configured(directory, "max_payload: 64KB\n"))

    async def scenario() -> None:
        log = Lines()
        async with nats_node(server.url, log) as sender, nats_node(server.url) as hearer:
            hearer.bus.attend("user.1")
            await hearer.bus.settled()
            for news in (b"x" * 65_537, b"y" * NEWS_BYTES, b"z"):
                sender.bus.ring("user.1", news)
            await sender.told(hearer)
            assert hearer.heard == [("user.1", b"z")]
            assert log.names == ["bus_connected", "bus_takes_less"]
        async with nats_node(nats.url, log) as sender, nats_node(nats.url) as hearer:
            hearer.bus.attend("user.1")
            await hearer.bus.settled()
            sender.bus.ring("user.1", b"y" * NEWS_BYTES)
            await sender.told(hearer)
            assert hearer.heard == [("user.1", b"y" * NEWS_BYTES)]

    play(scenario())


def test_what_the_server_does_not_allow_is_told_of_once(start_nats: StartNats, directory: Path) -> None:
    allowed = f'permissions: {{ publish: ["rockdove.{EPOCH:x}.mark"], subscribe: ["rockdove.{EPOCH:x}.mark"] }}'
    server = start_nats(*configured(directory, f"authorization {{ users = [ {{ user: a, password: b, {allowed} }} ] }}\n"))

    async def scenario() -> None:
        log = Lines()
        async with nats_node(f"nats://a:b@{server.address}", log) as one, nats_node(f"nats://a:b@{server.address}") as other:
            for topic in ("user.1", "user.2"):
                one.bus.attend(topic)
                one.bus.ring(topic, b"x")
            await one.bus.settled()
            await hear_each_other(one, other)
            assert log.names == ["bus_refused", "bus_connected"]

    play(scenario())


def test_what_was_rung_before_the_end_is_heard(nats: NatsServer) -> None:
    async def scenario() -> None:
        async with nats_node(nats.url) as hearer:
            hearer.bus.attend("user.1")
            await hearer.bus.settled()
            async with nats_node(nats.url) as sender:
                for _ in range(1_000):
                    sender.bus.ring("user.1", b"x" * 1_000)
            await hearer.until(lambda: len(hearer.heard) == 1_000)

    play(scenario())
