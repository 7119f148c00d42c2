"""The metrics that every service of the shop has: the same names, told apart by Prometheus' job."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

# A request is given up after 5 s by default; the low end is where a healthy service answers.
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0)


class RequestMetrics:
    """Requests of one service, in a registry of its own (tests make many)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "shop_http_requests_total", "Answered requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "shop_http_request_seconds",
            "From the first byte of a request to its last answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.under_way = Gauge("shop_http_requests_under_way", "Requests not answered yet.", registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; status 0: the caller was gone before an answer."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
