"""The shape of a fault that is one order to Kafka Connect (pause, stop), and `resume` to take it back."""

from lakeproof.arguments import OfConnector
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import await_state, send, state_of
from lakeproof.stack.stack import Stack


def ordered_connector(name: str, summary: str, order: str, state: str) -> Fault:
    """A fault that gives `order` by REST and returns once the connector says `state`."""

    def inject(stack: Stack, arguments: OfConnector) -> None:
        """Give the order, and return once the connector is in that state."""
        send(stack, "PUT", f"/connectors/{arguments.connector}/{order}")
        await_state(stack, arguments.connector, state)

    def remove(stack: Stack, arguments: OfConnector) -> None:
        """Resume the connector; safe where it runs, or is gone."""
        send(stack, "PUT", f"/connectors/{arguments.connector}/resume", absent_is_fine=True)

    def sign(stack: Stack, arguments: OfConnector) -> Sign:
        """The state that Kafka Connect tells."""
        seen = state_of(stack, arguments.connector)
        return Sign(seen == state, f"connector {arguments.connector} is {seen or 'not there'}")

    return Fault(name, summary, inject, remove, sign, OfConnector)
