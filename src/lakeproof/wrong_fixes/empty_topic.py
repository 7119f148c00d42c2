"""A wrong fix: empty the capture topic, so that there is no backlog to be seen."""

from confluent_kafka import KafkaException, TopicPartition

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC as TOPIC
from lakeproof.wrong_fixes.wrong_step import WrongStep

END = -1
ASK_SECONDS = 10.0


class EmptyTopic(Arguments):
    """`topic`: the topic to empty; it must have one partition."""

    topic: str = TOPIC


def typed(stack: Stack, arguments: EmptyTopic) -> str:
    """Kafka's own tool."""
    return (
        f"kafka-delete-records --bootstrap-server {stack.address('kafka', 'tcp')} # {arguments.topic}, up to its end"
    )


def run(stack: Stack, arguments: EmptyTopic) -> str:
    """Delete every record up to the topic's end."""
    partition = TopicPartition(arguments.topic, 0, END)
    try:
        client = admin(stack)
        # A new client does not know the partition's leader yet, and delete_records would wait for its whole timeout.
        client.list_topics(arguments.topic, timeout=ASK_SECONDS)
        future = client.delete_records([partition], request_timeout=ASK_SECONDS)[partition]
        low = future.result(timeout=ASK_SECONDS).low_watermark
    except (KafkaException, TimeoutError) as error:
        raise TerminalError(f"could not delete records: {error}", where=arguments.topic) from error
    return f"{arguments.topic} now begins at offset {low}"


WRONG_STEP = WrongStep("empty_topic", "delete every record of the capture topic (loses data)", typed, run, EmptyTopic)
