"""Where Kafka Connect keeps what a connector has read, for those that set it by hand.

Kafka Connect 4.3.1 never answers a change of offsets by REST (DELETE) where exactly-once is on and the connector
has an offsets topic of its own: its second write fails ("Cannot add partition … to transaction while in state READY")
and nobody is told. So the same records are written here, while the connector is stopped.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lakeproof.lake.capture.connector import Connector
from lakeproof.stack.topics import OFFSETS_TOPIC

# As stack/engines/connect.py sets group.id.
GROUP = "lake-connect"
# Connect's own partitioner, for a topic of several partitions.
PARTITIONER = {"partitioner": "murmur2"}


def transactional_id(connector: Connector) -> str:
    """By which the connector's one task writes, as Connect makes it up: the workers' group, connector, task."""
    return f"{GROUP}-{connector.name}-0"


def own_offsets(kept: Iterable[Mapping[str, Any]], connector: Connector) -> list[Mapping[str, Any]]:
    """Of what `GET /connectors/NAME/offsets` lists, what is kept by the name that the connector's topics begin with.

    Under another name, that somebody gave it for a while, it has a second place for good.
    """
    return [one for one in kept if one["partition"].get("server") == connector.database]


def offset_topics(connector: Connector) -> tuple[str, ...]:
    """The topics that hold the connector's offsets, its own and the workers'; a record of each counts."""
    return (connector.config["offsets.storage.topic"].replace("@name@", connector.name), OFFSETS_TOPIC)


def offset_key(connector: Connector, partition: Mapping[str, Any]) -> bytes:
    """The key of its records. partition: as `GET /connectors/NAME/offsets` tells it."""
    return json.dumps([connector.name, partition], separators=(",", ":")).encode()
