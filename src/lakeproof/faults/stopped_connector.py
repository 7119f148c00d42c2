"""The connector is stopped: it has no task, and its metrics vanish."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.stack.stack import Stack


class StoppedConnector(Arguments):
    """`connector`: its name in Kafka Connect."""

    connector: str = "orders"


def inject(stack: Stack, arguments: StoppedConnector) -> None:
    """Stop it and return once it says so."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/stop")
    await_state(stack, arguments.connector, "STOPPED")


def remove(stack: Stack, arguments: StoppedConnector) -> None:
    """Resume it; fine where it runs, or where it is gone."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume", absent_is_fine=True)


FAULT = Fault("stopped_connector", "stop the connector, so that it has no task", inject, remove, StoppedConnector)
