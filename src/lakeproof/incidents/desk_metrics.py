"""The desk's own metrics."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.incidents.shapes import IncidentRow, utc_now

TITLE_LENGTH = 120


class IncidentCounts(Collector):
    """Incidents by status, counted at each scrape."""

    def __init__(self, count: Callable[[], dict[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        """The counts now."""
        incidents = GaugeMetricFamily("lakeproof_incidents", "Incidents by status", labels=["status"])
        for status, number in self._count().items():
            incidents.add_metric([status], number)
        yield incidents


class OverdueIncidents(Collector):
    """A series for each escalated incident that nobody has acknowledged yet. Its team is the one whose time ended:
    the incident's own, or that of an alert that joined. The alert IncidentNotAcknowledged reads this metric, so that
    people hear of an escalation by the same routes as of an alert, also after a restart of the desk.
    """

    def __init__(self, read_overdue: Callable[[], Iterable[IncidentRow]]) -> None:
        self._read_overdue = read_overdue

    def collect(self) -> Iterable[Metric]:
        """Those that were escalated and are still open."""
        overdue = GaugeMetricFamily(
            "lakeproof_incident_overdue_seconds",
            "How long ago the team's time to acknowledge the incident ended",
            labels=["incident", "team", "title"],
        )
        now = utc_now()
        for row in self._read_overdue():
            seconds = (now - row.acknowledge_by).total_seconds()
            overdue.add_metric([row.id, row.acknowledge_team, row.title[:TITLE_LENGTH]], max(0.0, seconds))
        yield overdue


class DeskMetrics:
    """Counters of one desk, in a registry of its own."""

    def __init__(
        self, count: Callable[[], dict[str, int]], read_overdue: Callable[[], Iterable[IncidentRow]] = tuple
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(IncidentCounts(count))
        self.registry.register(OverdueIncidents(read_overdue))
        self.refused = Counter(
            "lakeproof_desk_refused_webhooks", "Webhooks that made no sense", registry=self.registry
        )
        self.escalated = Counter(
            "lakeproof_desk_escalated_incidents", "Incidents nobody acknowledged in time", registry=self.registry
        )
