"""Checks that a topic's settings let it keep and take the records as its readers and writers need; restores them.

Kafka lets anybody change a topic's settings. A shorter retention, or compaction, deletes records that nobody has
read. A smaller maximum record size, or a `min.insync.replicas` above the number of brokers, keeps a writer from
writing. Other settings (segment size, compression, flushing) do neither.
"""

from collections.abc import Iterable, Mapping

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
from lakeproof.lake import topic_ids
from lakeproof.lake.sources.source import Source
from lakeproof.lake.topics import is_expected, of_capture
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import TOPICS, Topic

MISSING, ANEW = "no such topic", "made anew"
POLICY, IN_STEP, UNLIMITED = "cleanup.policy", "min.insync.replicas", "-1"
COMPACT = "compact"
# Settings of which a higher value does no harm, while a lower one deletes or refuses records. The value here counts
# where a topic declares none: it deletes nothing, and accepts as much as Kafka 4.3 does by default.
_AT_LEAST = {
    "retention.ms": UNLIMITED,
    "retention.bytes": UNLIMITED,
    "min.compaction.lag.ms": "0",
    "max.message.bytes": "1048588",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.after.max.ms": "3600000",
}
_OF_COMPACTION, _OF_DELETION = ("min.compaction.lag.ms",), ("retention.ms", "retention.bytes")
ALTER_SECONDS, SEEN_SECONDS = 20.0, 10.0


def needs(topic: Topic) -> dict[str, str]:
    """The settings that decide which records the topic keeps and accepts → the value that each needs."""
    of_other = _OF_DELETION if topic.config[POLICY] == COMPACT else _OF_COMPACTION
    usual = {key: value for key, value in _AT_LEAST.items() if key not in of_other}
    return usual | {key: value for key, value in topic.config.items() if key in (POLICY, IN_STEP, *usual)}


def changes(stack: Stack, client: AdminClient, topics: Iterable[Topic], seconds: float) -> dict[str, list[str]]:
    """Topic's name → what is wrong with it: KEY=VALUE of each wrong live setting, ANEW where the topic was deleted
    and created again, MISSING alone where the topic is gone.

    A topic with nothing wrong is left out, and so is a topic that nobody has created yet. In mode "external" a topic
    has its owner's settings, and only the cleanup policy is compared.
    Raises: CouldNotLook; TerminalError for a broken file of provisioning notes.
    """
    asked = list(topics)
    live, made = _live(client, asked, seconds), topic_ids.ids(client, asked, seconds)
    found = {topic.name: _wrong(stack, topic, live[topic.name], made.get(topic.name)) for topic in asked}
    return {name: told for name, told in found.items() if told}


def _wrong(stack: Stack, topic: Topic, live: Mapping[str, str] | None, made: str | None) -> list[str]:
    theirs = stack.settings.mode == "external"
    if live is None:
        return [MISSING] if is_expected(stack, topic) or (theirs and topic in TOPICS) else []
    wanted = {POLICY: topic.config[POLICY]} if theirs else needs(topic)
    told = [
        f"{key}={live[key]}" for key in sorted(wanted) if key in live and not is_enough(key, live[key], wanted[key])
    ]
    known = "" if theirs else topic_ids.noted(stack, topic)
    return [*told, ANEW] if known and made and made != known else told


def restore(stack: Stack, client: AdminClient, topic: Topic) -> list[str]:
    """Correct the settings that `changes` lists, and create a topic that is gone; gives what `changes` listed.

    Raises: CouldNotLook; NotReady where Kafka refuses; DeadlineExpired where the correction does not show;
    TerminalError where the topic is gone in mode "external".
    """
    before = changes(stack, client, [topic], ALTER_SECONDS).get(topic.name, [])
    if before == [MISSING] and stack.settings.mode == "external":
        raise TerminalError("it is gone, and its owner makes it", where=topic.name, next_action="docs/external.md")
    wanted = needs(topic)
    settings = [told.partition("=")[0] for told in before if "=" in told]
    if before == [MISSING]:
        make(client, topic)
    elif settings:
        alter(client, topic.name, {key: wanted[key] for key in settings})
    seen: list[str] = []

    def is_right() -> bool | None:
        seen[:] = changes(stack, client, [topic], ALTER_SECONDS).get(topic.name, [])
        return True if seen in ([], [ANEW]) else None

    Deadline(SEEN_SECONDS).wait_for(f"{topic.name} to be set right", is_right, seen=lambda: ", ".join(seen))
    return before


def require_right(stack: Stack, source: Source) -> str:
    """Called by whoever writes into the topics of a capture. Gives the id of the topic that holds the changes; "" in
    mode "external", where no id is kept.

    Raises: InvalidInput where the topics do not keep or accept what is written; CouldNotLook.
    """
    client, topics = admin_client(stack), of_capture(source)
    found = changes(stack, client, topics, ALTER_SECONDS)
    wrong = [f"{name}: {told}" for name, what in found.items() for told in what if told != ANEW]
    if wrong:
        raise InvalidInput(
            ", ".join(wrong),
            where="kafka",
            next_action=f"lakeproof mitigate INCIDENT --action restore_topic --arg database={source.name}",
        )
    if stack.settings.mode == "external":
        return ""
    return topic_ids.ids(client, topics, ALTER_SECONDS).get(source.topic, "")


def require_known(stack: Stack, source: Source) -> None:
    """Called by a repair that relies on the job to read what the topic holds. In a topic that was deleted and created
    again the job would go on at a wrong offset.

    Raises: InvalidInput that names the bridge by which the job passes over the whole topic; CouldNotLook.
    """
    if ANEW in changes(stack, admin_client(stack), of_capture(source), ALTER_SECONDS).get(source.topic, ()):
        raise InvalidInput(
            f"{source.topic} was deleted and made anew",
            where=source.connector,
            next_action=f"lakeproof mitigate INCIDENT --action bridge_topic_gap --arg connector={source.connector}",
        )


def admin_client(stack: Stack) -> AdminClient:
    """An admin client that logs nothing."""
    return AdminClient({"bootstrap.servers": stack.address("kafka", "tcp"), "log_level": 0})


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


def live_settings(client: AdminClient, topic: Topic, seconds: float) -> dict[str, str] | None:
    """The topic's effective settings, Kafka's defaults included; None where there is no such topic.

    Raises: CouldNotLook.
    """
    return _live(client, [topic], seconds)[topic.name]


def _live(client: AdminClient, topics: list[Topic], seconds: float) -> dict[str, dict[str, str] | None]:
    resources = {topic.name: ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics}
    asked = client.describe_configs(list(resources.values()), request_timeout=seconds)
    found: dict[str, dict[str, str] | None] = {}
    for name, resource in resources.items():
        try:
            told = asked[resource].result(timeout=seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise CouldNotLook(f"no settings of {name}: {error.args[0].str()}", where="kafka") from error
            found[name] = None
        except TimeoutError as error:
            raise CouldNotLook(f"no settings of {name} in time", where="kafka") from error
        else:
            found[name] = {key: str(entry.value) for key, entry in told.items()}
    return found


def is_enough(key: str, live: str, wanted: str) -> bool:
    """Whether a live value lets the topic keep and accept what it has to. wanted: the value that `needs` gives."""
    if key == POLICY:
        return set(live.split(",")) == set(wanted.split(","))
    try:
        number, limit = int(live), int(wanted)
    except ValueError:
        return False
    if key == IN_STEP:
        return number <= limit
    return live == UNLIMITED or (wanted != UNLIMITED and number >= limit)
