"""Steps that look like a repair of schema-drift, and are none."""

from confluent_kafka import KafkaException

from lakeproof.errors import TerminalError
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

ASK_SECONDS = 20.0


class DropTopic(WrongStep):
    """Delete the capture's topic and have it made anew (loses data)."""

    def typed(self, stack: Stack) -> str:
        """Kafka's own tool, and then a restart of the connector."""
        servers = stack.address("kafka", "tcp")
        return (
            f"kafka-topics --bootstrap-server {servers} --delete --topic {OLTP.topic} # then restart {OLTP.connector}"
        )

    def run(self, stack: Stack) -> str:
        """Delete the topic, and restart the connector's task, which makes the topic again."""
        try:
            client = admin(stack)  # kept in a name: a client without a reference is closed before its answer arrives
            client.delete_topics([OLTP.topic])[OLTP.topic].result(timeout=ASK_SECONDS)
        except (KafkaException, TimeoutError) as error:
            raise TerminalError(f"could not delete it: {error}", where=OLTP.topic) from error
        restart(stack, OLTP.connector, only_failed=False)
        return f"{OLTP.topic} is deleted, and {OLTP.connector} writes into a new one"
