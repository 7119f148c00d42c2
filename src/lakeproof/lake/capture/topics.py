"""The Kafka topics of change capture."""

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


# All tables of one database and its transaction markers, in commit order: a second partition would break that order.
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
