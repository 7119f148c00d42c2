"""The Kafka topics: of change capture, of the shop's events (one for each service that has an outbox), and those in
which Kafka Connect keeps its own state."""

from collections.abc import Mapping
from dataclasses import dataclass

CDC_TOPIC = "cdc.oltp"
SHOP_TOPIC = "cdc.shop"
RETENTION_DAYS = 7


@dataclass(frozen=True)
class Topic:
    """A topic and its settings."""

    name: str
    partitions: int
    config: Mapping[str, str]


# A captured database has one topic of one partition: all its tables and transaction markers, in commit order. The
# connectors name partition 0, so that a partition that somebody adds stays empty.
TOPICS = tuple(
    Topic(
        name,
        1,
        {
            "cleanup.policy": "delete",
            "retention.ms": str(RETENTION_DAYS * 86_400_000),
            "min.insync.replicas": "1",
            "segment.bytes": str(64 * 1024 * 1024),
        },
    )
    for name in (CDC_TOPIC, SHOP_TOPIC)
)

# A record is deleted at this age and never before: the topics have no limit of size.
EVENTS_KEPT_SECONDS = RETENTION_DAYS * 86_400
SERVICES = ("payment", "inventory", "fulfillment", "support", "notification")


def event_topic(service: str) -> str:
    """The topic of the service's events."""
    return f"events.{service}"


# Keyed by aggregate: all events of one order, payment … are in one partition, and so in their order.
EVENT_TOPICS = tuple(
    Topic(
        event_topic(service),
        3,
        {
            "cleanup.policy": "delete",
            "retention.ms": str(EVENTS_KEPT_SECONDS * 1000),
            "min.insync.replicas": "1",
            "segment.bytes": str(16 * 1024 * 1024),
        },
    )
    for service in SERVICES
)

# Kafka Connect makes these topics. Beside the workers' offsets topic each connector has one of its own
# (lake/capture/offsets.py).
CONFIGS_TOPIC, OFFSETS_TOPIC, STATUS_TOPIC = "_connect_configs", "_connect_offsets", "_connect_status"
