"""What the fulfillment service counts beyond its requests."""

import time
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof_shop.serving.database.metrics import DatabaseServiceMetrics

# The database is read every second. If it was not read for this long, it does not answer.
LAG_KEPT_SECONDS = 60.0


class LagGauge(Collector):
    """How late the latest parcel is, by the newest reading of the database.

    The gauge has no sample before the first reading, nor once the newest reading is older than LAG_KEPT_SECONDS: a
    lag that stands still would look like a shop that is in time.
    """

    def __init__(self) -> None:
        self._minutes, self._read_at = 0.0, float("-inf")

    def show(self, minutes: float, read_at: float) -> None:
        """Show this lag. read_at: when the database was read, by the monotonic clock."""
        self._minutes, self._read_at = minutes, read_at

    def collect(self) -> Iterable[Metric]:
        """The lag while it is known."""
        lag = GaugeMetricFamily(
            "fulfillment_lag_minutes",
            "How late the latest parcel that is not shipped is, or will be by a hold that its buyer did not ask for.",
        )
        if time.monotonic() - self._read_at < LAG_KEPT_SECONDS:
            lag.add_metric([], self._minutes)
        yield lag


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
        self.lag_minutes = LagGauge()
        self.registry.register(self.lag_minutes)
        self.backlog_objects = self.gauge("fulfillment_artifacts_backlog_objects", "Labels that are not ready yet.")
        self.backlog_bytes = self.gauge("fulfillment_artifacts_backlog_bytes", "Their bytes.")
        self.backlog_read_at = self.gauge(
            "shop_fulfillment_backlog_read_timestamp_seconds",
            "When the backlog was last read; older than a minute: its source does not answer.",
            "source",
        )
