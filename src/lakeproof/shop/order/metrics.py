"""What the order service counts beyond its requests."""

from collections.abc import Iterable

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.shop.connections import ConnectionPool
from lakeproof.shop.metrics import RequestMetrics


class OrderMetrics(RequestMetrics):
    """Changes of orders, and what the database did to us."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = Counter(
            "shop_order_changes_total", "Committed changes of orders.", ["op"], registry=self.registry
        )
        self.replays = Counter(
            "shop_order_replays_total", "Calls answered from an earlier call of the same key.", registry=self.registry
        )
        self.database_errors = Counter(
            "shop_db_errors_total",
            "Database trouble by kind; conflict: a deadlock that was tried again.",
            ["kind"],
            registry=self.registry,
        )
        for kind in ("down", "busy", "refused", "conflict", "commit_unclear"):
            self.database_errors.labels(kind)

    def watch(self, pool: ConnectionPool) -> None:
        """Show the pool's connections, read at each scrape."""
        self.registry.register(_PoolCollector(pool))


class _PoolCollector(Collector):
    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        """Connections by state, the limit, and the requests that wait for one."""
        connections = GaugeMetricFamily("shop_db_connections", "Open database connections.", labels=["state"])
        connections.add_metric(["in_use"], self._pool.in_use)
        connections.add_metric(["idle"], self._pool.idle)
        yield connections
        yield GaugeMetricFamily("shop_db_connections_max", "The pool's size.", self._pool.size)
        yield GaugeMetricFamily("shop_db_requests_waiting", "Requests without a connection.", self._pool.waiting)
