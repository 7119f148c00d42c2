"""What the fulfillment service counts beyond its requests."""

from lakeproof.services.database.metrics import DatabaseServiceMetrics


class FulfillmentMetrics(DatabaseServiceMetrics):
    """Changes, the worker's troubles, and the backlog as it was last read."""

    def __init__(self) -> None:
        super().__init__("shop_fulfillment_replays_total")
        self.changes = self.counter(
            "shop_fulfillment_changes_total", "Committed changes, by callers and by the worker.", "type"
        )
        self.worker_troubles = self.counter(
            "shop_fulfillment_worker_troubles_total",
            "Steps of the worker that did not succeed; each is tried again.",
            "kind",
            values=("store_down", "store_refused", "database", "overtaken"),
        )
        self.lag_minutes = self.gauge(
            "fulfillment_lag_minutes",
            "How late the latest parcel that is not shipped is, or will be by a hold that its buyer did not ask for.",
        )
        self.backlog_objects = self.gauge("fulfillment_artifacts_backlog_objects", "Labels that are not ready yet.")
        self.backlog_bytes = self.gauge("fulfillment_artifacts_backlog_bytes", "Their bytes.")
        self.backlog_read_at = self.gauge(
            "shop_fulfillment_backlog_read_timestamp_seconds",
            "When the backlog was last read; older than a minute: its source does not answer.",
            "source",
        )
