"""The topics of the shop's events, one for each service that has an outbox."""

from lakeproof.tenancy.tenant import Topic

# A record is deleted at this age and never before: the topics have no limit of size.
EVENTS_KEPT_SECONDS = 7 * 86_400
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
