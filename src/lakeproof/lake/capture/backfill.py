"""Reading the rows that a newly captured table had before: Debezium's incremental snapshot, asked for by a signal.

The connector goes on streaming meanwhile; rows come in chunks, each set right by the changes that passed meanwhile
(read-only: by GTIDs in MariaDB, by transaction ids in PostgreSQL). A row may come both as a change and as a read, so
the lake's table needs a primary key.
The signal is a row in a table of the database, so it reaches the connector through the log, in order and once. A
signal by Kafka would not do: one sent right after a restart is lost, and Debezium takes it in a thread of its own,
which gets in the way of the stream's thread when a snapshot runs already (the task then fails).
"""

import json
import logging
import uuid
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, InvalidInput, NotReady
from lakeproof.lake.capture.connector import Connector
from lakeproof.lake.sources.engine import ASK_SECONDS
from lakeproof.lake.sources.source import engine_of, find_source
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from confluent_kafka import Consumer

BACKFILL_SECONDS = 90.0
# A task that still runs by the old table list takes a signal for a table that it does not know, and drops it.
RESEND_SECONDS = 15.0

log = logging.getLogger(__name__)


def require_readable(stack: Stack, connector: Connector, tables: Sequence[str]) -> None:
    """Called before the connector, or the publication, gets these tables (as Connector.sources).

    Raises: InvalidInput for a table that the database does not have, or whose rows could not be read by its key;
    CouldNotLook, NotReady.
    """
    if not tables:
        return
    engine = engine_of(connector.engine)
    with engine.at_one_instant(stack, connector.database, ASK_SECONDS) as ask:
        columns = {table: engine.described(ask, *table.split(".")) for table in tables}
    absent = [table for table in tables if not columns[table]]
    if absent:
        raise InvalidInput(
            f"{find_source(connector.database).server} has no such table",
            where=", ".join(absent),
            next_action=f"CREATE TABLE first, then: lakeproof capture register {connector.name}",
        )
    without_key = [table for table in tables if not any(in_key for *_, in_key in columns[table])]
    if bare := [table for table in without_key if engine.has_rows(stack, connector, table)]:
        raise InvalidInput(
            "it has rows and no primary key, so Debezium cannot read them beside the stream",
            where=", ".join(bare),
            next_action=f"give it a primary key, then: lakeproof capture register {connector.name}",
        )


def read_existing_rows(stack: Stack, connector: Connector, tables: Sequence[str]) -> None:
    """Have the connector read all rows of these tables (as Connector.sources); returns once it has begun with each.

    From then on it goes on by itself, over restarts too. Tables without rows need nothing.
    Raises: DeadlineExpired when no row was seen (a paused connector, or one that fails); NotReady.
    """
    engine = engine_of(connector.engine)
    filled = [table for table in tables if engine.has_rows(stack, connector, table)]
    if not filled:
        return
    with closing(_from_now(stack, connector)) as consumer:
        missing = set(filled)
        deadline = Deadline(BACKFILL_SECONDS)
        while missing:
            data = json.dumps({"data-collections": sorted(missing), "type": "INCREMENTAL"})
            engine.send_signal(stack, connector, uuid.uuid4().hex, data)
            _await_reads(consumer, missing, Deadline(min(RESEND_SECONDS, deadline.left)))
            if missing and deadline.expired:
                raise DeadlineExpired(
                    f"the connector did not begin to read what {', '.join(sorted(missing))} had before",
                    last_seen="no row of it",
                    where=f"connector {connector.name}",
                    next_action="resume or restart it: it then reads them by itself",
                )
        log.info("the rows of %s are being read", ", ".join(filled))


def _await_reads(consumer: "Consumer", missing: set[str], deadline: Deadline) -> None:
    """Takes each table out of `missing` once one of its rows comes that was read, not changed (op r)."""
    while missing and not deadline.expired:
        for message in consumer.consume(500, timeout=0.2):
            value = message.value() if message.error() is None else None
            if value and b'"op":"r"' in value:
                source = json.loads(value)["source"]
                missing.discard(f"{source.get('schema') or source['db']}.{source['table']}")


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
