"""Whether a topic keeps and takes its records as those who write and read it need, and how it is given that back.

Kafka sets a topic otherwise for whoever asks. A shorter retention, or compaction, takes records that nobody has read;
a smaller record, or more replicas in step than there are brokers, keeps a writer from writing. Other settings (the
size of segments, compression, flushing) change neither.
"""

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, NotReady, TerminalError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.offsets import offset_topics
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources.source import SOURCES
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CONFIGS_TOPIC, EVENT_TOPICS, STATUS_TOPIC, TOPICS, Topic

MISSING = "no such topic"
CONNECTS_OWN = "_connect_"
POLICY, IN_STEP, UNLIMITED = "cleanup.policy", "min.insync.replicas", "-1"
# Kafka's own values (4.3) of the settings of which more does no harm, and less takes or refuses records.
_AT_LEAST = {
    "retention.ms": UNLIMITED,
    "retention.bytes": UNLIMITED,
    "min.compaction.lag.ms": "0",
    "max.message.bytes": "1048588",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.after.max.ms": "3600000",
}
# Of compaction alone, and of the deletion of old records alone.
_OF_COMPACTION, _OF_DELETION = ("min.compaction.lag.ms",), ("retention.ms", "retention.bytes")
ALTER_SECONDS, SEEN_SECONDS = 20.0, 10.0


def made_here() -> tuple[Topic, ...]:
    """The topics that kafka's provision makes: of change capture, of the shop's events and of results."""
    return (*TOPICS, *EVENT_TOPICS, *result_topics())


def of_connect() -> tuple[Topic, ...]:
    """Those in which Kafka Connect keeps its own state. It makes them, and needs the newest record of each key: with
    another policy its offsets would be deleted at their age, and a connector would begin anew.
    """
    offsets = {name for source in SOURCES for name in offset_topics(find_connector(source.connector))}
    config = {POLICY: "compact", IN_STEP: "1"}
    return tuple(Topic(name, 1, config) for name in (CONFIGS_TOPIC, STATUS_TOPIC, *sorted(offsets)))


def find_topic(name: str) -> Topic:
    """One of ours, or of Kafka Connect's own. Raises: InvalidInput that lists them."""
    known = {topic.name: topic for topic in (*made_here(), *of_connect())}
    if name not in known:
        raise InvalidInput(f"no topic of ours is called {name!r}", next_action=f"one of {', '.join(known)}")
    return known[name]


def needs(topic: Topic) -> dict[str, str]:
    """The settings that decide which records it keeps and takes, and what they have to be."""
    of_other = _OF_DELETION if topic.config[POLICY] == "compact" else _OF_COMPACTION
    usual = {key: value for key, value in _AT_LEAST.items() if key not in of_other}
    declared = {key: value for key, value in topic.config.items() if key in (POLICY, IN_STEP, *usual)}
    return usual | declared


def changed(stack: Stack, client: AdminClient, topic: Topic, seconds: float) -> list[str]:
    """What of a topic is otherwise than it needs to be, as KEY=VALUE; MISSING alone where it is gone.

    A topic that somebody else made (mode "external") has settings of its own: of it the policy alone is compared.
    Raises: CouldNotLook.
    """
    live = _live(client, topic.name, seconds)
    if live is None:
        return [MISSING]
    wanted = needs(topic) if is_ours(stack, topic) else {POLICY: topic.config[POLICY]}
    return [
        f"{key}={live[key]}" for key in sorted(wanted) if key in live and not _enough(key, live[key], wanted[key])
    ]


def restore(stack: Stack, client: AdminClient, topic: Topic) -> list[str]:
    """Set right what `changed` tells, and make a topic that is gone; what that was. What is right stays as it is.

    Raises: CouldNotLook; NotReady where Kafka refuses it; DeadlineExpired where it does not show; TerminalError where
    Kafka Connect's own is gone, which it makes itself.
    """
    before = changed(stack, client, topic, ALTER_SECONDS)
    if before == [MISSING] and topic in of_connect():
        raise TerminalError(
            "Kafka Connect makes it itself, at its start", where=topic.name, next_action="lakeproof restart connect"
        )
    if before == [MISSING]:
        make(client, topic)
    elif before:
        wanted = needs(topic)
        alter(client, topic.name, {key: wanted[key] for key in (told.partition("=")[0] for told in before)})
    seen = before

    def is_right() -> bool | None:
        nonlocal seen
        seen = changed(stack, client, topic, ALTER_SECONDS)
        return None if seen else True

    Deadline(SEEN_SECONDS).wait_for(f"{topic.name} to be set right", is_right, seen=lambda: ", ".join(seen))
    return before


def make(client: AdminClient, topic: Topic) -> None:
    """Create the topic, or set the configuration of one that is there. Raises: NotReady."""
    new = NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=1, config=dict(topic.config))
    try:
        client.create_topics([new], request_timeout=ALTER_SECONDS)[topic.name].result(timeout=30)
        return
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise NotReady(f"topic {topic.name} was not made: {error.args[0].str()}", where="kafka") from error
    alter(client, topic.name, topic.config)


def alter(client: AdminClient, topic: str, config: Mapping[str, str]) -> None:
    """Set these keys of a topic, and no other. Raises: NotReady."""
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    try:
        client.incremental_alter_configs([resource], request_timeout=ALTER_SECONDS)[resource].result(timeout=30)
    except KafkaException as error:
        raise NotReady(f"topic {topic} was not configured: {error.args[0].str()}", where="kafka") from error


def is_ours(stack: Stack, topic: Topic) -> bool:
    """Whether kafka's provision made it on this machine, or our Kafka Connect.

    Raises: TerminalError for a broken file.
    """
    if topic.name.startswith(CONNECTS_OWN):
        return stack.settings.mode != "external"
    return bool(provisioned.recall(stack, "kafka", provisioned_as(topic)))


def provisioned_as(topic: Topic) -> str:
    """What the note of its making is called."""
    return f"topic {topic.name}"


def _live(client: AdminClient, name: str, seconds: float) -> dict[str, str] | None:
    """Its settings as they count now, Kafka's own among them; None where there is no such topic."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        told = client.describe_configs([resource], request_timeout=seconds)[resource].result(timeout=seconds)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise CouldNotLook(f"no settings of {name}: {error.args[0].str()}", where="kafka") from error
    except TimeoutError as error:
        raise CouldNotLook(f"no settings of {name} in time", where="kafka") from error
    return {key: str(entry.value) for key, entry in told.items()}


def _enough(key: str, live: str, wanted: str) -> bool:
    if key == POLICY:
        return set(live.split(",")) == set(wanted.split(","))
    if key == IN_STEP:
        return int(live) <= int(wanted)
    return live == UNLIMITED or (wanted != UNLIMITED and int(live) >= int(wanted))
