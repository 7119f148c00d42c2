"""How old is the oldest transaction that is still open in the capture's topics?

Kafka 4.3.1: a broker that was frozen for longer than its session (3 s here) comes back fenced, and now and then it
then forgets a transaction: the coordinator calls it done, the partition keeps it open, and no timeout ends it.
Readers of committed rows stop before it, Connect's own reader of its offsets too, so capture hangs as RUNNING.
"""

import time
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.kafka import OffsetSpec, admin, topics
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.absent_kafka import quiet_reader
from lakeproof.stack.stack import Stack

# The topics that rows and offsets of the capture go through: their names begin so.
CAPTURE_TOPICS = ("cdc.", "_connect_offsets_")
# A transaction that is open for longer hangs: the coordinator, which looks every 10 s, would have ended it after its
# producer's 60 s (Connect's, and that of lake/capture/bridge.py).
HANGING_SECONDS = 75


def is_capture_topic(name: str) -> bool:
    """True for a topic that capture writes in transactions."""
    return name.startswith(CAPTURE_TOPICS)


def open_transaction_seconds(stack: Stack, timeout: float) -> Value:
    """Seconds since the first record of the oldest open transaction; 0 where none is open. Raises: CouldNotLook."""
    partitions = [TopicPartition(name, 0) for name in str(topics(stack, timeout)).split() if is_capture_topic(name)]
    committed, written = (
        _ends(stack, partitions, isolation, timeout)
        for isolation in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    )
    # READ_COMMITTED is asked first: a transaction that ends in between looks open, for as long as it takes to ask.
    behind = [TopicPartition(name, 0, offset) for name, offset in committed.items() if offset < written[name]]
    begun = [_written_at(stack, one, timeout) for one in behind]
    age = max((time.time() - at for at in begun if at is not None), default=0)
    # A transaction whose age is not known may be the oldest one. Where another one hangs, that is told all the same.
    if None in begun and age < HANGING_SECONDS:
        raise CouldNotLook("the first record of an open transaction cannot be read in time", where="kafka")
    return round(max(0, age), 3)


def _ends(stack: Stack, partitions: list[TopicPartition], isolation: Any, timeout: float) -> dict[str, int]:
    client = admin(stack)
    try:
        client.list_topics(
            timeout=timeout
        )  # a fresh client knows no leader yet, and would wait for its whole timeout
        asked = client.list_offsets(
            {one: OffsetSpec.latest() for one in partitions}, isolation_level=isolation, request_timeout=timeout
        )
        return {one.topic: int(found.result(timeout=timeout).offset) for one, found in asked.items()}
    except (KafkaException, TimeoutError) as error:
        raise CouldNotLook(f"no end offsets: {error}", where="kafka") from error


def _written_at(stack: Stack, first: TopicPartition, timeout: float) -> float | None:
    """When the record at that offset was written, in epoch seconds; None where it cannot be read in time."""
    settings = quiet_reader(stack.address("kafka", "tcp"), "lakeproof-probe")
    settings["isolation.level"] = "read_uncommitted"
    with closing(Consumer(settings)) as consumer:
        consumer.assign([first])
        message = consumer.poll(timeout)
        if message is None or message.error() is not None:
            return None
        return float(message.timestamp()[1]) / 1000


PROBES = (
    Probe(
        "open-transaction",
        "kafka",
        "end offsets of the capture's topics, committed against written; age of the first record between",
        "s",
        open_transaction_seconds,
        Condition(Operator.BELOW, HANGING_SECONDS),
        about=("connect",),
    ),
)
