"""Where Kafka Connect keeps a connector's offsets, for the repairs that set them by hand.

Kafka Connect 4.3.1 never answers a change of offsets by REST (DELETE) where exactly-once is on and the connector
has an offsets topic of its own: its second write fails ("Cannot add partition … to transaction while in state READY")
and nobody is told. So the same records are written here, while the connector is stopped.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lakeproof.lake.capture.connector import Connector
from lakeproof.stack.topics import OFFSETS_TOPIC

# The group of Connect's workers, as stack/engines/connect.py sets group.id.
GROUP = "lake-connect"
# Connect's own partitioner, for a topic of several partitions.
PARTITIONER = {"partitioner": "murmur2"}


def transactional_id(connector: Connector) -> str:
    """The id by which the connector's one task writes. Connect makes it of the workers' group, connector and task."""
    return f"{GROUP}-{connector.name}-0"


def own_offsets(kept: Iterable[Mapping[str, Any]], connector: Connector) -> list[Mapping[str, Any]]:
    """The offsets among those of `GET /connectors/NAME/offsets` that are kept under the connector's topic prefix.

    If somebody gave the connector another prefix for a while, Connect keeps a second place under it for good.
    """
    return [one for one in kept if one["partition"].get("server") == connector.database]


def offset_topics(connector: Connector) -> tuple[str, ...]:
    """The topics that hold the connector's offsets: its own and the workers'. Connect heeds the records of both."""
    return (connector.config["offsets.storage.topic"].replace("@name@", connector.name), OFFSETS_TOPIC)


def offset_key(connector: Connector, partition: Mapping[str, Any]) -> bytes:
    """The key of the connector's records in these topics. partition: as `GET /connectors/NAME/offsets` tells it."""
    return json.dumps([connector.name, partition], separators=(",", ":")).encode()
