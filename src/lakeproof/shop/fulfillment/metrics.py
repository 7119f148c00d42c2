"""What the fulfillment service counts beyond its requests."""

from prometheus_client import Counter, Gauge

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import RequestMetrics


class FulfillmentMetrics(RequestMetrics):
    """Changes, the worker's troubles, and the backlog as it was last read."""

    def __init__(self) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.changes = Counter(
            "shop_fulfillment_changes_total",
            "Committed changes, by callers and by the worker.",
            ["type"],
            registry=self.registry,
        )
        self.replays = Counter(
            "shop_fulfillment_replays_total",
            "Calls answered from an earlier call of the same key.",
            registry=self.registry,
        )
        self.worker_troubles = Counter(
            "shop_fulfillment_worker_troubles_total",
            "Steps of the worker that did not succeed; each is tried again.",
            ["kind"],
            registry=self.registry,
        )
        for kind in ("store_down", "store_refused", "database", "overtaken"):
            self.worker_troubles.labels(kind)
        self.lag_minutes = Gauge(
            "fulfillment_lag_minutes",
            "How late the latest parcel that is not shipped is, or will be by a hold that its buyer did not ask for.",
            registry=self.registry,
        )
        self.backlog_objects = Gauge(
            "fulfillment_artifacts_backlog_objects", "Labels that are not ready yet.", registry=self.registry
        )
        self.backlog_bytes = Gauge("fulfillment_artifacts_backlog_bytes", "Their bytes.", registry=self.registry)
        self.backlog_read_at = Gauge(
            "shop_fulfillment_backlog_read_timestamp_seconds",
            "When the backlog was last read; older than a minute: its source does not answer.",
            ["source"],
            registry=self.registry,
        )
