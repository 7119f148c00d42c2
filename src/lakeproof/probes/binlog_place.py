"""Does MariaDB still have the binlog that the capture reads next?

The place that the connector has committed in Kafka Connect is looked for in the server's list of files. Where its
file is gone the capture cannot go on from there, even while its task has not failed yet, or is paused and does not
know. A running task may be a moment ahead of the place that it has committed.
"""

from collections.abc import Iterator

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.engine import CAPTURE_USER
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.connect import capture_position
from lakeproof.probes.mariadb import ask
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

THERE = "there"
LIST = "SHOW BINARY LOGS"


def binlog_place(stack: Stack, timeout: float, source: Source) -> Value:
    """THERE, or `FILE is gone, the oldest is FILE`; None before it has a place. Raises: CouldNotLook."""
    place = capture_position(stack, timeout, source)
    if place is None:
        return None
    file = str(place).rpartition(":")[0]
    files = [str(row[0]) for row in ask(stack, LIST, timeout, CAPTURE_USER)]
    if not files:
        raise CouldNotLook("it lists no binlog", where="mysql", next_action="is log_bin on?")
    return THERE if file in files else f"{file} is gone, the oldest is {files[0]}"


def _probes() -> Iterator[Probe]:
    for source in SOURCES:
        if source.engine == "mysql":
            query = f"{LIST}, with GET /connectors/{source.connector}/offsets"
            yield of_source(source, "binlog-place", "mysql", query, binlog_place, about=("connect",))


PROBES = tuple(_probes())
