"""Reading the rows that a newly captured table had before: Debezium's incremental snapshot, asked for by a signal.

The connector goes on streaming meanwhile; rows come in chunks, each set right by the changes that passed meanwhile
(read-only, by GTIDs: it writes nothing into the database). A row may come both as a change and as a read, so the
lake's table needs a primary key.
Trap: a connector that was never sent a signal begins at the end of the signals' topic with its first look, so a
signal sent right after a restart is lost: it is sent until the first row of the table is seen.
"""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, NotReady
from lakeproof.lake.capture.connector import Connector
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from confluent_kafka import Consumer

BACKFILL_SECONDS = 60.0
RESEND_SECONDS = 6.0

log = logging.getLogger(__name__)


def signal_for(tables: Sequence[str]) -> str:
    """The signal that makes the connector read these tables (`database.table`)."""
    return json.dumps({"type": "execute-snapshot", "data": {"data-collections": list(tables), "type": "INCREMENTAL"}})


def read_existing_rows(stack: Stack, connector: Connector, tables: Sequence[str]) -> None:
    """Have the running connector read all rows of these tables; returns once it has begun with each.

    It survives restarts of the connector from then on. Tables without rows need nothing.
    Raises: DeadlineExpired when no row was seen (a paused connector, or one that fails).
    """
    filled = [table for table in tables if _has_rows(stack, table)]
    if not filled:
        return
    from confluent_kafka import Producer

    consumer = _from_now(stack, connector)
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp"), "acks": "all"})
    try:
        missing = set(filled)
        deadline = Deadline(BACKFILL_SECONDS)
        while missing:
            producer.produce(f"{connector.topic}.signals", key=connector.database, value=signal_for(sorted(missing)))
            if producer.flush(10.0):
                raise NotReady("the signal was not taken", where="kafka")
            _await_reads(consumer, missing, Deadline(min(RESEND_SECONDS, deadline.left)))
            if missing and deadline.expired:
                raise DeadlineExpired(
                    f"the connector did not begin to read what {', '.join(sorted(missing))} had before",
                    last_seen="no row of it",
                    where=f"connector {connector.name}",
                    next_action="resume or restart it, then register it again",
                )
        log.info("the rows of %s are being read", ", ".join(filled))
    finally:
        consumer.close()


def _await_reads(consumer: "Consumer", missing: set[str], deadline: Deadline) -> None:
    """Takes the tables of which a read row comes by out of `missing`."""
    while missing and not deadline.expired:
        for message in consumer.consume(500, timeout=0.2):
            value = message.value() if message.error() is None else None
            if value and b'"op":"r"' in value:
                source = json.loads(value)["source"]
                missing.discard(f"{source['db']}.{source['table']}")


def _from_now(stack: Stack, connector: Connector) -> "Consumer":
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": "lakeproof-backfill",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    try:
        _, high = consumer.get_watermark_offsets(TopicPartition(connector.topic, 0), timeout=10.0)
        consumer.assign([TopicPartition(connector.topic, 0, high)])
    except KafkaException as error:
        consumer.close()
        raise NotReady(error.args[0].str(), where="kafka") from error
    return consumer


def _has_rows(stack: Stack, table: str) -> bool:
    import pymysql

    from lakeproof.stack.engines.mysql import connect

    try:
        with connect(stack, "cdc", "mysql-cdc", 10.0) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
            return cursor.fetchone() is not None
    except pymysql.MySQLError as error:
        raise NotReady(f"{table}: {' '.join(str(part) for part in error.args)}", where="mysql") from error
