"""The Kafka topics of the shop's events, one for each service that has an outbox. Made by kafka's provision."""

from lakeproof.lake.capture.topics import RETENTION_DAYS, Topic

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
