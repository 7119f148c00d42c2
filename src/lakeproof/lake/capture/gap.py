"""Bridges a gap in the capture: changes that the database's log does not hold any more, before they were read.

A new snapshot would bring every row once more: twice into a table that only takes new rows, and without the deletes.
Here the difference goes into the topic instead, as one transaction of its own, in the connector's place:

1. The connector is stopped, and all that it had captured is on `main`.
2. The database is read at one instant, whose place in the log it tells, and held against the lake at that hash.
3. What differs is written into the topic as one transaction, and in the same transaction of Kafka's the connector's
   offsets are set to that place. Cut off before, nothing has happened; after, only the last step is missing.
4. The connector goes on from there.

The job takes the whole difference in at once, so no published state shows a part of it (up to the size of a
transaction that the job keeps whole, docs/lake.md).
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady, TerminalError
from lakeproof.lake.capture.backlog import end_offset, has_more
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.offsets import PARTITIONER, offset_key, offset_topics
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.job.submission import find_job
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.query.trino import PinnedTrino, pinned_trino
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.stack.stack import Stack

READ_SECONDS = 120.0
PUBLISH_SECONDS = 120.0
KAFKA_SECONDS = 30.0
BEGIN_SECONDS = 90.0
STATEMENT_SECONDS = 60.0
# Ids that are read at once; each side gives its rows of them.
AT_ONCE = 20_000

type Row = Mapping[str, Any]
type Tell = Callable[[str], None]


@dataclass
class Difference:
    """What the lake lacks, by table. events: as the connector would have written them.

    kept: of a table that only takes new rows, how many the lake holds and the database does not, or holds otherwise.
    """

    events: list[tuple[str, str, Row | None, Row | None]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Table → how many rows."""
        found: dict[str, int] = {}
        for table, *_ in self.events:
            found[table] = found.get(table, 0) + 1
        return found


@dataclass(frozen=True)
class Place:
    """A place in MariaDB's binlog. gtid: of the last transaction before it."""

    file: str
    position: int
    gtid: str


def bridge(stack: Stack, name: str, tell: Tell) -> Difference:
    """Bridge the gap of that connector, which is stopped or has failed; gives what the lake lacked.

    Cut off anywhere, do it again. Raises: InvalidInput for a connector that follows no binlog; DeadlineExpired where
    the job or the publisher does not get to the topic's end; CouldNotLook; NotReady.
    """
    connector = find_connector(name)
    source = find_source(connector.database)
    if connector.engine != "mysql":
        raise InvalidInput(
            "it follows a slot and no binlog", where=name, next_action=f"lakeproof capture new-slot {name}"
        )
    tell(f"PUT /connectors/{name}/stop")
    send(stack, "PUT", f"/connectors/{name}/stop")
    await_state(stack, name, "STOPPED")
    offset = _known_offset(stack, name)
    tell("waiting for main to show all that was captured")
    commit = _await_all_captured(stack, connector, source)
    tell(f"comparing {source.server} with the lake at {commit.hash[:16]}")
    found, place = compare(stack, connector, source, commit, tell)
    told = ", ".join(f"{count} of {table}" for table, count in found.counts().items()) or "none"
    tell(f"writing the rows that the lake lacks ({told}), and the connector's place, {place.gtid}")
    _write(stack, connector, found, place, offset)
    tell(f"PUT /connectors/{name}/resume")
    send(stack, "PUT", f"/connectors/{name}/resume")
    await_state(stack, name, "RUNNING", seconds=BEGIN_SECONDS)
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

    def read() -> int | None:
        kept, job = _kept_offset(stack, source), find_job(flink, source)
        if kept is None or job is None or has_more(stack, connector.name, kept):
            return None
        return flink.newest_checkpoint(job.id)

    checkpoint = Deadline(READ_SECONDS).wait_for(
        f"{source.job} to keep all of {source.topic}",
        read,
        every=0.5,
        seen=lambda: f"it is at {_kept_offset(stack, source)} of {end_offset(stack, connector.name)}",
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


def _kept_offset(stack: Stack, source: Source) -> int | None:
    settings = {
        "bootstrap.servers": stack.address("kafka", "tcp"),
        "group.id": source.job,
        "enable.auto.commit": False,
    }
    try:
        with closing(Consumer(settings)) as client:
            (found,) = client.committed([TopicPartition(source.topic, 0)], timeout=KAFKA_SECONDS)
    except KafkaException as error:
        raise NotReady(error.args[0].str(), where="kafka") from error
    return int(found.offset) if found.error is None and found.offset >= 0 else None


def compare(
    stack: Stack, connector: Connector, source: Source, commit: PublishedCommit, tell: Tell = lambda text: None
) -> tuple[Difference, Place]:
    """What the lake at that hash lacks of the database as it is now, and where in the binlog that now is.

    Raises: CouldNotLook, StatementFailed; TerminalError for a table whose primary key is not one whole number.
    """
    found = Difference()
    files = {file.source: file for file in load_sql_files(source.name)}
    deadline = Deadline(STATEMENT_SECONDS)
    with (
        source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask,
        pinned_trino(stack, commit, deadline) as trino,
    ):
        place = _place(ask)
        for table in connector.sources:
            if table in files:
                _compare_table(ask, trino, source, files[table], found)
                tell(f"{table}: {found.counts().get(table, 0)} rows differ")
    return found, place


def _place(ask: Ask) -> Place:
    status = {str(name).lower(): str(value) for name, value in ask("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, position = status["binlog_snapshot_file"], int(status["binlog_snapshot_position"])
    ((gtid,),) = ask(f"SELECT BINLOG_GTID_POS('{file}', {position})")
    if not gtid:
        raise TerminalError("it does not tell the GTID of its snapshot", where=f"mysql, {file}:{position}")
    return Place(file, position, str(gtid))


def _compare_table(ask: Ask, trino: PinnedTrino, source: Source, file: SqlFile, found: Difference) -> None:
    schema, _, table = file.source.rpartition(".")
    described = source.module.described(ask, schema, table)
    if absent := file.columns.keys() - {name for name, *_ in described}:
        raise TerminalError(
            f"the database lacks what the job reads: {', '.join(sorted(absent))}",
            where=file.source,
            next_action="lakeproof diagnose names the repair; then this",
        )
    keys = [name for name, _, in_key in described if in_key]
    names = [name for name, *_ in described if name in file.columns]
    if len(keys) != 1:
        raise TerminalError(f"its primary key is {', '.join(keys) or 'nothing'}, not one column", where=file.source)
    key, columns = keys[0], ", ".join(f"`{name}`" for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    ours, lakes = f"{schema}.{table}", f"{source.name}.{file.table}"
    bounds = [
        (low, high)
        for low, high in (
            ask(f"SELECT MIN(`{key}`), MAX(`{key}`) FROM {ours}")[0],
            _rows(trino, f'SELECT min("{key}"), max("{key}") FROM {lakes}').rows[0],
        )
        if low is not None
    ]
    if not bounds:
        return
    low, last = min(int(each) for each, _ in bounds), max(int(each) for _, each in bounds)
    while low <= last:
        high = low + AT_ONCE - 1
        between = f"BETWEEN {low} AND {high}"
        there = images(names, ask(f"SELECT {columns} FROM {ours} WHERE `{key}` {between}"))
        answer = _rows(trino, f'SELECT {quoted} FROM {lakes} WHERE "{key}" {between}')
        in_lake = images(names, answer.rows)
        add_differences(found, file, key, there, in_lake)
        low = high + 1


def _rows(trino: PinnedTrino, sql: str) -> Answer:
    return trino.run(sql, Deadline(STATEMENT_SECONDS))


def images(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """The rows as the connector writes them: decimals as text, times in ISO 8601."""
    return [{name: _value(value) for name, value in zip(names, row, strict=True)} for row in rows]


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, str) and len(value) == len("2026-11-30 12:00:00.000000"):
        return _time(value)
    return value


def _time(text: str) -> str:
    """A time as Trino writes it; other text as it is."""
    try:
        return datetime.fromisoformat(text).isoformat(timespec="microseconds") + "Z"
    except ValueError:
        return text


def add_differences(found: Difference, file: SqlFile, key: str, there: Iterable[Row], in_lake: Iterable[Row]) -> None:
    """there: the database's rows; in_lake: those of the lake. Both of the same keys."""
    ours, lakes = {row[key]: row for row in there}, {row[key]: row for row in in_lake}
    for number in sorted(ours.keys() | lakes.keys()):
        now, before = ours.get(number), lakes.get(number)
        if now == before:
            continue
        if before is not None and not file.has_key:
            found.kept[file.source] = found.kept.get(file.source, 0) + 1
            continue
        op = "c" if before is None else "d" if now is None else "u"
        found.events.append((file.source, op, before, now))


def records(found: Difference, place: Place, now_us: int) -> Iterator[bytes]:
    """The transaction as the connector would have written it: BEGIN, its rows, END."""

    def marker(status: str, **more: Any) -> bytes:
        return json.dumps({"status": status, "id": place.gtid, "ts_ms": now_us // 1000, **more}).encode()

    yield marker("BEGIN", event_count=None, data_collections=None)
    counts: dict[str, int] = {}
    for order, (table, op, before, after) in enumerate(found.events, 1):
        counts[table] = counts.get(table, 0) + 1
        schema, _, name = table.rpartition(".")
        told = {
            "before": before,
            "after": after,
            "op": op,
            "ts_ms": now_us // 1000,
            "source": {"db": schema, "table": name, "ts_ms": now_us // 1000, "ts_us": now_us, "gtid": place.gtid},
            "transaction": {"id": place.gtid, "total_order": order, "data_collection_order": counts[table]},
        }
        yield json.dumps(told).encode()
    collections = [{"data_collection": table, "event_count": count} for table, count in counts.items()]
    yield marker("END", event_count=len(found.events), data_collections=collections)


def _write(stack: Stack, connector: Connector, found: Difference, place: Place, known: Mapping[str, Any]) -> None:
    """The rows and the connector's place in one transaction of Kafka's."""
    offset = {name: value for name, value in known["offset"].items() if name in ("ts_sec", "server_id")}
    offset |= {"file": place.file, "pos": place.position, "gtids": place.gtid, "ts_sec": int(time.time())}
    key = offset_key(connector, known["partition"])
    producer = Producer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "transactional.id": f"lakeproof-gap-{connector.name}",
            **PARTITIONER,
        }
    )
    try:
        producer.init_transactions(KAFKA_SECONDS)
        producer.begin_transaction()
        for value in records(found, place, time.time_ns() // 1000) if found.events else ():
            producer.produce(connector.topic, value=value, partition=0)
            producer.poll(0)
        for topic in offset_topics(connector):
            producer.produce(topic, key=key, value=json.dumps(offset, separators=(",", ":")).encode())
        producer.commit_transaction(KAFKA_SECONDS)
    except KafkaException as error:
        raise NotReady(error.args[0].str(), where="kafka", next_action="the same again") from error
