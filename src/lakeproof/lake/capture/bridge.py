"""The steps that bridge a gap in the capture: the connector is stopped, the database is read at one instant and
compared with the lake, and what differs is written into the topic as one transaction, with the connector's new place.

The job takes the whole difference in at once, so no published state shows a part of it (up to the size of a
transaction that the job keeps whole, docs/lake.md). Whoever else writes for the connector meanwhile (a second person
with this repair, or the connector itself where somebody resumes it) writes by the same transactional id, so that
Kafka shuts out one of the two. On one machine a second call does not even begin.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.held_file import HeldByAnother
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import missed
from lakeproof.lake.capture.commands import await_state, restart, send, state_of
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.difference import AskLake, Difference, Event, Table, as_utc, compare, event_of, table_of
from lakeproof.lake.capture.offsets import PARTITIONER, offset_key, offset_topics, own_offsets, transactional_id
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.bridging import bridging
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import require_right
from lakeproof.lake.topics import find_topic
from lakeproof.stack.stack import Stack

KAFKA_SECONDS = 30.0
ABORT_SECONDS = 10.0
BEGIN_SECONDS = 90.0
STATEMENT_SECONDS = 60.0
# Kafka aborts a transaction that takes longer than this. Connect's own have the same limit, so a transaction in the
# capture's topics that has been open for longer is never sound (probes/transactions.py).
TRANSACTION_SECONDS = 60
# Beginnings of the names of Debezium's offset fields that say where it stands within a transaction or a snapshot.
# These fields do not hold at another place.
OF_THE_MOMENT = ("row", "event", "transaction_", "snapshot")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A place in MariaDB's binlog. gtid: of the last transaction before the place. now_us: the database's time when
    the place was told, in UNIX µs.
    """

    file: str
    position: int
    gtid: str
    now_us: int


@contextmanager
def at_rest(stack: Stack, name: str) -> Iterator["Resting"]:
    """Stop that connector for the block, shut out whoever else writes for it, and resume it after the block.

    It is resumed also where the block fails: then it fails as before, or goes on where somebody else has bridged the
    gap. So a connector that a person had paused or stopped runs afterwards, whether this went well or not.
    Raises: InvalidInput for a connector that follows no binlog of MariaDB's, or has no offsets, and for a topic that
    would not keep or accept what is written (restore_topic); TerminalError for a server that does not tell its place
    in the binlog; NotReady, also while another call repairs the same tables; CouldNotLook.
    """
    connector = find_connector(name)
    source = find_source(connector.database)
    if connector.engine != "mysql":
        raise InvalidInput(
            "it follows a slot and no binlog", where=name, next_action=f"lakeproof capture new-slot {name}"
        )
    with alone(stack, source):
        topic_id = require_right(stack, source)
        with source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask:
            place_of(ask)  # raises where the server tells no place
        known_offset(stack, name)  # raises where there is none
        log.info("stopping %s", name)
        send(stack, "PUT", f"/connectors/{name}/stop")
        with resumed_where_it_fails(stack, name):
            await_state(stack, name, "STOPPED")
            # The offset is read only now: a task that still runs moves it on until it is stopped.
            known = known_offset(stack, name)
            # From here on Kafka lets only one write: this producer, or a task of the connector that somebody starts.
            yield Resting(connector, source, known, producer_of(stack, connector), topic_id)
        log.info("resuming %s", name)
        send(stack, "PUT", f"/connectors/{name}/resume")
        _await_running(stack, name)


@contextmanager
def resumed_where_it_fails(stack: Stack, name: str) -> Iterator[None]:
    """Resume the connector where the block fails, for whatever reason."""
    try:
        yield
    except BaseException:
        try:
            send(stack, "PUT", f"/connectors/{name}/resume")
        except LakeproofError as error:  # what went wrong before says more
            log.warning("%s stays stopped: %s", name, error.message)
        raise


@contextmanager
def alone(stack: Stack, source: Source) -> Iterator[None]:
    """Be the only repair of that source's tables in the lake, for the block. Raises: NotReady beside another one."""
    try:
        with bridging(stack, source):
            yield
    except HeldByAnother as held:
        raise NotReady(
            f"{held.holder} repairs the lake's tables of {source.name} now",
            where=source.job,
            next_action="wait for its end, then look again",
        ) from held


@dataclass(frozen=True)
class Resting:
    """A connector that is stopped.

    known: its partition and offset, as Connect keeps them.
    producer: writes records in the connector's place.
    topic_id: the id of the topic that gets these records; empty: not known.
    """

    connector: Connector
    source: Source
    known: Mapping[str, Any]
    producer: Producer
    topic_id: str = ""


def all_is_compared(stack: Stack, source: Source, topic_id: str) -> None:
    """The lake lacks nothing any more: take the marks away, and note the topic's present id as the right one."""
    if topic_id:
        topic_ids.note(stack, find_topic(source.topic), topic_id)
    missed.is_brought(stack, source)


@dataclass(frozen=True)
class Missing:
    """What the lake lacks of the database, as the database was at `place`."""

    place: Place
    found: Difference


def require_at_rest(stack: Stack, resting: Resting) -> None:
    """Raises: NotReady where somebody has resumed the connector since: a comparison no longer holds then."""
    name = resting.connector.name
    if state_of(stack, name) != "STOPPED" or known_offset(stack, name) != resting.known:
        raise NotReady("somebody has resumed it meanwhile", where=name, next_action="the same again, alone")


def known_offset(stack: Stack, name: str) -> Mapping[str, Any]:
    """What Connect keeps of the connector: its partition and offset. Raises: InvalidInput where it keeps nothing."""
    known = own_offsets(send(stack, "GET", f"/connectors/{name}/offsets")["offsets"], find_connector(name))
    if not known:
        raise InvalidInput(
            "it has no offsets, so it reads all rows at its next start",
            where=name,
            next_action=f"lakeproof mitigate INCIDENT --action resume_connector --arg connector={name}",
        )
    found: Mapping[str, Any] = known[0]
    return found


def place_of(ask: Ask) -> Place:
    """The place in the binlog of the snapshot that `ask` reads. Raises: TerminalError for a server that hides it."""
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


def compared(stack: Stack, resting: Resting, commit: PublishedCommit, came: Iterable[Mapping[str, Any]]) -> Missing:
    """What the lake lacks at that commit, apart from `came`: events that the job holds and will show.

    Raises: TerminalError for a table that cannot be compared, also for one that was altered since the capture
    stopped: the binlog's rows from before and after that differ in form, and the connector knows one form.
    """
    log.info("comparing %s with the lake at %s", resting.source.server, commit.hash[:16])
    with _both(stack, resting, commit) as (ask, ask_lake):
        place = place_of(ask)
        tables = _tables(stack, resting, commit, ask, ask_lake)
        held = _by_table(tables, came)
        found = Difference()
        for each in tables:
            compare(ask, ask_lake, each, held[each.source], found)
            log.info("%s: %d rows differ", each.source, found.counts().get(each.source, 0))
    return Missing(place, found)


def require_comparable(stack: Stack, resting: Resting) -> None:
    """Raises: TerminalError where `compared` would refuse a table."""
    commit = history.newest(stack)
    with _both(stack, resting, commit) as (ask, ask_lake):
        _tables(stack, resting, commit, ask, ask_lake)


@contextmanager
def _both(stack: Stack, resting: Resting, commit: PublishedCommit) -> Iterator[tuple[Ask, AskLake]]:
    """Two functions that run statements: in the database at one instant, and in the lake at that commit."""
    source = resting.source
    with (
        source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask,
        pinned_trino(stack, commit, Deadline(STATEMENT_SECONDS)) as trino,
    ):
        yield ask, lambda sql: trino.run(sql, Deadline(STATEMENT_SECONDS)).rows


def _tables(stack: Stack, resting: Resting, commit: PublishedCommit, ask: Ask, ask_lake: AskLake) -> list[Table]:
    source = resting.source
    _require_unchanged_tables(ask, resting.connector, source, _captured_at(resting, commit))
    tables: list[Table] = []
    files = {file.source: file for file in job_files(stack, source)}
    for name in resting.connector.sources:
        if file := files.get(name):
            schema, _, table = name.rpartition(".")
            described = source.module.described(ask, schema, table)
            tables.append(table_of(ask, ask_lake, file, f"{source.name}.{file.table}", described))
    return tables


def _by_table(tables: Sequence[Table], came: Iterable[Mapping[str, Any]]) -> dict[str, list[Event]]:
    by_name = {table.source: table for table in tables}
    found: dict[str, list[Event]] = {table.source: [] for table in tables}
    for told in came:
        name = f"{told['source']['db']}.{told['source']['table']}"
        if name in by_name:
            found[name].append(event_of(by_name[name], told))
    return found


def _captured_at(resting: Resting, commit: PublishedCommit) -> datetime:
    """When the newest change was captured: by the connector's offset, or, where the offset has no time since the
    connector's last start, by the newest heartbeat that `main` shows.
    """
    told = resting.known["offset"].get("ts_sec")
    state = commit.states.get(resting.source.name)
    beat_us = None if state is None else state.beat_us
    return as_utc(float(told) if told is not None else (beat_us or 0) / 1e6)


def _require_unchanged_tables(ask: Ask, connector: Connector, source: Source, since: datetime) -> None:
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


def _offset_at(place: Place, known: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in known["offset"].items() if not name.startswith(OF_THE_MOMENT)}
    return kept | {"file": place.file, "pos": place.position, "gtids": place.gtid, "ts_sec": int(time.time())}


def producer_of(stack: Stack, connector: Connector) -> Producer:
    """A producer with the connector's transactional id. It has shut out all others with that id. Raises: NotReady."""
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


def write(resting: Resting, rows: Sequence[bytes], place: Place | None = None) -> int:
    """Write the rows, and `place` as the connector's offset, in one Kafka transaction. Without a place the connector
    keeps its offset. Gives the last row's offset in the topic; -1 where there is no row.

    Raises: NotReady. Nothing is written then, except where only the answer to the commit was lost: the commit may
    have gone through. The next call sees that, for it compares anew.
    """
    producer, connector = resting.producer, resting.connector
    offsets: list[int] = []
    errors: list[str] = []

    def note(error: KafkaError | None, message: Message) -> None:
        at = message.offset()
        if error is not None:
            errors.append(error.str())
        elif at is not None:
            offsets.append(at)

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
            put(connector.topic, row, partition=0, on_delivery=note)
        if place is not None:
            offset = json.dumps(_offset_at(place, resting.known), separators=(",", ":")).encode()
            for topic in offset_topics(connector):
                put(topic, offset, key=offset_key(connector, resting.known["partition"]))
        producer.flush(TRANSACTION_SECONDS)
        if len(offsets) < len(rows):
            why = errors[0] if errors else f"no answer in {TRANSACTION_SECONDS} s"
            raise NotReady(
                f"it took {len(offsets)} of {len(rows)} rows: {why}",
                where="kafka",
                next_action="the same again, alone; then docs/capture.md",
            )
    except KafkaException as error:
        _abort(producer)
        raise NotReady(error.args[0].str(), where="kafka", next_action="the same again, alone") from error
    except BaseException:
        _abort(producer)
        raise
    _commit(producer, len(rows))
    return max(offsets, default=-1)


def _abort(producer: Producer) -> None:
    """Abort at once, not when the transaction times out: until then nobody reads on in the topic."""
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
    """Wait until the connector runs. A task that had failed is restarted, since it can go on from its new place."""
    status = send(stack, "GET", f"/connectors/{name}/status")
    if any(task["state"] == "FAILED" for task in status["tasks"]):
        restart(stack, name, only_failed=True)
    await_state(stack, name, "RUNNING", seconds=BEGIN_SECONDS)
