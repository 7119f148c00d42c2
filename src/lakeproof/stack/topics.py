"""The Kafka topics: of change capture, of the shop's events (one for each service that has an outbox)."""

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


# All tables of one database and its transaction markers, in commit order: in one partition, to which the connectors
# are pinned, so that one added by hand stays empty.
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

# Nothing but its age deletes a record: the topics have no limit of size.
EVENTS_KEPT_SECONDS = RETENTION_DAYS * 86_400
SERVICES = ("payment", "inventory", "fulfillment", "support", "notification")


def event_topic(service: str) -> str:
    """The topic of the service's events."""
    return f"events.{service}"


# Keyed by aggregate: the events of one keep their order within a partition.
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
