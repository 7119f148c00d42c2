"""The supervisor's own /metrics: which components run, are healthy, how often they were restarted, what they use.

The same port serves /replicas: the scrape targets of the further processes of scaled components, for Prometheus'
http_sd.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.processes.ports import REPLICAS_PATH
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health
from lakeproof.stack.component import Component

LABEL = ("component",)


class ComponentMetrics(Collector):
    """One sample per component and metric, read from the newest rows at each scrape."""

    def __init__(self, rows: Callable[[], list[ProcessRow]], names: Iterable[str]) -> None:
        """`names`: every component that could run here."""
        self._rows, self._names = rows, tuple(names)

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        up = GaugeMetricFamily("lakeproof_component_up", "1 while its process exists", labels=LABEL)
        healthy = GaugeMetricFamily(
            "lakeproof_component_healthy", "1 while it answers its question; absent until it first did", labels=LABEL
        )
        watched = GaugeMetricFamily(
            "lakeproof_component_watched_since_seconds",
            "Since when its trouble is an incident, UNIX time; +Inf while it is not wanted, or was not well once "
            "since the command that started it",
            labels=LABEL,
        )
        restarts = CounterMetricFamily(
            "lakeproof_component_restarts", "Starts that followed an end nobody asked for", labels=LABEL
        )
        rss = GaugeMetricFamily("lakeproof_component_rss_bytes", "Memory of its process family", labels=LABEL)
        cpu = CounterMetricFamily(
            "lakeproof_component_cpu_seconds", "Processor time of its process family", labels=LABEL
        )
        rows = self._rows()
        # Every component has a sample, also one that has no row: after a restart Prometheus would still show the last
        # sample of a series that is gone.
        since = {row.name: row.watched_since for row in rows}
        for name in self._names:
            watched.add_metric((name,), math.inf if since.get(name) is None else float(since[name] or 0))
        for row in rows:
            label = (row.name,)
            up.add_metric(label, 1.0 if row.pid is not None else 0.0)
            if row.ready_seconds is not None:
                # No sample before the first time that it was healthy: alerts must tell "not there yet" from "gone".
                healthy.add_metric(label, 1.0 if row.health == Health.HEALTHY else 0.0)
            restarts.add_metric(label, row.restarts)
            rss.add_metric(label, row.rss_bytes)
            cpu.add_metric(label, row.cpu_seconds)
        return (up, healthy, watched, restarts, rss, cpu)


def replica_targets(rows: Iterable[ProcessRow], components: Mapping[str, Component]) -> list[dict[str, object]]:
    """The scrape targets of further processes. `job` is the scaled component; the instance tells processes apart."""
    return [
        {"targets": [row.endpoints[scrape.port]], "labels": {"job": components[row.name].replica_of}}
        for row in rows
        if components[row.name].replica_of is not None
        for scrape in components[row.name].scrapes
    ]


def serve(rows: Callable[[], list[ProcessRow]], components: Mapping[str, Component], host: str, port: int) -> None:
    """Serve /metrics and /replicas in a thread until the process ends. Raises: OSError when it cannot listen."""
    registry = CollectorRegistry()
    registry.register(ComponentMetrics(rows, components))
    server, _ = start_http_server(port, host, registry)
    metrics = make_wsgi_app(registry)

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environment["PATH_INFO"] != REPLICAS_PATH:
            page: Iterable[bytes] = metrics(environment, start_response)
            return page
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(replica_targets(rows(), components)).encode()]

    server.set_app(answer)
