"""The stores of a stack, for the hunt: reads what kinds need, and does their steps.

mariadb: SQL that is captured. mariadb-only: SQL with the binlog off. lake: Flink SQL on the Paimon tables. postgres,
cassandra: SQL, CQL. object: place is bucket/key. file: place is a path. topic: place is topic/partition; text ""
deletes all its records, other text holds the records to send again. pause: text is seconds. Every step runs as the
store's administrator, past what the shop's accounts may do.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pymysql
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from pymysql.cursors import DictCursor

from benchmarks.corruption.kind import AlreadySo, Step
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.publish import history
from lakeproof.lake.query.flink import pinned_flink
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack import loopback, postgres_session
from lakeproof.stack.engines import cassandra_roles, cassandra_session, mysql
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.object_store import objects_under, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.support.file_store import attachment_dir

SECONDS = 60.0
TOPIC_SECONDS = 10.0
_LAKE_SESSION = ("SET 'table.dml-sync' = 'true'", "SET 'parallelism.default' = '1'")


class Stores:
    """The stores of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3 = s3_client(stack)
        self._parts = frozenset(row.name for row in SupervisorClient(stack).ps())

    def has(self, component: str) -> bool:
        """True where the component is part of the running stack."""
        return component in self._parts

    def mariadb(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the shop's database."""
        with self._mariadb() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def postgres(self, sql: str) -> list[dict[str, Any]]:
        """Rows of PostgreSQL."""
        return self._in_postgres([sql])

    def cassandra(self, cql: str) -> list[dict[str, Any]]:
        """Rows of Cassandra."""
        return self._in_cassandra([cql])

    def trino(self, sql: str) -> list[list[Any]]:
        """Rows of the newest published state."""
        deadline = Deadline(SECONDS)
        with pinned_trino(self._stack, history.newest(self._stack), deadline) as trino:
            return [list(row) for row in trino.run(sql, deadline).rows]

    def objects(self, bucket: str, prefix: str) -> list[str]:
        """The keys under the prefix, sorted."""
        return sorted(str(entry["Key"]) for entry in objects_under(self._s3, bucket, prefix))

    def read(self, store: str, place: str) -> bytes:
        """The content of an object or a file."""
        if store == "file":
            return Path(place).read_bytes()
        bucket, _, key = place.partition("/")
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def files(self, of: str) -> list[str]:
        """The paths of the ledger's files or of the attachments, sorted."""
        if of == "ledger":
            return sorted(str(path) for path in self._stack.ledger_dir.glob("*.jsonl"))
        return sorted(str(path) for path in (attachment_dir(self._stack) / "files").glob("*/*"))

    def partitions(self, topic: str) -> list[str]:
        """The partitions of a topic, as topic/number."""
        with self._consumer() as consumer:
            known = consumer.list_topics(topic, timeout=TOPIC_SECONDS).topics[topic].partitions
        return [f"{topic}/{number}" for number in sorted(known)]

    def records(self, partition: str) -> list[tuple[bytes, bytes]]:
        """Key and value of each record of a partition. Raises: CouldNotLook where not all of them come."""
        place, deadline = _partition(partition), Deadline(SECONDS)
        found: list[tuple[bytes, bytes]] = []
        with self._consumer() as consumer:
            low, high = consumer.get_watermark_offsets(place, timeout=TOPIC_SECONDS)
            consumer.assign([TopicPartition(place.topic, place.partition, low)])
            while low < high:
                if deadline.expired:
                    raise CouldNotLook(f"the records from {low} to {high} did not come", where=partition)
                for message in consumer.consume(high - low, timeout=min(TOPIC_SECONDS, deadline.left)):
                    if (error := message.error()) is not None:
                        raise CouldNotLook(f"not read: {error.str()}", where=partition, next_action="lakeproof ps")
                    found.append((message.key() or b"", message.value() or b""))
                    low = (message.offset() or 0) + 1
        return found

    @contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        with closing(Consumer({"bootstrap.servers": self._kafka, "group.id": "lakeproof-hunt"})) as consumer:
            yield consumer

    @property
    def _kafka(self) -> str:
        return self._stack.address("kafka", "tcp")

    def frozen(self) -> str | None:
        """Why `main` is frozen, by the publisher's /health. Raises: NotReady where the publisher does not answer."""
        url = f"{self._stack.url('publisher')}/health"
        why: str | None = loopback.require_ok(url, "publisher", SECONDS).json()["frozen"]
        return why

    def release(self) -> None:
        """Restart the publisher: `main` stays frozen until then."""
        our_processes(self._stack, "restart publisher").restart("publisher")

    def do(self, steps: Sequence[Step], *, may_be_done: bool = False) -> None:
        """Do each step, in order. Consecutive steps on one SQL database are one transaction.

        may_be_done: steps on a database that are already done are fine; else they raise AlreadySo.
        """
        for store, group in groupby(steps, key=lambda step: step.store):
            try:
                _DOERS[store](self, list(group))
            except AlreadySo:
                if not may_be_done:
                    raise

    @contextmanager
    def _mariadb(self) -> Iterator[DictCursor]:
        with (
            mysql.connect(self._stack, "root", "mysql-root", SECONDS) as connection,
            connection.cursor(DictCursor) as cursor,
        ):
            yield cursor

    def _in_mariadb(self, steps: Sequence[Step]) -> None:
        with self._mariadb() as cursor:
            cursor.execute(f"SET SESSION sql_log_bin = {int(steps[0].store == 'mariadb')}")
            # Damage that a constraint would refuse happens all the same elsewhere, so it must be possible here.
            cursor.execute("SET SESSION check_constraint_checks = 0")
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
            cursor.execute("START TRANSACTION")
            for step in steps:
                try:
                    changed = cursor.execute(step.text)
                except pymysql.IntegrityError as error:  # the row is there already
                    raise AlreadySo(step.text) from error
                if changed != 1:
                    raise AlreadySo(f"changed {changed} rows, not one: {step.text}")
            cursor.execute("COMMIT")

    def _in_postgres(self, statements: Sequence[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        with (
            postgres_session.connection(self._stack, "postgres", "postgres-root", SECONDS, DATABASE) as root,
            root.cursor(row_factory=dict_row) as cursor,
        ):
            # Read jsonb as PostgreSQL's own text, as the lake has it: the undo must restore it to the letter.
            cursor.adapters.register_loader("jsonb", TextLoader)
            # Switches off the triggers that refuse changes of append-only tables.
            cursor.execute("SET session_replication_role = replica")
            try:
                with root.transaction():
                    for statement in statements:
                        cursor.execute(statement.encode())
                        rows = cursor.fetchall() if cursor.description else []
                        if cursor.description is None and cursor.rowcount != 1:
                            raise AlreadySo(f"changed {cursor.rowcount} rows, not one: {statement}")
            except UniqueViolation as error:
                raise AlreadySo(f"the row is there: {error}") from error
        return rows

    def _in_cassandra(self, statements: Sequence[str]) -> list[dict[str, Any]]:
        with cassandra_session.session(
            self._stack,
            cassandra_roles.SUPERUSER,
            self._stack.secret(cassandra_roles.SUPERUSER_SECRET),
            seconds=SECONDS,
        ) as ring:
            rows: list[dict[str, Any]] = []
            for statement in statements:
                rows = [row._asdict() for row in ring.execute(statement)]
            return rows

    def _in_lake(self, steps: Sequence[Step]) -> None:
        deadline = Deadline(3 * SECONDS)
        with pinned_flink(self._stack, history.newest(self._stack), deadline) as session:
            for statement in (*_LAKE_SESSION, *(step.text for step in steps)):
                session.run(statement, deadline)

    def _in_objects(self, steps: Sequence[Step]) -> None:
        for step in steps:
            bucket, _, key = step.place.partition("/")
            if step.text:
                self._s3.put_object(Bucket=bucket, Key=key, Body=bytes.fromhex(step.text))
            else:
                self._s3.delete_object(Bucket=bucket, Key=key)

    def _in_files(self, steps: Sequence[Step]) -> None:
        for step in steps:
            path = Path(step.place)
            if step.text:
                whole = bytes.fromhex(step.text)
                aside = path.with_name(f".{path.name}.hunt")
                aside.write_bytes(whole)
                if path.exists():
                    status = path.stat()
                    os.chown(aside, status.st_uid, status.st_gid)
                    aside.chmod(status.st_mode)
                aside.replace(path)
            else:
                path.unlink(missing_ok=True)

    def _in_topics(self, steps: Sequence[Step]) -> None:
        for step in steps:
            place = _partition(step.place)
            if step.text:
                self._send(place, orjson.loads(step.text))
            else:
                with self._consumer() as consumer:
                    _, high = consumer.get_watermark_offsets(place, timeout=TOPIC_SECONDS)
                before = TopicPartition(place.topic, place.partition, high)
                admin = AdminClient({"bootstrap.servers": self._kafka})
                for done in admin.delete_records([before]).values():
                    done.result(TOPIC_SECONDS)

    def _send(self, place: TopicPartition, records: Sequence[tuple[str, str]]) -> None:
        """Send the records to that partition. Raises: NotReady where Kafka did not take all of them."""
        taken: list[bool] = []
        producer = Producer({"bootstrap.servers": self._kafka, "acks": "all"})
        for key, value in records:
            producer.produce(
                *(place.topic, bytes.fromhex(value), bytes.fromhex(key), place.partition),
                on_delivery=lambda error, _: taken.append(error is None),
            )
        producer.flush(TOPIC_SECONDS)
        if lost := len(records) - sum(taken):
            raise NotReady(
                f"{lost} of {len(records)} events were not taken",
                where=f"{place.topic}/{place.partition}",
                next_action="lakeproof ps; the same benchmark again sends all of them",
            )


def _partition(text: str) -> TopicPartition:
    topic, _, number = text.partition("/")
    return TopicPartition(topic, int(number))


def _pause(stores: Stores, steps: Sequence[Step]) -> None:
    seconds = sum(float(step.text) for step in steps)
    Deadline(seconds).pause(seconds)


_DOERS: Mapping[str, Callable[[Stores, Sequence[Step]], object]] = {
    "mariadb": Stores._in_mariadb,
    "mariadb-only": Stores._in_mariadb,
    "postgres": lambda stores, steps: stores._in_postgres([step.text for step in steps]),
    "cassandra": lambda stores, steps: stores._in_cassandra([step.text for step in steps]),
    "lake": Stores._in_lake,
    "object": Stores._in_objects,
    "file": Stores._in_files,
    "topic": Stores._in_topics,
    "pause": _pause,
}
