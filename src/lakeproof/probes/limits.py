"""Is something beyond the limit of an alert for which no other probe has a healthy range?

Such a reading names no cause. It keeps a diagnosis from calling a stack healthy about which somebody gets an alert:
where no cause accounts for it, it is listed under `unknown`. The metrics are asked and not the rules, so neither an
alert's state nor its labels matter. A test compares the limits with the rules (tests/diagnosis/test_alerts.py).
"""

from dataclasses import dataclass
from functools import partial

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

# An alert counts over five to fifteen minutes. Its trouble still goes on where this share of its limit has come
# within the last minute. So a few customers who opt out now and then do not prolong a spike that is over.
NOW, SHARE = "1m", 0.25


@dataclass(frozen=True)
class Limit:
    """alert: the one whose limit it is. beyond: from that rule's expression. about: as Probe.about. The limit says
    nothing where a command stopped or started one of these components within the last minute.
    counter: the metric that must have grown by more than SHARE of `most` within that minute; "" for a state, which
    is over at once.
    """

    id: str
    alert: str
    beyond: str
    about: tuple[str, ...]
    within: str | None
    counter: str = ""
    most: int = 0

    @property
    def expression(self) -> str:
        """A vector with the alert's own value where it is beyond the limit, else empty."""
        still = f" and sum(increase({self.counter}[{NOW}])) > {SHARE * self.most:g}" if self.counter else ""
        watched = f'lakeproof_component_watched_since_seconds{{component=~"{"|".join(self.about)}"}}'
        return f"({self.beyond}{still}) unless on () max_over_time({watched}[{NOW}]) > time()"


def beyond(stack: Stack, timeout: float, limit: Limit) -> Value:
    """The alert's own value where it is beyond its limit, else 0. Raises: CouldNotLook."""
    found = [value for _, value in instant(stack, limit.expression, timeout)]
    return round(max(found), 3) if found else 0


def _counted(id_: str, alert: str, counter: str, window: str, most: int, *about: str) -> Limit:
    """More than `most` within the window. about: the first one is the service that counts."""
    return Limit(id_, alert, f"sum(increase({counter}[{window}])) > {most}", about, about[0], counter, most)


NOTIFICATION, SUPPORT, STORE = "notification-service", "support-service", "minio"
SENDERS = (NOTIFICATION, "mail-sink")
FAILED, SENT = (f"sum(increase(notification_{one}_total[10m]))" for one in ("failure", "sent"))
FAILING = f"{FAILED} / ({FAILED} + {SENT}) > 0.2 and {FAILED} >= 5"
FAILURES, OPT_OUTS = "notification_failure_total", "notification_opt_out_total"
TURNED_DOWN, LIMITER_ERRORS = "notification_rate_limited_total", "notification_rate_limit_errors_total"
UNREADABLE = 'notification_events_dropped_total{reason=~"invalid_payload|unsupported_topic"}'
CACHE_ERRORS = 'support_timeline_cache_events_total{event="error"}'
COLLECTIONS = "support_timeline_collection_failures_total"
SOURCES = ("order-service", "payment-service", "fulfillment-service", "mysql", "postgres", "redis")
BEHIND, WORKERS = "max(min_over_time(lakeproof_unread_records[4m])) > 5000", "flink-taskmanager"
ROOM = "min(minio_cluster_disk_free_bytes / minio_cluster_disk_total_bytes) < 0.10"
JOBS = (WORKERS, "flink-jobmanager", "kafka", STORE, "lag-exporter")

LIMITS = (
    Limit("notification-failure-rate", "NotificationFailureRateHigh", FAILING, SENDERS, NOTIFICATION, FAILURES, 5),
    _counted("notification-rate-limited", "NotificationRateLimitedBurst", TURNED_DOWN, "5m", 5, NOTIFICATION),
    _counted("notification-opt-outs", "NotificationOptOutSpike", OPT_OUTS, "15m", 20, NOTIFICATION),
    _counted(
        "notification-limiter-errors", "NotificationRateLimiterErrors", LIMITER_ERRORS, "5m", 0, NOTIFICATION, "redis"
    ),
    _counted("notification-events-unreadable", "NotificationEventsUnreadable", UNREADABLE, "5m", 10, NOTIFICATION),
    _counted("support-cache-errors", "SupportTimelineCacheErrors", CACHE_ERRORS, "5m", 0, SUPPORT, "redis"),
    _counted(
        "support-collection-failures", "SupportTimelineCollectionFailures", COLLECTIONS, "5m", 0, SUPPORT, *SOURCES
    ),
    Limit("lake-backlog", "KafkaConsumerLagHigh", BEHIND, JOBS, WORKERS),
    Limit("object-store-room", "ObjectStoreCapacityLow", ROOM, (STORE,), None),
)

PROBES = tuple(
    Probe(
        limit.id,
        "prometheus",
        limit.expression,
        "",
        partial(beyond, limit=limit),
        Condition(Operator.IS, 0),
        always=True,
        about=limit.about,
        within=limit.within,
    )
    for limit in LIMITS
)
