"""The base of faults that are one order to Kafka Connect (pause, stop), and `resume` to take it back."""

from typing import ClassVar

from lakeproof.arguments import OfConnector
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import await_state, send, state_of
from lakeproof.stack.stack import Stack


class OrderedConnector(OfConnector, Fault, abstract=True):
    """Gives `order` by REST, and returns once the connector says `state`."""

    order: ClassVar[str]
    state: ClassVar[str]

    def inject(self, stack: Stack) -> None:
        """Give the order, and return once the connector is in that state."""
        send(stack, "PUT", f"/connectors/{self.connector}/{self.order}")
        await_state(stack, self.connector, self.state)

    def remove(self, stack: Stack) -> None:
        """Resume the connector; safe where it runs, or is gone."""
        send(stack, "PUT", f"/connectors/{self.connector}/resume", absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """The state that Kafka Connect tells."""
        seen = state_of(stack, self.connector)
        return Sign(seen == self.state, f"connector {self.connector} is {seen or 'not there'}")
