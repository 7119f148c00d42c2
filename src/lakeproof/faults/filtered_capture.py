"""Somebody puts a filter into the connector's configuration, and the rows of one table no longer come into the topic.

Debezium counts a transaction's rows before the filter, so its END marker counts rows that never came. The lake's job
stops at the first such END: the capture is torn. The rows that the filter dropped are in the database alone.
"""

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import missed, topic_gap
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.probes import flink
from lakeproof.stack.stack import Stack

SECONDS = 10.0
RUN_SECONDS = 60.0
FILTER, ROWS = "drop", "dropped"
TABLE = "order_items"


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Put the filter first among the connector's transforms; return once connector and task run with it.

    Raises: InvalidInput where Kafka Connect has no such connector; as `send` and `await_state`.
    """
    name = arguments.connector
    config = live_config(stack, name)
    if config is None:
        raise InvalidInput("Kafka Connect has no such connector", where=name, next_action="lakeproof diagnose")
    if f"transforms.{FILTER}.type" not in config:
        send(stack, "PUT", f"/connectors/{name}/config", body=config | _filter(config))
    await_state(stack, name, "RUNNING", seconds=RUN_SECONDS)


def _filter(config: dict[str, str]) -> dict[str, str]:
    database = config["topic.prefix"]
    return {
        "transforms": f"{FILTER},{config['transforms']}",
        f"transforms.{FILTER}.type": "org.apache.kafka.connect.transforms.Filter",
        f"transforms.{FILTER}.predicate": ROWS,
        "predicates": f"{config['predicates']},{ROWS}",
        f"predicates.{ROWS}.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        f"predicates.{ROWS}.pattern": rf"{database}\.{database}\.{TABLE}",
    }


def remove(stack: Stack, arguments: OfConnector) -> None:
    """Register the connector from its file, and bring the rows that the filter dropped into the lake.

    A second call finds no filter. The job, or the mark of a bridge that was cut off, then says what is left to bring.
    """
    was_in = f"transforms.{FILTER}.type" in (live_config(stack, arguments.connector) or {})
    marked = missed.is_noted(stack, _source(arguments), missed.BY_CONNECTOR)
    if was_in or marked or flink.topic_gap(stack, SECONDS, _source(arguments)) not in (None, flink.NO_EXCEPTION):
        topic_gap.bridge(stack, arguments.connector)
    register(stack, arguments.connector)
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume", absent_is_fine=True)


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """The job itself tells which rows did not come."""
    seen = flink.topic_gap(stack, SECONDS, _source(arguments))
    return Sign(str(seen).startswith("transaction "), f"the job's newest failure: {seen}")


def _source(arguments: OfConnector) -> Source:
    return find_source(find_connector(arguments.connector).database)


FAULT = Fault(
    "filtered_capture",
    "drop one table's rows by a filter in the connector's configuration",
    inject,
    remove,
    sign,
    OfConnector,
    through_capture=True,
)
