"""What Prometheus reads is what happened."""

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rockdove.core.errors import StoreUnavailable
from rockdove.core.figures import SECONDS, Histogram
from rockdove.server.metrics import Metrics
from tests.protocol.storage import make_storage
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import live
from tests.raw import sending, text_message


class Watched:
    """A node, and what its metrics say."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.listener = SimpleNamespace(connections=set(), refused=0, headers_refused=0)
        self.pulse = SimpleNamespace(lag=Histogram(SECONDS), worst_seconds=0.25)
        self._metrics = Metrics(world.node, {"tcp": self.listener}, self.pulse)  # type: ignore[dict-item, arg-type]

    def samples(self) -> dict[tuple[str, str], float]:
        """Values by name and label."""
        families = text_string_to_metric_families(self._metrics.text().decode())
        samples = [sample for family in families for sample in family.samples]
        return {(sample.name.removeprefix("rockdove_"), ",".join(sample.labels.values())): sample.value for sample in samples}

    def __getitem__(self, name: str | tuple[str, str]) -> float:
        return self.samples()[(name, "") if isinstance(name, str) else name]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    world = VirtualWorld(make_storage("memory", tmp_path))
    yield Watched(world)
    world.close()


def test_messages_pushes_cursors_and_commits_are_counted(watched: Watched) -> None:
    alice, bob = live(watched.world, "alice"), live(watched.world, "bob")
    before = watched.samples()
    alice.write(*(sending(seqid, text_message("bob", "hello")) for seqid in range(1, 8)))
    for message in bob.messages():
        bob.ack(message.msgid)
    watched.world.clock.advance(900)
    grown = {key: value - before[key] for key, value in watched.samples().items() if key in before}
    assert grown["messages_stored_total", ""] == 7
    assert grown["pushes_total", ""] == 7
    assert grown["cursors_stored_total", ""] == 2  # of both: who sends has what he sent
    assert grown["commit_messages_sum", ""] == 7
    assert grown["commit_messages_count", ""] == grown["commit_seconds_count", ""] == 2  # the messages; the cursors
    assert grown["commit_messages_bucket", "5.0"] == 1
    assert grown["commit_messages_bucket", "10.0"] == 2


def test_commits_are_timed_by_the_clock_that_was_given(watched: Watched) -> None:
    times = chain([10.0, 10.03], repeat(10.03))  # begun, done, and then told
    alice = live(watched.world, "alice")
    watched.world.node.commit.figures.clock = lambda: next(times)
    before = watched.samples()
    alice.say("bob", "hello")
    assert watched["commit_seconds_sum"] - before["commit_seconds_sum", ""] == pytest.approx(0.03)
    assert watched["commit_seconds_bucket", "0.02"] == before["commit_seconds_bucket", "0.02"]
    assert watched["commit_seconds_bucket", "0.05"] == before["commit_seconds_bucket", "0.05"] + 1


def test_a_store_that_is_away_shows_until_it_is_back(watched: Watched) -> None:
    alice = live(watched.world, "alice")
    watched.world.store.fails_with = StoreUnavailable("away")
    alice.send(text_message("bob", "hello"), 1)
    assert (watched["store_available"], watched["commits_refused_total"]) == (0, 1)
    watched.world.store.fails_with = None
    alice.send(text_message("bob", "hello"), 1)
    assert (watched["store_available"], watched["commits_refused_total"]) == (1, 1)


def test_a_batch_with_the_store_is_under_way(watched: Watched) -> None:
    alice = live(watched.world, "alice")
    watched.world.store.holds = True
    alice.write(sending(1, text_message("bob", "hello")))
    watched.world.clock.settle()
    assert watched["commits_under_way"] == 1
    watched.world.store.release()
    watched.world.clock.settle()
    assert watched["commits_under_way"] == 0


def test_sessions_are_told_apart(watched: Watched) -> None:
    live(watched.world, "alice")
    watched.world.connect()
    watched.listener.connections = {1, 2, 3}
    watched.listener.refused = 4
    watched.listener.headers_refused = 5
    sessions = {state: watched["sessions", state] for state in ("arriving", "live", "ending")}
    assert sessions == {"arriving": 1, "live": 1, "ending": 1}
    assert watched["connections", "tcp"] == 3
    assert watched["connections_refused_total", "tcp"] == 4
    assert watched["proxy_headers_refused_total", "tcp"] == 5


def test_logins_are_counted_by_their_answer_and_seen_waiting(watched: Watched) -> None:
    live(watched.world, "alice")
    for user, token in (("alice", "wrong"), ("bob", "wrong"), ("a b", "")):
        watched.world.connect().login(user, token)
    assert watched["logins_total", "OK"] == 1
    assert watched["logins_total", "UNAUTHENTICATED"] == 2
    assert watched["logins_total", "INVALID_ARGUMENT"] == 1
    queue: Any = SimpleNamespace(waiting=2, under_way=1)
    watched.world.node.password_logins = queue
    assert (watched["logins_waiting", "password"], watched["logins_under_way", "password"]) == (2, 1)
    assert (watched["logins_waiting", "token"], watched["logins_under_way", "token"]) == (0, 0)


def test_a_node_alone_has_one_node_and_no_bus(watched: Watched) -> None:
    names = ("nodes", "bus_connected", "rings_sent_total", "rings_received_total")
    assert [watched[name] for name in names] == [1, 0, 0, 0]


def test_the_lag_of_the_loop_is_a_histogram(watched: Watched) -> None:
    for seconds in (0.0001, 0.003, 0.3, 60):
        watched.pulse.lag.add(seconds)
    assert watched["loop_lag_seconds_count"] == watched["loop_lag_seconds_bucket", "+Inf"] == 4
    assert watched["loop_lag_seconds_bucket", "0.0005"] == 1
    assert watched["loop_lag_seconds_bucket", "10.0"] == 3
    assert watched["loop_lag_worst_seconds"] == 0.25


def test_the_process_tells_what_it_takes(watched: Watched) -> None:
    assert watched["process_resident_memory_bytes"] > 1_000_000
    assert watched["process_cpu_seconds_total"] > 0


def test_nobody_is_named(watched: Watched) -> None:
    live(watched.world, "alice", "phone").say("bob", "hello")
    assert not {"alice", "bob", "phone", "default"} & {label for _, label in watched.samples()}
