"""Kafka: the topics of change capture, of the shop's events and of results."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from lakeproof.errors import NotReady
from lakeproof.lake.result_topics import result_topics
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import EVENT_TOPICS, TOPICS, Topic


def provision(stack: Stack) -> None:
    """Once ready: the topics of change capture, of the shop's events and of results, each once.

    A deleted one stays deleted.
    Raises: NotReady when the broker does not answer.
    """
    wanted = [
        topic
        for topic in (*TOPICS, *EVENT_TOPICS, *result_topics())
        if not provisioned.is_made(stack, "kafka", f"topic {topic.name}", _mark(topic))
    ]
    if not wanted:
        return
    client = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp"), "socket.timeout.ms": 10000})
    for topic in wanted:
        _make(client, topic)
        provisioned.remember(stack, "kafka", f"topic {topic.name}", _mark(topic))


def _mark(topic: Topic) -> str:
    return provisioned.digest(
        topic.name, str(topic.partitions), *(f"{k}={v}" for k, v in sorted(topic.config.items()))
    )


def _make(client: AdminClient, topic: Topic) -> None:
    """Create the topic, or set the configuration of one that is there."""
    new = NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=1, config=dict(topic.config))
    try:
        client.create_topics([new], request_timeout=20)[topic.name].result(timeout=30)
        return
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise NotReady(f"topic {topic.name} was not made: {error.args[0].str()}", where="kafka") from error
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in topic.config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
    try:
        client.incremental_alter_configs([resource], request_timeout=20)[resource].result(timeout=30)
    except KafkaException as error:
        raise NotReady(f"topic {topic.name} was not configured: {error.args[0].str()}", where="kafka") from error
