"""The metrics of a service's database access: the same names in every service."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.metrics import Metrics, RequestMetrics
from lakeproof_shop.serving.database.pool import Closable, ConnectionPool


class DatabaseMetrics(Metrics):
    """Database errors by kind, and the state of the pool at each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.errors = self.counter(
            "shop_db_errors_total",
            "Database trouble by kind; conflict: a deadlock that was tried again.",
            "kind",
            values=("down", "full", "busy", "refused", "conflict", "commit_unclear"),
        )

    def watch[C: Closable](self, pool: ConnectionPool[C]) -> None:
        """Show the pool's connections, read at each scrape."""
        self.registry.register(_PoolCollector(pool))


class DatabaseServiceMetrics(RequestMetrics):
    """Metrics of a service whose calls change its database, each under a key of its caller.

    replays: the name of the metric that counts repeated calls ("shop_order_replays_total").
    """

    def __init__(self, replays: str) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.replays = self.counter(replays, "Calls answered from an earlier call of the same key.")


class _PoolCollector[C: Closable](Collector):
    def __init__(self, pool: ConnectionPool[C]) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        """Connections by state, the limit, and the requests that wait for one."""
        connections = GaugeMetricFamily("shop_db_connections", "Open database connections.", labels=["state"])
        connections.add_metric(["in_use"], self._pool.in_use)
        connections.add_metric(["idle"], self._pool.idle)
        yield connections
        yield GaugeMetricFamily("shop_db_connections_max", "The pool's size.", self._pool.size)
        yield GaugeMetricFamily("shop_db_requests_waiting", "Requests without a connection.", self._pool.waiting)
