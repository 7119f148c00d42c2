"""The shipper's two pages, /health and /metrics."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.metrics_server import make_metrics_server

if TYPE_CHECKING:
    from lakeproof.observability.logs.shipper import Shipper


class ShipperCollector(Collector):
    """Its counts at scrape time."""

    def __init__(self, shipper: "Shipper") -> None:
        self._shipper = shipper

    def collect(self) -> Iterator[Metric]:
        """Four figures."""
        shipper = self._shipper
        yield CounterMetricFamily("lakeproof_logs_pushed_entries", "entries pushed", shipper.pushed_entries)
        yield CounterMetricFamily(
            "lakeproof_logs_refused_entries", "entries that the log store will never take", shipper.refused_entries
        )
        yield CounterMetricFamily(
            "lakeproof_logs_lost_bytes", "bytes rotated away before they were pushed", shipper.lost_bytes
        )
        yield GaugeMetricFamily(
            "lakeproof_logs_unshipped_bytes",
            "bytes of the logs that are not known to be on the log store's disk",
            shipper.unshipped_bytes,
        )


def health(shipper: "Shipper") -> tuple[int, dict[str, object]]:
    """(HTTP status, body): 503 with the reason while the log store takes nothing."""
    return (503 if shipper.trouble else 200), {
        "status": "degraded" if shipper.trouble else "ok",
        "service": "log-shipper",
        "dependencies": {"log store": shipper.trouble or "ok"},
    }


def serve(shipper: "Shipper", address: str) -> None:
    """Answer on host:port, in a thread. Raises: OSError."""
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(ShipperCollector(shipper))
    server = make_metrics_server(host, int(port), registry, lambda: health(shipper))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
