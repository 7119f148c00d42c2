"""What the notification service counts beyond its requests. The names are known to dashboards and alerts."""

from lakeproof_shop.services.notification.models import DropReason
from lakeproof_shop.serving.database.metrics import DatabaseServiceMetrics


class NotificationMetrics(DatabaseServiceMetrics):
    """Sent, failed, dropped and limited; by channel in shop_notification_tries_total."""

    def __init__(self) -> None:
        super().__init__("shop_notification_replays_total")
        self.created = self.counter("shop_notification_created_total", "Notifications made.", "by")
        self.sent = self.counter("notification_sent_total", "Accepted by a provider.")
        self.failures = self.counter(
            "notification_failure_total", "Tries that failed, and notifications failed by request."
        )
        self.tries = self.counter(
            "shop_notification_tries_total", "Tries by channel and what came of them.", "channel", "outcome"
        )
        self.dropped = self.counter(
            "notification_events_dropped_total",
            "Notifications and events that will not be sent.",
            "reason",
            values=DropReason,
        )
        self.rate_limited = self.counter("notification_rate_limited_total", "Sends that the limiter turned down.")
        self.rate_limit_errors = self.counter(
            "notification_rate_limit_errors_total",
            "Sends that passed unlimited because Redis failed; skipped: it had failed a moment before.",
            "operation",
            values=("check", "skipped"),
        )
        self.opt_outs = self.counter("notification_opt_out_total", "Changes by which a customer opted out of more.")
        self.preference_updates = self.counter(
            "shop_notification_preference_updates_total", "Changes of preferences."
        )
        self.send_latency = self.histogram(
            "notification_send_latency_seconds",
            "From handing a notification to the provider to its answer.",
        )
        self.events = self.counter(
            "shop_notification_events_total",
            "Other services' events that were read, by what came of them.",
            "outcome",
            values=("notified", "repeated", "of_no_interest"),
        )
