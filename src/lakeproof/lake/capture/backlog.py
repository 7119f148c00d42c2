"""How far the capture is behind the database, in bytes of binlog; and what it delivered into its topic."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.offsets import own_offsets
from lakeproof.lake.sources.source import Source
from lakeproof.stack.absent_kafka import quiet_reader
from lakeproof.stack.database_rows import mysql_rows
from lakeproof.stack.stack import Stack

ASK_SECONDS = 5.0
READ_SECONDS = 20.0
# A transaction's rows are looked for among this many last records: more than one has that the job keeps whole.
LAST = 400_000


@dataclass(frozen=True)
class BinlogPlace:
    """A place in the binlog: its file's number and the offset in it."""

    file: int
    position: int


def database_place(stack: Stack) -> BinlogPlace:
    """Where the database writes now (SHOW MASTER STATUS). Raises: CouldNotLook."""
    rows = mysql_rows(stack, "SHOW MASTER STATUS", seconds=ASK_SECONDS)
    if not rows:
        raise CouldNotLook("it writes no binlog", where="mysql")
    return BinlogPlace(_number(str(rows[0][0])), int(rows[0][1]))


def connector_place(stack: Stack, connector: str) -> BinlogPlace | None:
    """Where the connector stands by its committed offsets; None where it has none yet."""
    own = own_offsets(send(stack, "GET", f"/connectors/{connector}/offsets")["offsets"], find_connector(connector))
    if not own:
        return None
    offset: dict[str, Any] = own[0]["offset"]
    return BinlogPlace(_number(str(offset["file"])), int(offset["pos"]))


def _number(file: str) -> int:
    return int(file.rpartition(".")[2])


def binlog_delta(stack: Stack, connector: str) -> int | None:
    """Bytes of binlog that the connector has not committed yet; None where it reads another file than is written."""
    ours, theirs = database_place(stack), connector_place(stack, connector)
    if theirs is None or theirs.file != ours.file:
        return None
    return max(0, ours.position - theirs.position)


def bytes_left(stack: Stack, connector: str) -> int:
    """Bytes of binlog, over all its files, after the connector's committed place. Raises: CouldNotLook.

    Within a transaction that place is where the transaction begins.
    """
    theirs = connector_place(stack, connector)
    if theirs is None:
        raise CouldNotLook("it has no offsets yet", where=connector)
    logs = mysql_rows(stack, "SHOW BINARY LOGS", seconds=ASK_SECONDS)
    sizes = {_number(str(row[0])): int(row[1]) for row in logs}
    return max(0, sum(size for file, size in sizes.items() if file >= theirs.file) - theirs.position)


def end_offset(stack: Stack, connector: str) -> int:
    """The end of the connector's topic now. Raises: CouldNotLook."""
    consumer = _consumer(stack)
    try:
        return int(consumer.get_watermark_offsets(_partition(connector), timeout=ASK_SECONDS)[1])
    except KafkaException as error:
        raise CouldNotLook(f"no offsets: {error}", where="kafka") from error
    finally:
        consumer.close()


def kept_offset(stack: Stack, seconds: float, source: Source) -> int | None:
    """The offset from which the source's job would go on after its last checkpoint, as the job commits it to Kafka;
    None where it committed none. Raises: CouldNotLook.
    """
    settings = _settings(stack) | {"group.id": source.job}
    try:
        # This consumer asks in the group's name, and does not join the group. (The admin client's call for the same
        # crashed the process where its time ran out.)
        with closing(Consumer(settings)) as client:
            (found,) = client.committed([TopicPartition(source.topic, 0)], timeout=seconds)
    except KafkaException as error:
        raise CouldNotLook(f"no place of {source.job} in {source.topic}: {error}", where="kafka") from error
    if found.error is not None:
        raise CouldNotLook(f"no place of {source.job} in {source.topic}: {found.error}", where="kafka")
    return int(found.offset) if found.offset >= 0 else None


def has_more(stack: Stack, connector: str, since: int) -> bool:
    """Is there a record at `since` or later that a reader gets? Kafka's own transaction markers, and what a killed
    connector did not commit, do not count. Raises: CouldNotLook, also where the end was not reached in time.
    """
    with closing(_consumer(stack)) as consumer:
        return any(True for _ in _values(consumer, _partition(connector), since))


def last_values(stack: Stack, connector: str, transaction: str) -> list[dict[str, Any]]:
    """The rows of that transaction, if it is the topic's last; it may not have ended. Raises: CouldNotLook."""
    with closing(_consumer(stack)) as consumer:
        try:
            first, end = consumer.get_watermark_offsets(_partition(connector), timeout=ASK_SECONDS)
        except KafkaException as error:
            raise CouldNotLook(f"no offsets: {error}", where="kafka") from error
        values = _values(consumer, _partition(connector), max(int(first), int(end) - LAST))
        told = (json.loads(value) for value in values if value)
        return [each for each in told if (each.get("transaction") or {}).get("id") == transaction]


def orders_delivered(stack: Stack, connector: str, since: int, prefix: str) -> int:
    """Orders whose client key begins with `prefix` and whose first row came into the topic at `since` or later.

    Raises: CouldNotLook.
    """
    with closing(_consumer(stack)) as consumer:
        keys = {_client_key(value) for value in _values(consumer, _partition(connector), since)}
    return sum(key is not None and key.startswith(prefix) for key in keys)


def largest_delivered(stack: Stack, connector: str, seconds: float) -> int:
    """Rows of the largest transaction that came into the topic within the last `seconds`, whoever wrote it; 0 where
    none came. Of a transaction that has not come whole, the rows so far. Raises: CouldNotLook.
    """
    begin = _partition(connector)
    begin.offset = int((time.time() - seconds) * 1000)
    with closing(_consumer(stack)) as consumer:
        try:
            (first,) = consumer.offsets_for_times([begin], timeout=ASK_SECONDS)
        except KafkaException as error:
            raise CouldNotLook(f"no offsets: {error}", where="kafka") from error
        if first.error is not None:
            raise CouldNotLook(f"no offsets: {first.error}", where="kafka")
        if first.offset < 0:
            return 0
        values = _values(consumer, _partition(connector), first.offset)
        try:
            return max((rows_so_far(value) for value in values), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CouldNotLook(f"a record that is not Debezium's: {error}", where=begin.topic) from error


def rows_so_far(value: bytes | str | None) -> int:
    """The number of a row within its transaction, from 1; 0 for a marker, and for a snapshot's row."""
    told = (json.loads(value) if value else {}).get("transaction")
    return int(told["total_order"]) if told else 0


def _values(consumer: Consumer, partition: TopicPartition, since: int) -> Iterator[bytes | None]:
    """Every record from `since` to the topic's present end.

    Raises: CouldNotLook, also where not all came within READ_SECONDS.
    """
    try:
        end = int(consumer.get_watermark_offsets(partition, timeout=ASK_SECONDS)[1])
        partition.offset = since
        consumer.assign([partition])
        deadline = Deadline(READ_SECONDS)
        while not deadline.expired:
            message = consumer.poll(deadline.left)
            if message is None:
                break  # the time is over
            error = message.error()
            if error is not None:
                # The last records may be the broker's transaction markers, which no consumer gets.
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                continue
            yield message.value()
            if (message.offset() or 0) >= end - 1:
                return
        raise CouldNotLook(f"not all records came within {READ_SECONDS:.0f} s", where=str(partition.topic))
    except KafkaException as error:
        raise CouldNotLook(f"cannot read {partition.topic}: {error}", where="kafka") from error


def _client_key(value: bytes | None) -> str | None:
    if value is None or b'"client_key"' not in value:
        return None
    row = json.loads(value).get("after")
    return None if row is None else str(row.get("client_key"))


def _consumer(stack: Stack) -> Consumer:
    return Consumer(_settings(stack))


def _settings(stack: Stack) -> dict[str, Any]:
    quiet = quiet_reader(stack.address("kafka", "tcp"), "lakeproof-backlog")
    return {**quiet, "enable.partition.eof": True, "isolation.level": "read_committed"}


def _partition(connector: str) -> TopicPartition:
    return TopicPartition(find_connector(connector).topic, 0)
