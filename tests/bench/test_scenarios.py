"""Each scenario, small, against a server of its own."""

from pathlib import Path
from typing import Any

import pytest

from rockdove.bench.accounts import TokenAccounts
from rockdove.bench.measuring import Conditions, run_scenario
from rockdove.bench.scenarios import SCENARIOS
from rockdove.bench.scenarios.chat import ChatPlan
from rockdove.bench.scenarios.group import GroupPlan
from rockdove.bench.scenarios.idle import IdlePlan
from rockdove.bench.scenarios.latency import LatencyPlan
from rockdove.bench.scenarios.mixed import MixedPlan
from rockdove.bench.scenarios.offline import OfflinePlan
from rockdove.bench.scenarios.storm import StormPlan
from rockdove.bench.servers import OwnServers, RunningServer, Servers, StandIns, Target
from tests.bench.watcher import Steps
from tests.conftest import StartServer
from tests.engines.nats import NatsServer
from tests.engines.postgres import PostgresServer
from tests.process import rockdove as command

PLANS: dict[str, Any] = {
    "chat": ChatPlan(pairs=3, window=2, idle=3, seconds=0.5, warm_up=0.1),
    "latency": LatencyPlan(pairs=3, rate=200, seconds=0.5, warm_up=0.1),
    "group": GroupPlan(members=5, groups=2, talkers=2, window=2, seconds=0.5, warm_up=0.1),
    "offline": OfflinePlan(pairs=3, messages=300, window=8),
    "idle": IdlePlan(connections=10, heartbeat=0.2, seconds=0.5),
    "storm": StormPlan(clients=10),
    "mixed": MixedPlan(rate=200, pairs=10, members=4, goings=20, away=0.1, seconds=1, warm_up=0.1),
}


def run(name: str, servers: Servers) -> None:
    steps = Steps()
    result = run_scenario(name, PLANS[name], servers, Conditions(processes=2, patience_seconds=30), steps)
    assert result.good, (result.faults, result.steps)
    assert steps.begun == ["start", *(step.name for step in SCENARIOS[name].STEPS)]
    for step in result.steps:
        assert step.server_cpu_seconds is not None
        assert step.server_rss_after
        assert step.times or not step.count


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_server_of_its_own_does_what_was_promised(tmp_path: Path, name: str) -> None:
    run(name, OwnServers(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["server.log"]  # the data is gone


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.FLOOR])
def test_the_floor_does_it_too(tmp_path: Path, name: str) -> None:
    run(name, StandIns(tmp_path))


def test_the_server_may_be_on_a_database(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    run("mixed", OwnServers(tmp_path, database, (postgres.pid,)))


def test_a_server_that_dies_meanwhile_is_told(tmp_path: Path, start_server: StartServer) -> None:
    secret = command("tenant", "token", "default", "default", "--secret", "--data", str(tmp_path)).strip()
    server = start_server(tmp_path)
    accounts = TokenAccounts("default", "default", secret, "bench")
    running = RunningServer(Target((("127.0.0.1", server.port()),), accounts, (server.pid,)))
    watcher = Steps("check", server.kill)
    result = run_scenario("chat", PLANS["chat"], running, Conditions(processes=1, patience_seconds=0.5), watcher)
    assert result.faults["cut"] == PLANS["chat"].users
    assert result.faults["unanswered"]
    assert not result.good


def test_pairs_may_be_on_different_nodes(tmp_path: Path, start_server: StartServer, store: str, nats: NatsServer) -> None:
    secret = command("tenant", "token", "default", "default", "--secret", "--store", store).strip()
    nodes = [start_server(tmp_path, "--store", store, "--bus", nats.url, "--node-name", name) for name in ("one", "two")]
    addresses = tuple(("127.0.0.1", node.port()) for node in nodes)
    accounts = TokenAccounts("default", "default", secret, "bench")
    run("chat", RunningServer(Target(addresses, accounts, tuple(node.pid for node in nodes))))
