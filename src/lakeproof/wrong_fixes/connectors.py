"""Steps on a connector that only look like a repair."""

from confluent_kafka import KafkaError, KafkaException

from lakeproof.errors import TerminalError
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.capture.registration import register
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SERVER_ID_STEP = 1000

HISTORY = "schema.history.internal.kafka.topic"

ASK_SECONDS = 10.0


class RecreateConnectorWithoutData(WrongStep):
    """A new connector that starts without the old data (loses data).

    `connector`: the connector to delete; the new one is called `connector`-new.
    """

    connector: str = "orders"

    @property
    def successor(self) -> str:
        """The new connector's name."""
        return f"{self.connector}-new"

    def typed(self, stack: Stack) -> str:
        """The two calls to Kafka Connect."""
        connect = stack.url("connect")
        return (
            f"curl -X DELETE {connect}/connectors/{self.connector}; "
            f'curl -X PUT --json \'{{… "snapshot.mode": "no_data"}}\' {connect}/connectors/{self.successor}/config'
        )

    def run(self, stack: Stack) -> str:
        """Delete the old connector, register the new one, and return once that runs."""
        config = render(stack, find_connector(self.connector))
        config |= {
            "snapshot.mode": "no_data",
            HISTORY: f"{config[HISTORY]}_new",
            "database.server.id": str(int(config["database.server.id"]) + SERVER_ID_STEP),
        }
        send(stack, "DELETE", f"/connectors/{self.connector}", absent_is_fine=True)
        send(stack, "PUT", f"/connectors/{self.successor}/config", body=config)
        await_state(stack, self.successor, "RUNNING", seconds=40)
        return f"connector {self.successor} runs instead of {self.connector}, from now on only"

    def undo(self, stack: Stack) -> None:
        """Register the old connector again, at its old offsets: what both connectors delivered is in the topic twice.

        Raises: LakeproofError.
        """
        send(stack, "DELETE", f"/connectors/{self.successor}", absent_is_fine=True)
        register(stack, self.connector)
        send(stack, "PUT", f"/connectors/{self.connector}/resume", absent_is_fine=True)
        topic = f"{render(stack, find_connector(self.connector))[HISTORY]}_new"
        # Kept in a name until the answer is there: a client without a reference is closed, and its call with it.
        client = admin(stack)
        try:
            client.delete_topics([topic], operation_timeout=ASK_SECONDS)[topic].result(timeout=ASK_SECONDS)
        except (KafkaException, TimeoutError) as error:
            if isinstance(error, TimeoutError) or error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TerminalError(f"not deleted: {str(error) or 'no answer'}", where=topic) from error
