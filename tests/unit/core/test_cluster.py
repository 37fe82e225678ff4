"""This node among others: what is told after a long absence."""

from asyncio import run
from types import SimpleNamespace

from rockdove.core.cluster import LONG_MS, Cluster
from rockdove.core.neighbours import BEAT_MS
from tests.protocol.virtual import Journal

HERE = 1


def test_a_node_that_could_not_say_that_it_lives_for_long_tells_anew_who_is_there() -> None:
    clock, presence, journal = SimpleNamespace(at_ms=1_000_000), SimpleNamespace(announced=0), Journal()
    heard = SimpleNamespace(beat=True)

    async def beat() -> bool:
        return heard.beat

    def announce() -> None:
        presence.announced += 1

    scheduler = SimpleNamespace(now_ms=lambda: clock.at_ms)
    neighbours = SimpleNamespace(number=HERE, beat=beat)
    unused, told = SimpleNamespace(), SimpleNamespace(announce=announce)
    cluster = Cluster(unused, told, neighbours, scheduler, journal, None)  # type: ignore[arg-type]
    run(cluster.live_on())
    for later_ms, reaches_the_store, announced in (
        (BEAT_MS, True, 0),
        (LONG_MS, False, 0),
        (BEAT_MS, False, 0),
        (BEAT_MS, True, 1),
        (BEAT_MS, True, 1),
    ):
        clock.at_ms += later_ms
        heard.beat = reaches_the_store
        run(cluster.live_on())
        assert presence.announced == announced
