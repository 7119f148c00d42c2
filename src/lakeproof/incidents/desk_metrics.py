"""The desk's own metrics."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class IncidentCounts(Collector):
    """Incidents by status, counted at each scrape."""

    def __init__(self, count: Callable[[], dict[str, int]]) -> None:
        self._count = count

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked at registration."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The counts now."""
        incidents = GaugeMetricFamily("lakeproof_incidents", "Incidents by status", labels=["status"])
        for status, number in self._count().items():
            incidents.add_metric([status], number)
        yield incidents


class DeskMetrics:
    """Counters of one desk, in a registry of its own."""

    def __init__(self, count: Callable[[], dict[str, int]]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(IncidentCounts(count))
        self.refused = Counter(
            "lakeproof_desk_refused_webhooks", "Webhooks that made no sense", registry=self.registry
        )
        self.escalated = Counter(
            "lakeproof_desk_escalated_incidents", "Incidents nobody acknowledged in time", registry=self.registry
        )
