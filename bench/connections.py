"""How many connections this machine holds: several servers, each on a data directory of its own, and as many crowds of clients.

Measured: memory of the servers and of the kernel for each connection, CPU with heartbeats, what a message costs among them, and
how soon all are back, with resume tokens, after all servers were killed and started again.
"""

import argparse
import asyncio
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from rockdove.auth import TokenAuth
from rockdove.bench.usage import Usage, usage
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database, transaction
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

DEVICE = "phone"
TALKERS = 2  # of each server, who are not in the crowd
SYSTEM_KB = {"Slab", "KernelStack", "PageTables"}  # of /proc/meminfo, that grow with connections


class Shard:
    """One server, its crowd, and the two that talk."""

    def __init__(self, directory: Path, port: int, clients: int, heartbeat: float) -> None:
        self.directory = directory
        self.port = port
        self.clients = clients
        self._heartbeat = heartbeat
        self.figures = {"live": 0, "pongs": 0, "lost": 0, "turned_away": 0}  # of the crowd
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connects = self.directory / "connects"
        self._talkers = self.directory / "talkers"
        if not self._talkers.exists():
            self._prepare()
        decoder = FrameDecoder()
        decoder.feed(self._talkers.read_bytes())
        self.talkers = [codec.varint(len(frame)) + frame for frame in decoder.frames()]

    def _prepare(self) -> None:
        """Users with a device each, and their Connect frames with resume tokens."""
        database = open_database(self.directory)
        accounts = SqliteAccounts(database)
        names = [f"u{number:06}" for number in range(self.clients + TALKERS)]
        asyncio.run(accounts.add_users(1, [(name, "") for name in names], 0))
        with transaction(database):
            database.execute(
                "INSERT INTO device (user, name, client, last_seen_ms) SELECT id, ?, '', 0 FROM user ORDER BY id", (DEVICE,)
            )
        (tenant,) = asyncio.run(accounts.tenants())
        users = asyncio.run(accounts.users(tenant.id, "", len(names)))
        auth = TokenAuth(asyncio.run(accounts.signing_key()))
        now_ms = time.time_ns() // 1_000_000
        frames = []
        for user in users:
            token, _ = auth.resume_token(tenant, user, DEVICE, 0, now_ms)
            connect = pb.Connect(org=tenant.org, appkey=tenant.appkey, user=user.name, token=token, device=DEVICE)
            frames.append(codec.frame(pb.Command(version=1, connect=connect)))
        auth.close()
        database.close()
        self._connects.write_bytes(b"".join(frames[: self.clients]))
        self._talkers.write_bytes(b"".join(frames[self.clients :]))

    def serve(self) -> None:
        """Start the server; it listens some time later."""
        command = [
            Path(sys.executable).parent / "rockdove",
            "serve",
            "--data",
            self.directory,
            "--tcp",
            f"127.0.0.1:{self.port}",
        ]
        environment = {**os.environ, "ROCKDOVE_HEARTBEAT_SECONDS": str(math.ceil(self._heartbeat))}
        with (self.directory / "log").open("ab") as log:
            self.server = subprocess.Popen([*command, "--http", "off"], stderr=log, env=environment)
        self._processes.append(self.server)

    def gather(self) -> None:
        """Start the crowd."""
        command = [sys.executable, Path(__file__).with_name("crowd.py"), str(self.port), self._connects]
        self.crowd = subprocess.Popen([*command, "--heartbeat", str(self._heartbeat)], stdout=subprocess.PIPE)
        self._processes.append(self.crowd)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self.crowd.stdout is not None
        for line in self.crowd.stdout:
            self.figures = json.loads(line)

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


class Talker:
    """One who waits for each answer."""

    def __init__(self, port: int, connect: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._decoder = FrameDecoder()
        self.write(connect)
        assert self.read().conack.status == pb.STATUS_OK

    def write(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def read(self) -> pb.Command:
        """The next command."""
        while (frame := next(self._decoder.frames(), None)) is None:
            self._decoder.feed(self._socket.recv(65536))
        return pb.Command.FromString(frame)

    def close(self) -> None:
        self._socket.close()


def talk(shard: Shard, seconds: float) -> list[float]:
    """One writes to the other, one message at a time. Returns, in seconds, how long each took until it was received."""
    alice, bob = (Talker(shard.port, connect) for connect in shard.talkers)
    body = pb.Message(
        payload=pb.MessageTxt(txt="x" * 100).SerializeToString(), to=f"u{shard.clients + 1:06}"
    ).SerializeToString()
    taken = []
    until = time.monotonic() + seconds
    seqid = time.time_ns()
    while (began := time.monotonic()) < until:
        seqid += 1
        alice.write(codec.frame(pb.Command(version=1, request=pb.Request(payload=body, seqid=seqid))))
        pushed = bob.read().request
        taken.append(time.monotonic() - began)
        bob.write(codec.frame(pb.Command(version=1, response=pb.Response(seqid=pushed.seqid))))
        assert alice.read().response.code == pb.OK
    alice.close()
    bob.close()
    return sorted(taken)


class Machine:
    """All shards, and what they use."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards

    def total(self, figure: str) -> int:
        """Of all crowds."""
        return sum(shard.figures[figure] for shard in self._shards)

    def servers(self) -> Usage:
        """What the servers use."""
        return usage(shard.server.pid for shard in self._shards)

    def wait_until(self, done: Callable[[], bool], seconds: float) -> float:
        """Returns how long it took. Raises TimeoutError."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{self.total('live')} are live after {seconds} s")
            if any(shard.crowd.poll() is not None for shard in self._shards):
                raise ChildProcessError("a crowd has ended")
            time.sleep(0.1)
        return time.monotonic() - began


def kernel_bytes() -> int:
    """What the kernel has for itself, buffers of TCP included."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    own = sum(int(words[1]) * 1024 for words in lines if words[0].rstrip(":") in SYSTEM_KB)
    (tcp,) = (line.split() for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return own + int(tcp[tcp.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")


class Measuring:
    """One thing after the other; each is a line of the report."""

    def __init__(self, shards: Sequence[Shard], limit_seconds: float) -> None:
        self._shards = shards
        self._machine = Machine(shards)
        self._limit_seconds = limit_seconds
        self._clients = sum(shard.clients for shard in shards)
        self._idle_rate = 0.0  # CPU seconds a second, of all servers

    def gather(self) -> None:
        """All log in; then memory."""
        machine, clients = self._machine, self._clients
        empty, kernel = machine.servers(), kernel_bytes()
        for shard in self._shards:
            shard.gather()
        took = machine.wait_until(lambda: machine.total("live") == clients, self._limit_seconds)
        full = machine.servers()
        cpu = (full.cpu_seconds - empty.cpu_seconds) / clients
        memory, kernel = (full.rss_bytes - empty.rss_bytes) / clients, kernel_bytes() - kernel
        tell(f"{clients} connections at {len(self._shards)} servers after {took:.1f} s: {cpu * 1e6:.0f} µs of server CPU each")
        tell(f"memory of each: servers {memory:.0f} bytes, kernel, for both ends, {kernel / clients:.0f} bytes")

    def idle(self, seconds: float) -> None:
        """Nothing but heartbeats."""
        machine = self._machine
        before, pongs, began = machine.servers(), machine.total("pongs"), time.monotonic()
        time.sleep(seconds)
        after, beats, passed = machine.servers(), machine.total("pongs") - pongs, time.monotonic() - began
        spent = after.cpu_seconds - before.cpu_seconds
        self._idle_rate = spent / passed
        each = spent / max(beats, 1) * 1e6
        tell(f"heartbeats: {beats / passed:.0f} a second, {self._idle_rate * 100:.1f} % CPU of the servers, {each:.0f} µs each")

    def talk(self, seconds: float) -> None:
        """Two of one server talk; what its idle connections cost is taken off."""
        shard = self._shards[0]
        before, began = usage([shard.server.pid]).cpu_seconds, time.monotonic()
        taken = talk(shard, seconds)
        idle = self._idle_rate / len(self._shards) * (time.monotonic() - began)
        each = (usage([shard.server.pid]).cpu_seconds - before - idle) / len(taken)
        median, late = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
        tell(f"a message among them: {each * 1e6:.0f} µs of server CPU, p50 {median * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms")

    def storm(self) -> None:
        """All servers are killed, and started again."""
        machine, clients = self._machine, self._clients
        for shard in self._shards:
            shard.server.kill()
        for shard in self._shards:
            shard.server.wait()
            shard.serve()
        lost = machine.wait_until(lambda: machine.total("lost") >= clients, self._limit_seconds)
        back = machine.wait_until(lambda: machine.total("live") == clients, self._limit_seconds)
        cpu = machine.servers().cpu_seconds / clients
        tell(f"killed and started again: all back after {lost + back:.1f} s, {cpu * 1e6:.0f} µs of server CPU each, all told")
        tell(f"{machine.total('turned_away')} times somebody was told to come again")


def end(*_: object) -> None:
    """SIGTERM: whoever was started is ended."""
    raise SystemExit(1)


def tell(line: str) -> None:
    """A line of the report, at once."""
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=18_000, help="connections of one server, at most")
    parser.add_argument("--heartbeat", type=float, default=30, help="seconds between the heartbeats of a client")
    parser.add_argument("--port", type=int, default=6310, help="of the first server; the others have the next ones")
    parser.add_argument("--idle", type=float, default=30, help="seconds of nothing but heartbeats")
    parser.add_argument("--talk", type=float, default=10, help="seconds in which two of them talk")
    parser.add_argument("--limit", type=float, default=600, help="seconds that anything may take")
    parser.add_argument("--directory", type=Path, help="where the data directories are, or are to be and stay")
    parser.add_argument("--prepare", action="store_true", help="make them, and measure later")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    count = math.ceil(options.connections / options.each)
    with ExitStack() as stack:
        place = options.directory or stack.enter_context(tempfile.TemporaryDirectory())
        shards = []
        for number in range(count):
            directory = Path(place, str(number))
            clients = (options.connections - number - 1) // count + 1
            shards.append(Shard(directory, options.port + number, clients, options.heartbeat))
        tell(f"{count} data directories are ready")
        if options.prepare:
            return
        for shard in shards:
            stack.enter_context(shard)
        for shard in shards:
            while socket.socket().connect_ex(("127.0.0.1", shard.port)):
                time.sleep(0.1)
        measuring = Measuring(shards, options.limit)
        measuring.gather()
        measuring.idle(options.idle)
        measuring.talk(options.talk)
        measuring.storm()


if __name__ == "__main__":
    main()
