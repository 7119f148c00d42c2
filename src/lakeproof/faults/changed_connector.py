"""Somebody changes one key of a connector's configuration by Kafka Connect's REST API.

With the default arguments the connector is registered from an old template that lacks a table: it runs on, its delay
stays small, and what changes in that table never comes into the topic.
"""

from pydantic import Field

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import missed, rewriting, topic_gap
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registered import TABLES_KEY, as_registered, changed_keys
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack

RUN_SECONDS = 60.0
WITHOUT_EVENTS = "oltp.orders,oltp.order_items,oltp.cdc_heartbeat"


class ChangedConnector(OfConnector):
    """`key`: the one that is changed, of those that decide what the connector delivers. `value`: its new value."""

    key: str = Field(TABLES_KEY, pattern=r"^[a-z][A-Za-z0-9._-]+$")
    value: str = WITHOUT_EVENTS


def inject(stack: Stack, arguments: ChangedConnector) -> None:
    """Change the key, and return once connector and task run with it. A second call changes nothing.

    Raises: InvalidInput where Kafka Connect has no such connector, where it was registered with that value, or for a
    key that a person may change; TerminalError with what Kafka Connect refused; DeadlineExpired where it stays down.
    """
    name = arguments.connector
    config = live_config(stack, name)
    if config is None:
        raise InvalidInput("Kafka Connect has no such connector", where=name, next_action="lakeproof diagnose")
    changed = config | {arguments.key: arguments.value}
    if arguments.key not in changed_keys(changed, as_registered(stack, find_connector(name))):
        raise InvalidInput(
            "it was registered so, or a person may change that",
            where=f"{name}: {arguments.key}",
            next_action="another key or value",
        )
    if changed != config:
        send(stack, "PUT", f"/connectors/{name}/config", body=changed)
    await_state(stack, name, "RUNNING", seconds=RUN_SECONDS)


def remove(stack: Stack, arguments: ChangedConnector) -> None:
    """Bring what was not delivered, take out what came twice, and register the connector from its file.

    Where the configuration was set right meanwhile, a mark tells of the rows that are still missing. For PostgreSQL,
    `lakeproof mitigate` has all rows read anew; here only the tables that come back are read.
    """
    connector = find_connector(arguments.connector)
    source = find_source(connector.database)
    missing = sign(stack, arguments).holds or missed.is_noted(stack, source, missed.BY_CONNECTOR)
    if connector.engine == "mysql" and missing and topic_gap.bridge(stack, connector.name).twice:
        rewriting.remove_second_rows(stack, source)
    register(stack, connector.name)
    send(stack, "PUT", f"/connectors/{connector.name}/resume", absent_is_fine=True)


def sign(stack: Stack, arguments: ChangedConnector) -> Sign:
    """The value that Kafka Connect itself has under that key."""
    found = (live_config(stack, arguments.connector) or {}).get(arguments.key)
    return Sign(found == arguments.value, f"{arguments.key} of connector {arguments.connector} is {found!r}")


FAULT = Fault(
    "changed_connector",
    "change one key of a connector's configuration over REST, by default to leave a table out",
    inject,
    remove,
    sign,
    ChangedConnector,
    through_capture=True,
)
