"""The metrics that every service of the shop has. The names are the same; Prometheus' job tells services apart."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

# Histogram buckets. A healthy service answers within the lowest ones; a request is given up after 5 s by default.
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Metrics of one registry. `values`: values of a metric's only label, which are exported as 0 from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def counter(self, name: str, what: str, *labels: str, values: Iterable[str] = ()) -> Counter:
        """A number that only grows."""
        return _told(Counter(name, what, labels, registry=self.registry), values)

    def gauge(self, name: str, what: str, *labels: str) -> Gauge:
        """A number that goes up and down."""
        return Gauge(name, what, labels, registry=self.registry)

    def histogram(
        self, name: str, what: str, *labels: str, buckets: Sequence[float] = SECONDS, values: Iterable[str] = ()
    ) -> Histogram:
        """A distribution of durations in seconds."""
        return _told(Histogram(name, what, labels, buckets=buckets, registry=self.registry), values)


def _told[M: (Counter, Histogram)](metric: M, values: Iterable[str]) -> M:
    for value in values:
        metric.labels(value)
    return metric


class RequestMetrics(Metrics):
    """Requests of one service, in a registry of its own (tests make many)."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        ProcessCollector(registry=self.registry)
        self.requests = self.counter("shop_http_requests_total", "Answered requests.", "method", "route", "status")
        self.seconds = self.histogram(
            "shop_http_request_seconds", "From the first byte of a request to its last answer.", "route"
        )
        self.under_way = self.gauge("shop_http_requests_under_way", "Requests not answered yet.")

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; status 0: the caller was gone before an answer."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
