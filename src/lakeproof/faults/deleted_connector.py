"""The connector is deleted by plain REST; Kafka Connect keeps its offsets."""

from lakeproof.arguments import OfConnector
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import send, state_of
from lakeproof.lake.capture.registration import register
from lakeproof.stack.stack import Stack


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Delete the connector; safe where it is gone."""
    send(stack, "DELETE", f"/connectors/{arguments.connector}", absent_is_fine=True)


def remove(stack: Stack, arguments: OfConnector) -> None:
    """Register the connector from its file; it goes on from its old offsets."""
    register(stack, arguments.connector)


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """Kafka Connect knows no connector of that name."""
    seen = state_of(stack, arguments.connector)
    return Sign(seen is None, f"connector {arguments.connector} is {seen or 'not there'}")


FAULT = Fault("deleted_connector", "delete the connector from Kafka Connect", inject, remove, sign, OfConnector)
