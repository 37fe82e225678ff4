"""What Prometheus is told. Everything is counted elsewhere, by plain numbers; it is put together when it is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rockdove.core.figures import Histogram
from rockdove.core.node import Node
from rockdove.server.pulse import Pulse
from rockdove.transport.tcp import Listener
from rockdove.wire import im_pb2 as pb

PREFIX: Final = "rockdove_"


class Metrics(Collector):
    """Figures of one node; none of them tells of a user or tenant."""

    def __init__(self, node: Node, listeners: Mapping[str, Listener], pulse: Pulse) -> None:
        """`listeners` by transport."""
        self._node = node
        self._listeners = listeners
        self._pulse = pulse
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them as of now, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._of_connections()
        yield from self._of_logins()
        yield from self._of_the_store()
        yield from self._of_other_nodes()
        yield _histogram("loop_lag_seconds", "How much too late timers of the event loop come.", self._pulse.lag)
        yield _gauge("loop_lag_worst_seconds", "The worst of the last minute.", self._pulse.worst_seconds)

    def _of_connections(self) -> Iterator[Metric]:
        node, listeners = self._node, self._listeners
        connections = {transport: len(listener.connections) for transport, listener in listeners.items()}
        refused = {transport: listener.refused for transport, listener in listeners.items()}
        headers_refused = {transport: listener.headers_refused for transport, listener in listeners.items()}
        arriving, live = len(node.arrivals), len(node.registry)
        sessions = {"arriving": arriving, "live": live, "ending": max(0, sum(connections.values()) - arriving - live)}
        yield _gauge("connections", "Connections.", connections, "transport")
        yield _counter("connections_refused", "Connections beyond max_connections.", refused, "transport")
        yield _counter("proxy_headers_refused", "Connections that should begin with one.", headers_refused, "transport")
        yield _gauge("sessions", "The same connections: not logged in yet, live, or ending.", sessions, "state")
        yield _counter("pushes", "Messages pushed to devices, re-pushes included.", node.commit.figures.pushes)

    def _of_logins(self) -> Iterator[Metric]:
        login, queues = self._node.login, {"token": self._node.logins, "password": self._node.password_logins}
        results = {"OK": login.accepted} | {pb.Code.Name(code): count for code, count in login.refused.items()}
        yield _counter("logins", "Logins, by the code of their answer.", results, "code")
        under_way = {kind: queue.under_way for kind, queue in queues.items()}
        yield _gauge("logins_under_way", "Logins that are looked at now.", under_way, "kind")
        waiting = {kind: queue.waiting for kind, queue in queues.items()}
        yield _gauge("logins_waiting", "Logins that wait for their turn.", waiting, "kind")

    def _of_the_store(self) -> Iterator[Metric]:
        commit = self._node.commit
        figures = commit.figures
        yield _counter("messages_stored", "Messages that were stored, or found to be.", commit.stored)
        yield _counter("cursors_stored", "Cursors of devices that were stored.", figures.cursors)
        yield _histogram("commit_messages", "Messages and changes in one commit.", figures.commit_messages)
        yield _histogram("commit_seconds", "From giving a batch to the store to its answer.", figures.commit_seconds)
        yield _counter("commits_refused", "Batches that could not be stored.", figures.commits_refused)
        yield _gauge("commits_under_way", "Batches that the store has not answered.", commit.under_way)
        yield _gauge("store_available", "1, or 0 since the store has refused a batch.", int(not commit.unavailable))

    def _of_other_nodes(self) -> Iterator[Metric]:
        node = self._node
        yield _gauge("nodes", "Living nodes of the store, this one included.", len(node.neighbours.living) + 1)
        yield _gauge("bus_connected", "1 while rings go out to other nodes.", int(node.bus_connected))
        yield _counter("rings_sent", "Rings to other nodes.", node.rings_sent)
        yield _counter("rings_received", "Rings of other nodes.", node.rings_received)


_Family = TypeVar("_Family", GaugeMetricFamily, CounterMetricFamily)


def _gauge(name: str, meaning: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, meaning, labels=[label] if label else []), value)


def _counter(name: str, meaning: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    return _filled(CounterMetricFamily(PREFIX + name, meaning, labels=[label] if label else []), value)


def _filled(family: _Family, value: float | Mapping[str, float]) -> _Family:
    samples: Mapping[Sequence[str], float]
    samples = {(each,): count for each, count in value.items()} if isinstance(value, Mapping) else {(): value}
    for labels, sample in samples.items():
        family.add_metric(labels, sample)
    return family


def _histogram(name: str, meaning: str, values: Histogram) -> Metric:
    bounds = [*(str(float(bound)) for bound in values.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(values.counts), strict=True))
    return HistogramMetricFamily(PREFIX + name, meaning, buckets=buckets, sum_value=values.total)
