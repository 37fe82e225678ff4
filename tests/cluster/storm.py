"""All clients of one node are cut off at once, and come back to the other."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.crowd import Crowd
from tests.cluster.installation import Installation
from tests.cluster.pulse import Pulse
from tests.process import rockdove

SETTINGS = {"ROCKDOVE_HEARTBEAT_SECONDS": "600"}  # the crowd sends none
OTHERS = ("dave", "erin")


@dataclass(frozen=True, slots=True)
class Storm:
    """What was measured. Times in seconds."""

    clients: int
    first_logins: float  # until all had logged in for the first time, with app tokens
    back: float  # until all were back, with resume tokens
    turned_away: int  # how often somebody was told to come again
    quiet_median: float  # of a message of others before: until it was answered
    median: float  # the same meanwhile
    percentile99: float
    longest: float

    def __str__(self) -> str:
        return (
            f"{self.clients} clients: first logins {self.first_logins:.1f} s, {self.clients / self.first_logins:.0f}/s;"
            f" cut off, all back after {self.back:.1f} s, {self.clients / self.back:.0f}/s,"
            f" {self.turned_away} times told to come again;"
            f" a message of others: p50 {self.quiet_median * 1000:.1f} ms before, {self.median * 1000:.1f} ms meanwhile,"
            f" p99 {self.percentile99 * 1000:.1f} ms, longest {self.longest * 1000:.0f} ms"
        )


async def cut_off(installation: Installation, names: Sequence[str], secret: str) -> Storm:
    """`names` are online at node one, which is killed. Others talk at node two."""
    one, two = installation.port("one"), installation.port("two")
    async with Pulse(OTHERS[0], two, OTHERS[1], two) as pulse:
        await pulse.until_beats(50)
        quiet = [beat.answered - beat.began for beat in pulse.beats if beat.answered]
        began = time.monotonic()
        async with Crowd(names, secret, (one, two)) as crowd:
            first = time.monotonic() - began
            crowd.turned_away = 0
            cut = time.monotonic()
            await asyncio.to_thread(installation.kill, "one")
            await crowd.nobody_online()
            await crowd.all_online()
            back = time.monotonic()
            await pulse.until_beats(1)
            waits = sorted(beat.answered - beat.began for beat in pulse.beats if beat.answered > cut and beat.began < back)
            return Storm(
                len(names),
                first,
                back - cut,
                crowd.turned_away,
                statistics.median(quiet),
                statistics.median(waits),
                waits[len(waits) * 99 // 100],
                waits[-1],
            )


def run_storm(directory: Path, clients: int) -> Storm:
    """With an installation of its own."""
    names = [f"user{number:05}" for number in range(clients)]
    with Installation.running(directory, OTHERS, settings=SETTINGS) as installation:
        secret = rockdove("tenant", "token", "default", "default", "--secret", "--store", installation.store).strip()
        storm = asyncio.run(cut_off(installation, names, secret))
        assert "Traceback" not in installation.nodes["two"].log, installation.nodes["two"].log
        return storm
