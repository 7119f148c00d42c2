"""log-shipper: the service that takes every component's log to the log store; its pages are /health and /metrics.

`python -m lakeproof.observability.logs.app --logs FOLDER --places FILE --url URL [--store victorialogs|loki]
[--listen HOST:PORT]`; LOG_STORE_PASSWORD is the store's, if it has one.
"""

import argparse
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.metrics_server import make_metrics_server
from lakeproof.observability.logs.push import LogStore
from lakeproof.observability.logs.shipper import Shipper


class ShipperCollector(Collector):
    """The shipper's counts at scrape time."""

    def __init__(self, shipper: Shipper) -> None:
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


def health(shipper: Shipper) -> tuple[int, dict[str, object]]:
    """(HTTP status, body): 503 with the reason while the log store takes nothing."""
    return (503 if shipper.trouble else 200), {
        "status": "degraded" if shipper.trouble else "ok",
        "service": "log-shipper",
        "dependencies": {"log store": shipper.trouble or "ok"},
    }


def serve(shipper: Shipper, address: str) -> None:
    """Answer on host:port, in a thread. Raises: OSError."""
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(ShipperCollector(shipper))
    server = make_metrics_server(host, int(port), registry, lambda: health(shipper))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="log-shipper")
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--places", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--store", choices=("victorialogs", "loki"), default="victorialogs")
    parser.add_argument("--listen", default="")
    given = parser.parse_args()
    store = LogStore(given.store, given.url, os.environ.get("LOG_STORE_PASSWORD", ""))
    shipper = Shipper(given.logs, given.places, store)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if given.listen:
        serve(shipper, given.listen)
    shipper.run(stop)


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    main()
