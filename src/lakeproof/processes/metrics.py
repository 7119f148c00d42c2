"""The supervisor's own /metrics: which components run, are healthy, how often they were restarted, what they use."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health

LABEL = ("component",)


class ComponentMetrics(Collector):
    """One sample per component and metric, read from the newest rows at each scrape."""

    def __init__(self, rows: Callable[[], list[ProcessRow]]) -> None:
        self._rows = rows

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        up = GaugeMetricFamily("lakeproof_component_up", "1 while its process exists", labels=LABEL)
        healthy = GaugeMetricFamily(
            "lakeproof_component_healthy", "1 while it answers its question; absent until it first did", labels=LABEL
        )
        restarts = CounterMetricFamily(
            "lakeproof_component_restarts", "Starts that followed an end nobody asked for", labels=LABEL
        )
        rss = GaugeMetricFamily("lakeproof_component_rss_bytes", "Memory of its process family", labels=LABEL)
        cpu = CounterMetricFamily(
            "lakeproof_component_cpu_seconds", "Processor time of its process family", labels=LABEL
        )
        for row in self._rows():
            label = (row.name,)
            up.add_metric(label, 1.0 if row.pid is not None else 0.0)
            if row.ready_seconds is not None:
                # Absent before: alerts must tell "not there yet" from "gone".
                healthy.add_metric(label, 1.0 if row.health == Health.HEALTHY else 0.0)
            restarts.add_metric(label, row.restarts)
            rss.add_metric(label, row.rss_bytes)
            cpu.add_metric(label, row.cpu_seconds)
        return (up, healthy, restarts, rss, cpu)


def serve(rows: Callable[[], list[ProcessRow]], host: str, port: int) -> None:
    """Serve /metrics from a thread of its own until the process ends. Raises: OSError when it cannot listen."""
    registry = CollectorRegistry()
    registry.register(ComponentMetrics(rows))
    start_http_server(port, host, registry)
