"""What the notification service counts beyond its requests. The names are known to dashboards and alerts."""

from prometheus_client import Counter, Histogram

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import SECONDS, RequestMetrics
from lakeproof.shop.notification.models import DropReason


class NotificationMetrics(RequestMetrics):
    """Sent, failed, dropped and limited; by channel in shop_notification_tries_total."""

    def __init__(self) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.created = Counter(
            "shop_notification_created_total", "Notifications made.", ["by"], registry=self.registry
        )
        self.replays = Counter(
            "shop_notification_replays_total",
            "Calls answered from an earlier call of the same key.",
            registry=self.registry,
        )
        self.sent = Counter("notification_sent_total", "Accepted by a provider.", registry=self.registry)
        self.failures = Counter(
            "notification_failure_total",
            "Tries that failed, and notifications failed by request.",
            registry=self.registry,
        )
        self.tries = Counter(
            "shop_notification_tries_total",
            "Tries by channel and what came of them.",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.dropped = Counter(
            "notification_events_dropped_total",
            "Notifications and events that will not be sent.",
            ["reason"],
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "notification_rate_limited_total", "Sends that the limiter turned down.", registry=self.registry
        )
        self.rate_limit_errors = Counter(
            "notification_rate_limit_errors_total",
            "Sends that passed unlimited because Redis failed; skipped: it had failed a moment before.",
            ["operation"],
            registry=self.registry,
        )
        self.opt_outs = Counter(
            "notification_opt_out_total", "Changes by which a customer opted out of more.", registry=self.registry
        )
        self.preference_updates = Counter(
            "shop_notification_preference_updates_total", "Changes of preferences.", registry=self.registry
        )
        self.send_latency = Histogram(
            "notification_send_latency_seconds",
            "From handing a notification to the provider to its answer.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.events = Counter(
            "shop_notification_events_total",
            "Other services' events that were read, by what came of them.",
            ["outcome"],
            registry=self.registry,
        )
        for reason in DropReason:
            self.dropped.labels(reason.value)
        for operation in ("check", "skipped"):
            self.rate_limit_errors.labels(operation)
        for outcome in ("notified", "repeated", "of_no_interest"):
            self.events.labels(outcome)
