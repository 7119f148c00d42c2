"""The connector is deleted by plain REST; Kafka Connect keeps its offsets."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import send, state_of
from lakeproof.lake.capture.registration import register
from lakeproof.stack.stack import Stack


class DeletedConnector(Arguments):
    """`connector`: its name in Kafka Connect."""

    connector: str = "orders"


def inject(stack: Stack, arguments: DeletedConnector) -> None:
    """Delete it; fine where it is gone."""
    send(stack, "DELETE", f"/connectors/{arguments.connector}", absent_is_fine=True)


def remove(stack: Stack, arguments: DeletedConnector) -> None:
    """Register it from its file; it goes on from its old offsets."""
    register(stack, arguments.connector)


def sign(stack: Stack, arguments: DeletedConnector) -> Sign:
    """Kafka Connect knows no connector of that name."""
    seen = state_of(stack, arguments.connector)
    return Sign(seen is None, f"connector {arguments.connector} is {seen or 'not there'}")


FAULT = Fault("deleted_connector", "delete the connector from Kafka Connect", inject, remove, sign, DeletedConnector)
