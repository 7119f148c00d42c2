"""Questions to Kafka: does the broker answer, how old is the capture topic's newest record, what topics are there.

A broker that is down is found by its socket first: librdkafka itself only ever says "timed out". A broker that has
hung for a while neither refuses nor takes a connection: the kernel's queue of connections to accept is full.
"""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.backlog import kept_offset, rows_so_far
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.lake.topic_settings import changes
from lakeproof.lake.topics import of_capture, others
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.stack.absent_kafka import quiet_reader, quiet_settings
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic

TAIL_RECORDS = 20
# A transaction of this many rows is large: no call of the shop writes so many at once.
LARGE_ROWS = 1_000
UNCHANGED = "none"
# The library neither exports nor types it.
OffsetSpec: Any = kafka_admin.OffsetSpec  # type: ignore[attr-defined]


def admin(stack: Stack) -> AdminClient:
    """A client that logs nothing; errors come back through its calls. All probes of a round share one client."""
    servers = stack.address("kafka", "tcp")
    return once(("kafka", servers), lambda: AdminClient(quiet_settings(servers)))


def _connect(stack: Stack, timeout: float) -> None:
    """Raises: ConnectionRefusedError, TimeoutError, or another OSError where it could not be tried."""
    socket.create_connection(stack.host_port("kafka"), timeout=timeout).close()


def _reach(stack: Stack, timeout: float) -> None:
    try:
        _connect(stack, timeout)
    except OSError as error:
        told = "connection refused" if isinstance(error, ConnectionRefusedError) else f"no connection: {error}"
        raise CouldNotLook(told, where="kafka", next_action="is it up?") from error


def broker_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent (no connection in time, or no metadata over it) or refused. Raises: CouldNotLook."""
    try:
        _connect(stack, timeout)
    except ConnectionRefusedError:
        return REFUSED
    except TimeoutError:
        return SILENT
    except OSError as error:
        raise CouldNotLook(f"no connection: {error}", where="kafka") from error
    try:
        admin(stack).list_topics(timeout=timeout)
    except KafkaException:
        return SILENT
    return ANSWERS


def broker_ids(stack: Stack, timeout: float) -> list[int]:
    """The brokers that the cluster knows now. Raises: CouldNotLook."""
    try:
        return sorted(admin(stack).list_topics(timeout=timeout).brokers)
    except KafkaException as error:
        raise CouldNotLook(f"its brokers are not told: {error}", where="kafka") from error


def _offsets(stack: Stack, spec: Any, timeout: float, topic: str) -> Any:
    """(offset, timestamp) of the topic's one partition, for an OffsetSpec. Raises: CouldNotLook."""
    _reach(stack, timeout)
    try:
        client = admin(stack)
        # A fresh client asked for offsets knows no leader yet and waits for its whole timeout.
        client.list_topics(topic, timeout=timeout)
        asked = client.list_offsets({TopicPartition(topic, 0): spec}, request_timeout=timeout)
        found = next(iter(asked.values())).result(timeout=timeout)
    except (KafkaException, TimeoutError) as error:
        raise CouldNotLook(f"no offsets of {topic}: {error}", where="kafka") from error
    return found


def topic_silence(stack: Stack, timeout: float, source: Source) -> Value:
    """Seconds since the newest record came into the capture's topic; None where it holds none.

    A paused capture keeps this growing even while the worker calls itself RUNNING. A client's clock is compared with
    the broker's records, so two machines must agree on the time to a second.
    """
    found = _offsets(stack, OffsetSpec.max_timestamp(), timeout, source.topic)
    if found.timestamp <= 0:
        return None
    return round(max(0.0, time.time() - float(found.timestamp) / 1000), 3)


def topic_start(stack: Stack, timeout: float, source: Source) -> int:
    """The first offset that the capture topic still holds."""
    return int(_offsets(stack, OffsetSpec.earliest(), timeout, source.topic).offset)


def topic_end(stack: Stack, timeout: float, source: Source) -> int:
    """The offset after the capture topic's newest record."""
    return int(_offsets(stack, OffsetSpec.latest(), timeout, source.topic).offset)


def transaction_rows(stack: Stack, timeout: float, source: Source) -> Value:
    """How many rows of a transaction have come into the capture's topic without its end; 0 between transactions.

    Debezium counts the rows in each row. (The connector's offsets tell as much; they come from Kafka Connect, which
    may be the part that is ill.)
    """
    end = topic_end(stack, timeout, source)
    settings = quiet_reader(stack.address("kafka", "tcp"), "lakeproof-probe") | {
        "enable.partition.eof": True,
        "isolation.level": "read_uncommitted",
        "auto.offset.reset": "earliest",
    }
    newest, deadline = None, Deadline(timeout)
    with closing(Consumer(settings)) as consumer:
        # The newest offsets may be transaction markers of the broker, which no consumer gets.
        consumer.assign([TopicPartition(source.topic, 0, max(0, end - TAIL_RECORDS))])
        while not deadline.expired:
            message = consumer.poll(deadline.left)
            if message is None or message.error() is not None:
                break
            newest = message
            if (message.offset() or 0) >= end - 1:
                break
    if newest is None and end > 0:
        raise CouldNotLook("its newest record cannot be read in time", where=source.topic)
    return rows_so_far(newest.value() if newest is not None else None)


def unread(stack: Stack, timeout: float, source: Source) -> int | None:
    """How many records of the capture's topic come after the offset in the job's last checkpoint; None where it kept
    none yet. A job that keeps up has the records of a checkpoint or two before it. Raises: CouldNotLook.
    """
    end = topic_end(stack, timeout, source)
    kept = kept_offset(stack, timeout, source)
    return None if kept is None else max(0, end - kept)


def changed_settings(stack: Stack, timeout: float, source: Source) -> list[str]:
    """The settings that are not as they need to be, of the topics that a connector writes: `TOPIC: WHAT`, as
    topic_settings.changes. Raises: CouldNotLook.
    """
    return _changes(stack, timeout, of_capture(source))


def topic_changes(stack: Stack, timeout: float, source: Source) -> Value:
    """What `changed_settings` gives, joined by commas; "none"."""
    return ", ".join(changed_settings(stack, timeout, source)) or UNCHANGED


def other_topic_changes(stack: Stack, timeout: float) -> Value:
    """As `topic_changes`, of the topics that belong to no capture."""
    return ", ".join(_changes(stack, timeout, others())) or UNCHANGED


def _changes(stack: Stack, timeout: float, of: Iterable[Topic]) -> list[str]:
    _reach(stack, timeout)
    found = changes(stack, admin(stack), of, timeout)
    return [f"{name}: {told}" for name, what in found.items() for told in what]


def topics(stack: Stack, timeout: float) -> Value:
    """The names of all topics, sorted, joined by spaces."""
    _reach(stack, timeout)
    try:
        names: dict[str, object] = dict(admin(stack).list_topics(timeout=timeout).topics)
    except KafkaException as error:
        raise CouldNotLook(f"no metadata: {error}", where="kafka") from error
    return " ".join(sorted(names))


def _probes(source: Source) -> Iterator[Probe]:
    query, recent = f"list offsets of {source.topic} by the highest timestamp", Condition(Operator.BELOW, 10)
    about = ("connect", source.exporter)
    # Without Connect nothing is captured, and nobody misses it. Not every stack has the captures of all sources.
    within = source.capture or "connect"
    yield of_source(source, "topic-silence", "kafka", query, topic_silence, "s", recent, about=about, within=within)
    yield of_source(source, "topic-start", "kafka", f"first offset of {source.topic}", topic_start, "offset")
    yield of_source(source, "topic-end", "kafka", f"end offset of {source.topic}", topic_end, "offset")
    small, order = (
        Condition(Operator.BELOW, LARGE_ROWS),
        f"transaction.total_order of the newest record of {source.topic}",
    )
    yield of_source(source, "transaction-rows", "kafka", order, transaction_rows, "rows", small, steady=True)
    right = Condition(Operator.IS, UNCHANGED)
    typed = f"kafka-configs.sh --describe --all --topic {' or '.join(topic.name for topic in of_capture(source))}"
    yield of_source(source, "topic-changes", "kafka", typed, topic_changes, "", right, steady=True)
    # Without a healthy range: how much comes in between two checkpoints depends on the shoppers.
    group = f"offset of the group {source.job} in {source.topic}, and the topic's end"
    yield of_source(source, "topic-unread", "kafka", group, unread, "records")


PROBES = (
    Probe(
        "broker-answers",
        "kafka",
        "list topics",
        "",
        broker_answers,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    ),
    *(probe for source in SOURCES for probe in _probes(source)),
    Probe(
        "other-topic-changes",
        "kafka",
        "kafka-configs.sh --describe --all of the shop's events, results, and Kafka Connect's own topics",
        "",
        other_topic_changes,
        Condition(Operator.IS, UNCHANGED),
        always=True,
        steady=True,
    ),
    Probe("topics", "kafka", "list topics", "", topics, inventory=True),
)
