"""All topics, by who makes them: a capture, kafka's provision, or Kafka Connect itself."""

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.offsets import offset_topics
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CONFIGS_TOPIC, EVENT_TOPICS, OFFSETS_TOPIC, STATUS_TOPIC, TOPICS, Topic

HISTORY = "schema.history.internal.kafka.topic"
# For the topics that Kafka Connect creates. Connect needs the newest record of each key. With another cleanup policy
# its offsets would be deleted once they are old, and a connector would begin anew.
_OF_CONNECT = {"cleanup.policy": "compact", "min.insync.replicas": "1"}
# For Debezium's schema history. If a part of it is gone it cannot be read, and the connector does not start.
_OF_HISTORY = {"cleanup.policy": "delete", "retention.ms": str(2**63 - 1), "min.insync.replicas": "1"}


def made_here() -> tuple[Topic, ...]:
    """The topics that kafka's provision makes: of change capture, of the shop's events and of results."""
    return (*TOPICS, *EVENT_TOPICS, *result_topics())


def of_capture(source: Source) -> tuple[Topic, ...]:
    """The topics that the source's connector writes: changes, offsets (in the same transactions), schema history."""
    connector = find_connector(source.connector)
    changes = next(topic for topic in TOPICS if topic.name == source.topic)
    own_offsets = offset_topics(connector)[0]
    return (changes, Topic(own_offsets, 1, _OF_CONNECT), *_history(connector))


def _history(connector: Connector) -> tuple[Topic, ...]:
    name = connector.config.get(HISTORY)
    return (Topic(name.replace("@database@", connector.database), 1, _OF_HISTORY),) if name else ()


def others() -> tuple[Topic, ...]:
    """The topics that belong to no capture: the shop's events, the results, and those of Kafka Connect's workers."""
    workers = (Topic(name, 1, _OF_CONNECT) for name in (CONFIGS_TOPIC, STATUS_TOPIC, OFFSETS_TOPIC))
    return (*EVENT_TOPICS, *result_topics(), *workers)


def is_expected(stack: Stack, topic: Topic) -> bool:
    """Whether kafka's provision once created the topic. Such a topic that is missing was deleted by somebody.

    False for every topic that Kafka Connect creates on demand, since nobody notes its creation.

    Raises: TerminalError for a broken file.
    """
    return bool(provisioned.recall(stack, "kafka", provisioned_as(topic)))


def provisioned_as(topic: Topic) -> str:
    """The name under which kafka's provision notes that it created the topic."""
    return f"topic {topic.name}"


def find_topic(name: str) -> Topic:
    """The topic of that name. Raises: InvalidInput that lists them."""
    known = {topic.name: topic for topic in (*(one for source in SOURCES for one in of_capture(source)), *others())}
    if name not in known:
        raise InvalidInput(f"no topic of ours is called {name!r}", next_action=f"one of {', '.join(known)}")
    return known[name]
