"""Counts objects of the S3 store by bucket and prefix, and tells the room left on its disk.

`minio_objects{bucket,prefix}` has one series for each first folder of a bucket, and one for each folder that somebody
alerts on (DEEPER). `minio_cluster_disk_free_bytes` is the room of the file system that the store writes to; for a
store elsewhere it is MinIO's own metric instead. A listing costs the store more than it costs us. So it is made once
a minute (again after 2 s where it failed), less often where it takes long, and rests after each page, so that those
who use the store do not feel it.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.metrics_server import make_metrics_server
from lakeproof.stack.engines.minio import objects_folder
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack, load_stack

log = logging.getLogger(__name__)

LISTING_SECONDS = 60.0
# A rest is this many times as long as the page before it took, or the listing before it with all its rests.
PAGE_REST = 4
LISTING_REST = 4
# bucket → folders below the first one that are counted by themselves
DEEPER: Mapping[str, tuple[str, ...]] = {LABEL_BUCKET: ("chaos/fulfillment-delay/",)}


@dataclass
class Listing:
    """What the last listing found. `error` is set where the store did not answer; the counts are then older."""

    objects: Mapping[tuple[str, str], int] = field(default_factory=dict)
    size_bytes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = "not listed yet"


def prefixes_of(bucket: str, key: str) -> Iterator[str]:
    """The counted prefixes that a key belongs to; a key without a folder belongs to ""."""
    first, slash, _ = key.partition("/")
    yield first + slash if slash else ""
    yield from (prefix for prefix in DEEPER.get(bucket, ()) if key.startswith(prefix))


def count(listed: Iterable[tuple[str, str, int]]) -> Listing:
    """Objects and bytes by (bucket, prefix), from (bucket, key, size)."""
    objects: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for bucket, key, size in listed:
        for prefix in prefixes_of(bucket, key):
            objects[bucket, prefix] += 1
            sizes[bucket, prefix] += size
    return Listing(objects, sizes, error="")


def list_store(client: Any, rest: Callable[[float], object] = time.sleep) -> Iterator[tuple[str, str, int]]:
    """Every object of every bucket, as (bucket, key, size). `rest`: called after each page, with seconds."""
    paginator = client.get_paginator("list_objects_v2")
    for bucket in client.list_buckets()["Buckets"]:
        pages = iter(paginator.paginate(Bucket=bucket["Name"]))
        start = time.monotonic()
        for page in pages:
            took = time.monotonic() - start
            for entry in page.get("Contents", []):
                yield bucket["Name"], entry["Key"], entry["Size"]
            rest(PAGE_REST * took)
            start = time.monotonic()


class StoreMetrics(Collector):
    """The newest listing, and the disk at the time of the scrape."""

    def __init__(self, disk: Path | None) -> None:
        self.listing = Listing()
        self._disk = disk

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        listing = self.listing
        objects = GaugeMetricFamily("minio_objects", "Objects by first folder", labels=["bucket", "prefix"])
        sizes = GaugeMetricFamily("minio_objects_bytes", "Their bytes", labels=["bucket", "prefix"])
        for (bucket, prefix), number in sorted(listing.objects.items()):
            objects.add_metric([bucket, prefix], number)
            sizes.add_metric([bucket, prefix], listing.size_bytes[bucket, prefix])
        yield objects
        yield sizes
        yield GaugeMetricFamily("minio_listing_up", "1 when the last listing was answered", value=not listing.error)
        if self._disk is not None and self._disk.exists():
            room = os.statvfs(self._disk)
            free, total = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
            yield GaugeMetricFamily("minio_cluster_disk_free_bytes", "Room left for the store", value=free)
            yield GaugeMetricFamily("minio_cluster_disk_total_bytes", "Size of its file system", value=total)


def keep_listing(client: Any, metrics: StoreMetrics, stopping: threading.Event) -> None:
    """List again and again until `stopping`. A store that does not answer keeps the old counts and says so."""
    pause = 0.0
    while not stopping.wait(pause):
        start = time.monotonic()
        try:
            listing = count(list_store(client))
        except Exception as error:  # noqa: BLE001 - the top of a thread; botocore lets what it cannot parse through
            old = metrics.listing
            listing = Listing(old.objects, old.size_bytes, error=f"{type(error).__name__}: {error}")
            log.warning("the store was not listed: %s", listing.error)
        listing.seconds = time.monotonic() - start
        metrics.listing = listing
        pause = 2.0 if listing.error else max(LISTING_SECONDS, LISTING_REST * listing.seconds)


def make_server(host: str, port: int, metrics: StoreMetrics) -> ThreadingHTTPServer:
    """/metrics and /health. The exporter is well while the store is not: the store's silence has its own alert."""
    registry = CollectorRegistry()
    registry.register(metrics)

    def health() -> tuple[int, dict[str, object]]:
        error = metrics.listing.error
        return 200, {"status": "degraded" if error else "ok", "minio": error or "ok"}

    return make_metrics_server(host, port, registry, health)


def run_exporter(stack: Stack) -> None:
    """Serve until a signal ends it."""
    metrics = StoreMetrics(objects_folder(stack) if stack.settings.mode == "local" else None)
    server = make_server(stack.settings.host, stack.port("object-store-exporter"), metrics)
    stopping = threading.Event()
    client = s3_client(stack, timeout_seconds=10.0, connect_seconds=2.0)
    lister = threading.Thread(target=keep_listing, args=(client, metrics, stopping), daemon=True)
    lister.start()
    try:
        server.serve_forever()
    finally:
        stopping.set()
        server.server_close()


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run_exporter(load_stack())
