"""What the support service counts beyond its requests."""

from lakeproof_shop.serving.database.metrics import DatabaseServiceMetrics

# The buckets have bounds at 2 s and 500 ms: the alert fires above a p95 of 2 s, and a p95 below 500 ms ends it.
COLLECT_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)


class SupportMetrics(DatabaseServiceMetrics):
    """Changes of cases, timelines, and attachments."""

    def __init__(self) -> None:
        super().__init__("shop_support_replays_total")
        self.changes = self.counter("shop_support_changes_total", "Committed changes of cases.", "type")
        self.collect_seconds = self.histogram(
            "support_timeline_collect_seconds",
            "Time to a timeline: asked from the services (remote), or read from the cache.",
            "source",
            buckets=COLLECT_SECONDS,
            values=("remote", "cache"),
        )
        self.source_seconds = self.histogram(
            "support_timeline_source_seconds",
            "Time until one source told its part, or was given up.",
            "source",
            buckets=COLLECT_SECONDS,
        )
        self.cache_events = self.counter(
            "support_timeline_cache_events_total",
            "Looks into the cache, by what came of them.",
            "event",
            values=("hit", "miss", "write", "invalidate", "error"),
        )
        self.failures = self.counter(
            "support_timeline_collection_failures_total",
            "Parts of timelines that failed, by where.",
            "stage",
            values=("http", "cache", "cache_decode", "aggregate"),
        )
        self.source_failures = self.counter(
            "support_timeline_source_failures_total",
            "The same, by source; the cache's is itself.",
            "source",
            values=("order", "payment", "fulfillment", "cache"),
        )
        self.backlog_bytes = self.gauge("support_attachment_backlog_bytes", "Bytes in the attachments' folder.")
        self.backlog_files = self.gauge("support_attachment_backlog_files", "Files in the attachments' folder.")

    def count_failure(self, stage: str, source: str) -> None:
        """A part of a timeline failed."""
        self.failures.labels(stage).inc()
        self.source_failures.labels(source).inc()
