"""The connector is paused: it goes on reading the binlog into its queue, and delivers nothing."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.stack.stack import Stack


class PausedConnector(Arguments):
    """`connector`: its name in Kafka Connect."""

    connector: str = "orders"


def inject(stack: Stack, arguments: PausedConnector) -> None:
    """Pause it and return once it says so."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/pause")
    await_state(stack, arguments.connector, "PAUSED")


def remove(stack: Stack, arguments: PausedConnector) -> None:
    """Resume it; fine where it runs, or where it is gone."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume", absent_is_fine=True)


FAULT = Fault("paused_connector", "pause the connector", inject, remove, PausedConnector)
