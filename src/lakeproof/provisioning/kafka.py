"""Kafka: the topics of change capture, of the shop's events and of results."""

from confluent_kafka.admin import AdminClient

from lakeproof.lake import topic_ids
from lakeproof.lake.topic_settings import ALTER_SECONDS, make
from lakeproof.lake.topics import made_here, provisioned_as
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic


def provision(stack: Stack) -> None:
    """Once ready: make the topics of change capture, of the shop's events and of results, each once.

    A topic that somebody deleted stays deleted. Each topic's id is noted too, except in mode "external": a later
    topic of the same name may be another topic.
    Raises: NotReady or CouldNotLook when the broker does not answer.
    """
    wanted = [
        topic for topic in made_here() if not provisioned.is_made(stack, "kafka", provisioned_as(topic), _mark(topic))
    ]
    ours = () if stack.settings.mode == "external" else made_here()
    unnoted = [topic for topic in ours if not topic_ids.noted(stack, topic)]
    if not wanted and not unnoted:
        return
    client = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp"), "socket.timeout.ms": 10000})
    for topic in wanted:
        make(client, topic)
        provisioned.remember(stack, "kafka", provisioned_as(topic), _mark(topic))
    ids = topic_ids.ids(client, unnoted, ALTER_SECONDS) if unnoted else {}
    for topic in unnoted:
        if topic.name in ids:
            topic_ids.note(stack, topic, ids[topic.name])


def _mark(topic: Topic) -> str:
    return provisioned.digest(
        topic.name, str(topic.partitions), *(f"{k}={v}" for k, v in sorted(topic.config.items()))
    )
