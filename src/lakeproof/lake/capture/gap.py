"""Bridges a gap in the capture: changes that the database's log does not hold any more, before they were read.

A new snapshot would bring every row once more: twice into a table that only takes new rows, and without the deletes.
Here the difference goes into the topic instead, as one transaction of its own, in the connector's place:

1. The connector is stopped, and all that it had captured is on `main`.
2. The database is read at one instant, whose place in the log it tells, and held against the lake at that hash.
3. What differs is written into the topic as one transaction, and in the same transaction of Kafka's the connector's
   offsets are set to that place. Cut off before, nothing has happened; after, only the last step is missing.
4. The connector goes on from there.

The job takes the whole difference in at once, so no published state shows a part of it (up to the size of a
transaction that the job keeps whole, docs/lake.md). Whoever else writes for the connector meanwhile (a second person
with this, or the connector itself where somebody resumes it) writes by the same transactional id, so that one of the
two is shut out by Kafka.

Where the connector was stopped within a transaction, the job holds the rows of it that came and waits for its END.
What differs is then written as the rest of that transaction.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Producer

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.lake.capture.backlog import end_offset, has_more, kept_offset, last_values
from lakeproof.lake.capture.commands import await_state, restart, send, state_of
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.difference import Difference, Event, Table, as_utc, compare, event_of, records, table_of
from lakeproof.lake.capture.offsets import PARTITIONER, offset_key, offset_topics, transactional_id
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.submission import find_job
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.trino import PinnedTrino, pinned_trino
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.stack.stack import Stack

READ_SECONDS = 120.0
PUBLISH_SECONDS = 120.0
CHECKPOINT_SECONDS = 60.0
KAFKA_SECONDS = 30.0
ABORT_SECONDS = 10.0
BEGIN_SECONDS = 90.0
STATEMENT_SECONDS = 60.0
# From the first record of Kafka's transaction to its last, or Kafka takes it back. As long as Connect's own, so that
# an older one that is open in the capture's topics is never sound (probes/transactions.py).
TRANSACTION_SECONDS = 60
# What Debezium keeps of where it stands within a transaction or a snapshot, in place and out of it.
OF_THE_MOMENT = ("row", "event", "transaction_", "snapshot")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A place in MariaDB's binlog. gtid: of the last transaction before it. now_us: the database's time then."""

    file: str
    position: int
    gtid: str
    now_us: int


def bridge(stack: Stack, name: str) -> Difference:
    """Bridge the gap of that connector; gives what the lake lacked. Cut off anywhere, do it again.

    Where it fails the connector is resumed: it fails as before, or goes on where somebody else has bridged the gap.
    So one that a person had paused or stopped runs afterwards, whether this went well or not.
    Raises: InvalidInput for a connector that follows no binlog of MariaDB's; TerminalError for a table that cannot be
    compared; DeadlineExpired where the job or the publisher does not get to the topic's end; CouldNotLook; NotReady.
    """
    connector = find_connector(name)
    source = find_source(connector.database)
    if connector.engine != "mysql":
        raise InvalidInput(
            "it follows a slot and no binlog", where=name, next_action=f"lakeproof capture new-slot {name}"
        )
    with source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask:
        _place(ask)  # raises where the server tells no place
    _known_offset(stack, name)  # raises where there is none
    log.info("stopping %s", name)
    send(stack, "PUT", f"/connectors/{name}/stop")
    try:
        await_state(stack, name, "STOPPED")
        # Only now: a task that still runs goes on until it is stopped.
        known = _known_offset(stack, name)
        # From here on a task of the connector's that somebody starts, and a second call of this, shut each other out.
        producer = _producer(stack, connector)
        found = _write_difference(stack, connector, source, known, producer)
    except BaseException:
        try:
            send(stack, "PUT", f"/connectors/{name}/resume")
        except LakeproofError as error:  # what went wrong before says more
            log.warning("%s stays stopped: %s", name, error.message)
        raise
    log.info("resuming %s", name)
    send(stack, "PUT", f"/connectors/{name}/resume")
    _await_running(stack, name)
    return found


def _write_difference(
    stack: Stack, connector: Connector, source: Source, known: Mapping[str, Any], producer: Producer
) -> Difference:
    commit = _await_all_captured(stack, connector, source)
    log.info("comparing %s with the lake at %s", source.server, commit.hash[:16])
    deadline = Deadline(STATEMENT_SECONDS)
    with (
        source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask,
        pinned_trino(stack, commit, deadline) as trino,
    ):
        place = _place(ask)
        open_one = known["offset"].get("transaction_id")
        found = _compared(stack, connector, source, ask, trino, known, open_one)
    log.info("writing what the lake lacks (%s) and the place %s", found.counts(), place.gtid)
    _require_untouched(stack, connector, source, known)
    # The rest of a transaction whose beginning came has its id; else that of the last one before the place.
    rows = list(records(found, str(open_one or place.gtid), place.now_us)) if found.events or open_one else []
    _write(producer, connector, rows, _offset_at(place, known), known["partition"])
    return found


def _known_offset(stack: Stack, name: str) -> Mapping[str, Any]:
    """What Connect keeps of the connector: its partition and offset. Raises: InvalidInput where it keeps nothing."""
    known = send(stack, "GET", f"/connectors/{name}/offsets")["offsets"]
    if not known:
        raise InvalidInput(
            "it has no offsets, so it reads all rows at its next start",
            where=name,
            next_action=f"lakeproof mitigate --action resume_connector --arg connector={name}",
        )
    found: Mapping[str, Any] = known[0]
    return found


def _await_all_captured(stack: Stack, connector: Connector, source: Source) -> PublishedCommit:
    """The first published state that holds all of the topic. Nothing comes into it meanwhile."""
    flink = rest_of(stack)

    def read() -> str | None:
        kept, job = kept_offset(stack, KAFKA_SECONDS, source), find_job(flink, source)
        if kept is None or job is None or has_more(stack, connector.name, kept):
            return None
        return job.id

    job_id = Deadline(READ_SECONDS).wait_for(
        f"{source.job} to keep all of {source.topic}",
        read,
        every=0.5,
        seen=lambda: f"it is at {kept_offset(stack, KAFKA_SECONDS, source)} of {end_offset(stack, connector.name)}",
    )
    # One that begins now: the JobManager's list of those that are complete may be seconds old.
    asked = flink.checkpoint(job_id)
    checkpoint = Deadline(CHECKPOINT_SECONDS).wait_for(
        f"a checkpoint of {source.job}", lambda: flink.checkpoint_number(job_id, asked), every=0.3
    )

    def shown() -> PublishedCommit | None:
        commit = history.newest(stack)
        state = commit.states.get(source.name)
        return commit if state is not None and state.checkpoint >= checkpoint else None

    return Deadline(PUBLISH_SECONDS).wait_for(
        f"main to show checkpoint {checkpoint} of {source.name}",
        shown,
        every=0.5,
        seen=lambda: f"main shows checkpoint {history.newest(stack).states[source.name].checkpoint}",
    )


def _place(ask: Ask) -> Place:
    """Where in the binlog the snapshot is that `ask` reads. Raises: TerminalError where the server does not tell."""
    status = {str(name).lower(): str(value) for name, value in ask("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, position = status.get("binlog_snapshot_file"), status.get("binlog_snapshot_position", "0")
    if not file:
        raise TerminalError("it does not tell its snapshot's place in the binlog: it is not MariaDB", where="mysql")
    ((gtid, now_us),) = ask(
        f"SELECT BINLOG_GTID_POS('{file}', {position}), CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)"
    )
    if not gtid:
        raise TerminalError("it does not tell the GTID of its snapshot", where=f"mysql, {file}:{position}")
    return Place(file, int(position), str(gtid), int(now_us))


def _compared(
    stack: Stack,
    connector: Connector,
    source: Source,
    ask: Ask,
    trino: PinnedTrino,
    known: Mapping[str, Any],
    open_one: str | None,
) -> Difference:
    """What the lake lacks, but for what came of the transaction that is open.

    Raises: TerminalError, also where a table was changed since the capture stopped: rows before and after that are
    of different form in the binlog, and the connector knows one form.
    """

    def ask_lake(sql: str) -> Sequence[Sequence[Any]]:
        return trino.run(sql, Deadline(STATEMENT_SECONDS)).rows

    _require_unchanged_tables(ask, connector, source, known)
    tables: list[Table] = []
    files = {file.source: file for file in job_files(stack, source)}
    for name in connector.sources:
        if file := files.get(name):
            schema, _, table = name.rpartition(".")
            described = source.module.described(ask, schema, table)
            tables.append(table_of(ask, ask_lake, file, f"{source.name}.{file.table}", described))
    came: dict[str, list[Event]] = {table.source: [] for table in tables}
    if open_one is not None:
        by_name = {table.source: table for table in tables}
        for told in last_values(stack, connector.name, open_one):
            table_name = f"{told['source']['db']}.{told['source']['table']}"
            if table_name in by_name:
                came[table_name].append(event_of(by_name[table_name], told))
    found = Difference()
    for each in tables:
        compare(ask, ask_lake, each, came[each.source], found)
        log.info("%s: %d rows differ", each.source, found.counts().get(each.source, 0))
    return found


def _require_unchanged_tables(ask: Ask, connector: Connector, source: Source, known: Mapping[str, Any]) -> None:
    since = as_utc(float(known["offset"].get("ts_sec", 0)))
    rows = ask(
        "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables"
        f" WHERE table_schema = '{source.name}' AND create_time > '{since:%Y-%m-%d %H:%M:%S}'"
    )
    changed = sorted(str(row[0]) for row in rows if row[0] in connector.sources)
    if changed:
        raise TerminalError(
            f"changed by DDL since the capture stopped ({since:%Y-%m-%d %H:%M:%S} UTC), so its rows cannot be told",
            where=", ".join(changed),
            next_action='no command mends that: see docs/capture.md, "A gap"',
        )


def _require_untouched(stack: Stack, connector: Connector, source: Source, known: Mapping[str, Any]) -> None:
    """Nobody has resumed the connector, and nothing came into the topic. Raises: NotReady."""
    kept = kept_offset(stack, KAFKA_SECONDS, source)
    same = state_of(stack, connector.name) == "STOPPED" and _known_offset(stack, connector.name) == known
    if not same or kept is None or has_more(stack, connector.name, kept):
        raise NotReady(
            "somebody has resumed it meanwhile, so the comparison no longer holds",
            where=connector.name,
            next_action="the same again, alone",
        )


def _offset_at(place: Place, known: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in known["offset"].items() if not name.startswith(OF_THE_MOMENT)}
    return kept | {"file": place.file, "pos": place.position, "gtids": place.gtid, "ts_sec": int(time.time())}


def _producer(stack: Stack, connector: Connector) -> Producer:
    """A producer that has shut out every other one of the connector's id. Raises: NotReady."""
    producer = Producer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "transactional.id": transactional_id(connector),
            "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
            **PARTITIONER,
        }
    )
    try:
        producer.init_transactions(KAFKA_SECONDS)
    except KafkaException as error:
        raise NotReady(error.args[0].str(), where="kafka", next_action="the same again") from error
    return producer


def _write(
    producer: Producer,
    connector: Connector,
    rows: Sequence[bytes],
    offset: Mapping[str, Any],
    partition: Mapping[str, Any],
) -> None:
    """The rows and the connector's place in one transaction of Kafka's.

    Raises: NotReady. Then nothing is written, unless only the answer to the commit did not come: it may be through.
    The next call sees that, for it compares anew.
    """

    def put(topic: str, value: bytes, **more: Any) -> None:
        while True:
            try:
                producer.produce(topic, value=value, **more)
            except BufferError:  # the client's own queue is full
                producer.poll(0.2)
                continue
            producer.poll(0)
            return

    try:
        producer.begin_transaction()
        for row in rows:
            put(connector.topic, row, partition=0)
        for topic in offset_topics(connector):
            put(topic, json.dumps(offset, separators=(",", ":")).encode(), key=offset_key(connector, partition))
    except KafkaException as error:
        _abort(producer)
        raise NotReady(error.args[0].str(), where="kafka", next_action="the same again, alone") from error
    except BaseException:
        _abort(producer)
        raise
    _commit(producer, len(rows))


def _abort(producer: Producer) -> None:
    """At once, not when its time is over: until then nobody reads on in the topic."""
    with suppress(KafkaException):
        producer.abort_transaction(ABORT_SECONDS)


def _commit(producer: Producer, rows: int) -> None:
    deadline = Deadline(KAFKA_SECONDS)
    while True:
        try:
            producer.commit_transaction(max(1.0, deadline.left))
        except KafkaException as error:
            told = error.args[0]
            if told.retriable() and not deadline.expired:
                continue
            again = f"the same again, alone; where {rows} rows take over {TRANSACTION_SECONDS} s: docs/capture.md"
            raise NotReady(told.str(), where="kafka", next_action=again) from error
        return


def _await_running(stack: Stack, name: str) -> None:
    """Until it runs; a task that failed before is started, since it knows its new place now."""
    status = send(stack, "GET", f"/connectors/{name}/status")
    if any(task["state"] == "FAILED" for task in status["tasks"]):
        restart(stack, name, only_failed=True)
    await_state(stack, name, "RUNNING", seconds=BEGIN_SECONDS)
