"""The lake's job on real engines: whole transactions arrive, exactly once, whatever is killed."""

import itertools
import json
import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError, NotReady
from lakeproof.lake.job import redeploy, stop_with_savepoint, submission
from lakeproof.lake.job.flink_rest import ALIVE, FlinkRefused, rest_of
from lakeproof.lake.job.sql_files import SqlFile, split_statements
from lakeproof.lake.job.states import State, complete_states
from lakeproof.lake.publish import history
from lakeproof.lake.publish.snapshots import FollowedTable, Kind, Snapshot
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.components import find
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

type Change = tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]

PATH = ("minio", "kafka", "nessie", "flink-jobmanager", "flink-taskmanager", "publisher", "trino")
PACED_BY_FLINK = True


@dataclass
class Feed:
    """Writes whole transactions into the topic as the connector would, and remembers what must come of them.

    `second_rows`: how many rows of order_events a test has doubled on purpose.
    """

    producer: Producer
    first: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    sequence: Iterator[int] = field(init=False)
    orders: dict[int, int] = field(default_factory=dict)
    items: dict[int, list[int]] = field(default_factory=dict)
    events: int = 0
    second_rows: int = 0
    newest: list[dict[str, Any]] = field(default_factory=list)
    choose: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.sequence = itertools.count(self.first)

    def send(self, message: dict[str, Any]) -> None:
        self.producer.produce(OLTP.topic, json.dumps(message).encode())
        self.producer.poll(0)

    def repeat(self, messages: list[dict[str, Any]]) -> None:
        """Send a transaction's messages once more, each as it was, as Debezium does after two kills in a moment."""
        for message in messages:
            self.send(message)

    def transaction(self, changes: list[Change], *, hold_end: bool = False) -> str:
        number = next(self.sequence)
        gtid = f"0-1-{number}"
        at_us = time.time_ns() // 1000
        self.newest = [{"status": "BEGIN", "id": gtid, "ts_ms": at_us // 1000}]
        counts: dict[str, int] = {}
        for row, (table, op, before, after) in enumerate(changes):
            counts[f"oltp.{table}"] = counts.get(f"oltp.{table}", 0) + 1
            place = {"file": "mysql-bin.000001", "pos": number, "row": row}
            self.newest.append(
                {
                    "op": op,
                    "before": before,
                    "after": after,
                    "source": {"db": "oltp", "table": table, "ts_us": at_us} | place,
                    "transaction": {"id": gtid, "total_order": 1, "data_collection_order": 1},
                }
            )
        if not hold_end:
            self.newest.append(end_marker(gtid, counts))
        for message in self.newest:
            self.send(message)
        return gtid

    def end(self, gtid: str, counts: dict[str, int]) -> None:
        self.send(end_marker(gtid, counts))

    def beat(self) -> int:
        """A heartbeat; gives its µs."""
        beat_us = time.time_ns() // 1000
        self.transaction([("cdc_heartbeat", "u", {"id": 1, "beat_us": 0}, {"id": 1, "beat_us": beat_us})])
        self.producer.flush(30)
        return beat_us

    def change_something(self) -> None:
        """Create, pay or delete one order, as one transaction."""
        dice = self.choose.random()
        if dice < 0.7 or not self.orders:
            self.create()
        elif dice < 0.9:
            self._pay(self.choose.choice(list(self.orders)))
        else:
            self._delete(self.choose.choice(list(self.orders)))

    def create(self) -> list[dict[str, Any]]:
        """Create an order; gives its transaction's messages."""
        order = next(self.sequence)
        self.orders[order], self.items[order] = 1, [next(self.sequence) for _ in range(self.choose.randint(1, 4))]
        self.transaction(self.creation(order))
        return self.newest

    def creation(self, order: int) -> list[Change]:
        """The changes that create an order; its total and its event are as the shop would write them."""
        return [
            ("orders", "c", None, self._order(order, 1)),
            *self._lines(order, "c"),
            self._event(order, 1, "created"),
        ]

    def _pay(self, order: int) -> None:
        version = self.orders[order]
        self.orders[order] = version + 1
        before, after = self._order(order, version), self._order(order, version + 1)
        self.transaction([("orders", "u", before, after), self._event(order, version + 1, "paid")])

    def _delete(self, order: int) -> None:
        version = self.orders[order]
        before = self._order(order, version)
        changes = [
            *self._lines(order, "d"),
            ("orders", "d", before, None),
            self._event(order, version + 1, "deleted"),
        ]
        del self.orders[order], self.items[order]
        self.transaction(changes)

    def _order(self, order: int, version: int) -> dict[str, Any]:
        at = "2026-11-24T14:43:53.042722Z"
        row: dict[str, Any] = {"id": order, "client_key": f"key-{order}", "customer_id": 7, "status": "created"}
        return row | {
            "total": f"{len(self.items[order]) * 1.1:.2f}",
            "item_count": len(self.items[order]),
            "version": version,
            "created_at": at,
            "updated_at": at,
        }

    def _lines(self, order: int, op: str) -> list[Change]:
        rows = [
            {"id": item, "order_id": order, "line": line, "sku": "tea", "quantity": 1, "unit_price": "1.10"}
            for line, item in enumerate(self.items[order], 1)
        ]
        return [("order_items", op, None if op == "c" else row, row if op == "c" else None) for row in rows]

    def _event(self, order: int, version: int, kind: str) -> Change:
        self.events += 1
        row = {"id": next(self.sequence), "order_id": order, "version": version, "type": kind}
        return ("order_events", "c", None, row | {"at": "2026-11-24T14:43:53.042722Z"})


def end_marker(gtid: str, counts: dict[str, int]) -> dict[str, Any]:
    """END of a transaction with so many events per table."""
    collections = [{"data_collection": table, "event_count": count} for table, count in counts.items()]
    return {"status": "END", "id": gtid, "event_count": sum(counts.values()), "data_collections": collections}


@pytest.fixture(scope="module")
def client(up: Up) -> SupervisorClient:
    return up(*PATH)


@pytest.fixture(scope="module")
def feed(client: SupervisorClient, stack: Stack) -> Feed:
    host, port = stack.host_port("kafka")
    return Feed(
        Producer(
            {"bootstrap.servers": f"{host}:{port}", "linger.ms": 5, "delivery.timeout.ms": 120_000, "log_level": 0}
        )
    )


def wait_until_covered(stack: Stack, beat_us: int, seconds: float = 180.0) -> None:
    """Until `main` holds everything up to that heartbeat."""

    def look() -> bool | None:
        try:
            found = history.newest(stack)
        except CouldNotLook:
            return None
        return True if found.plain.beat_us is not None and found.plain.beat_us >= beat_us else None

    Deadline(seconds).wait_for("main to cover the last heartbeat", look, every=0.5)


def is_savepoint(state: State) -> bool:
    return "/savepoints/" in state.uri


def assert_lake_is_exact(stack: Stack, feed: Feed) -> None:
    """Every order with its version, every item, every event: by key, at one hash."""
    wait_until_covered(stack, feed.beat())
    _, orders = ask(stack, f"SELECT id, version FROM orders WHERE id >= {feed.first}")
    assert {int(row[0]): int(row[1]) for row in orders.rows} == feed.orders
    assert len(orders.rows) == len(feed.orders)
    _, items = ask(stack, f"SELECT id, order_id FROM order_items WHERE id >= {feed.first}")
    assert sorted((int(row[1]), int(row[0])) for row in items.rows) == sorted(
        (order, item) for order, held in feed.items.items() for item in held
    )
    _, events = ask(stack, f"SELECT count(*), count(DISTINCT id) FROM order_events WHERE id >= {feed.first}")
    assert list(events.rows[0]) == [feed.events + feed.second_rows, feed.events]


def test_whole_transactions_reach_the_lake(stack: Stack, feed: Feed) -> None:
    for _ in range(300):
        feed.change_something()
    assert_lake_is_exact(stack, feed)


def test_a_transaction_without_its_end_stays_out_until_the_end_comes(stack: Stack, feed: Feed) -> None:
    order = next(feed.sequence)
    feed.items[order] = [next(feed.sequence)]
    feed.orders[order] = 1
    changes = feed.creation(order)
    gtid = feed.transaction(changes, hold_end=True)
    feed.producer.flush(30)
    before = history.newest(stack).plain.checkpoint
    Deadline(60.0).wait_for(
        "three more checkpoints", lambda: True if history.newest(stack).plain.checkpoint >= before + 3 else None
    )
    _, rows = ask(stack, f"SELECT count(*) FROM orders WHERE id = {order}")
    assert int(rows.rows[0][0]) == 0
    feed.end(gtid, {"oltp.orders": 1, "oltp.order_items": 1, "oltp.order_events": 1})
    assert_lake_is_exact(stack, feed)


@pytest.mark.parametrize(
    "part",
    [
        *("flink-taskmanager", "flink-jobmanager"),
        # Each killed under shoppers in drills_real/test_kills.py, too.
        *(pytest.param(name, marks=pytest.mark.proof) for name in ("minio", "publisher", "nessie")),
    ],
)
def test_nothing_is_lost_or_doubled_when_a_part_is_killed(
    client: SupervisorClient, stack: Stack, feed: Feed, part: str
) -> None:
    for number in range(150):
        feed.change_something()
        if number == 50:
            feed.producer.flush(30)
            client.kill(part)
    client.up(PATH)
    assert_lake_is_exact(stack, feed)


def kill_between_the_two_commits(client: SupervisorClient, stack: Stack, feed: Feed) -> int:
    """kill -9 of the TaskManager after the APPEND of a checkpoint with rows, before its COMPACT; gives its id."""
    orders = FollowedTable(s3_client(stack), OLTP.name, "orders")
    deadline = Deadline(180.0)
    while not deadline.expired:
        orders.refresh()
        seen = orders.snapshots[-1].id
        for _ in range(20):
            feed.change_something()
        feed.producer.flush(30)

        def begun() -> Snapshot | None:
            orders.refresh()
            newest = orders.snapshots[-1]
            is_new = newest.id > seen and newest.kind is Kind.APPEND and newest.delta_records > 0  # noqa: B023
            return newest if is_new else None

        appended = deadline.wait_for("rows in an APPEND", begun, every=0.002)
        client.kill("flink-taskmanager", "STOP")
        orders.refresh()
        if orders.snapshots[-1] == appended:
            client.kill("flink-taskmanager")
            return appended.checkpoint
        client.kill("flink-taskmanager", "CONT")
    raise AssertionError("the TaskManager was always too fast")


def test_a_checkpoint_whose_compaction_never_came_is_not_published(
    client: SupervisorClient, stack: Stack, feed: Feed
) -> None:
    feed.change_something()
    assert_lake_is_exact(stack, feed)
    following = EveryHash(stack, history.newest(stack).hash)
    torn_one = kill_between_the_two_commits(client, stack, feed)
    # Nothing is written any more: these rows become readable only if the restored writer compacts idle buckets.
    client.up(PATH)
    assert_lake_is_exact(stack, feed)
    wait_for_another_checkpoint(stack)
    following.look(Deadline(120))
    assert (following.torn, following.waiting, following.not_looked) == ([], 0, 0)
    assert torn_one not in {commit.plain.checkpoint for commit in history.log(stack, 100)}


def wait_for_another_checkpoint(stack: Stack) -> None:
    before = history.newest(stack).plain.checkpoint
    Deadline(60.0).wait_for(
        "another checkpoint on main", lambda: True if history.newest(stack).plain.checkpoint > before else None
    )


def test_a_stopped_taskmanager_is_not_ready(client: SupervisorClient, stack: Stack) -> None:
    client.kill("flink-taskmanager", "STOP")
    try:
        with pytest.raises(NotReady):
            find("flink-taskmanager").ready(stack, 2.0)
    finally:
        client.kill("flink-taskmanager", "CONT")
    client.up(PATH)


def test_a_clean_stop_leaves_a_savepoint_that_the_next_start_goes_on_from(
    client: SupervisorClient, stack: Stack, feed: Feed
) -> None:
    feed.change_something()
    wait_until_covered(stack, feed.beat())
    client.stop("flink-jobmanager")
    newest = complete_states(s3_client(stack), OLTP)[0]
    assert is_savepoint(newest)
    feed.change_something()
    client.up(PATH)
    assert_lake_is_exact(stack, feed)
    assert history.newest(stack).plain.checkpoint > newest.checkpoint


def test_a_new_sql_file_is_taken_over_with_nothing_lost(stack: Stack, feed: Feed) -> None:
    statements = split_statements(
        """
        CREATE TEMPORARY TABLE oltp_refunds (id BIGINT, note STRING, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.refunds');
        CREATE TABLE IF NOT EXISTS a_refunds (id BIGINT, note STRING, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('bucket' = '2', 'deletion-vectors.enabled' = 'true', 'deletion-vectors.bitmap64' = 'true');
        INSERT INTO a_refunds SELECT id, note FROM oltp_refunds;
        """
    )
    feed.change_something()
    redeploy(stack, OLTP, rewrite=lambda files: (SqlFile("a_refunds", tuple(statements)), *files)).require_running(
        OLTP
    )
    feed.transaction([("refunds", "c", None, {"id": 1, "note": "tea was cold"})])
    feed.change_something()
    assert_lake_is_exact(stack, feed)
    text = s3_client(stack).get_object(Bucket="lake", Key="wh/oltp.db/a_refunds/snapshot/LATEST")["Body"].read()
    assert int(text) > 0
    with pytest.raises(FlinkRefused, match="Cannot map"):
        redeploy(stack, OLTP)
    redeploy(stack, OLTP, allow_non_restored=True)
    assert_lake_is_exact(stack, feed)


def test_a_submission_whose_sender_was_killed_makes_no_second_job(stack: Stack, feed: Feed) -> None:
    # Its call goes on in the JobManager, unseen and holding no turn, while the next provision submits again.
    feed.change_something()
    stop_with_savepoint(stack, OLTP, 60.0)
    flink = rest_of(stack)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(submission._submit, stack, flink, OLTP, allow_non_restored=False) for _ in range(3)]
        ids = {call.result().id for call in calls}
    assert len(ids) == 1
    assert [job.id for job in flink.jobs() if job.name == OLTP.job and job.state in ALIVE] == list(ids)
    feed.change_something()
    assert_lake_is_exact(stack, feed)


def test_a_job_that_begins_while_the_states_are_listed_is_the_one(
    stack: Stack, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its newest checkpoint would make another id, and a second writer.
    stop_with_savepoint(stack, OLTP, 60.0)
    flink, others = rest_of(stack), list[str]()

    def listed(s3: Any, database: Source) -> list[State]:
        monkeypatch.undo()
        others.append(submission._submit(stack, flink, OLTP, allow_non_restored=False).id)
        return Deadline(60).wait_for(
            "its first checkpoint",
            lambda: states if not is_savepoint((states := complete_states(s3, OLTP))[0]) else None,
        )

    monkeypatch.setattr(submission, "complete_states", listed)
    assert [submission._submit(stack, flink, OLTP, allow_non_restored=False).id] == others
    feed.change_something()
    assert_lake_is_exact(stack, feed)


def test_a_stop_without_a_job_is_no_error(client: SupervisorClient, stack: Stack) -> None:
    stop_with_savepoint(stack, OLTP, 60.0)
    assert stop_with_savepoint(stack, OLTP, 5.0) is None
    redeploy(stack, OLTP)
    assert [job.name for job in rest_of(stack).jobs() if job.state == "RUNNING" or job.name == OLTP.job]


def repeated_rows(stack: Stack) -> float:
    """How many rows the job has dropped since it was submitted."""
    text = httpx.get(
        f"http://{stack.address('flink-taskmanager', 'jmx')}/metrics", trust_env=False, timeout=10.0
    ).text
    found = re.search(r"^lakeproof_aligner_rowsRepeated_total(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE)
    assert found, "lakeproof_aligner_rowsRepeated_total is not there"
    return float(found[1])


def test_a_transaction_that_comes_again_after_its_end_is_taken_once_also_after_a_restore(
    stack: Stack, feed: Feed
) -> None:
    first, second = feed.create(), feed.create()
    feed.repeat(second)
    assert_lake_is_exact(stack, feed)
    before = repeated_rows(stack)
    redeploy(stack, OLTP)
    feed.repeat(first)
    feed.repeat(second)
    assert_lake_is_exact(stack, feed)
    assert before == len(second) - 2
    assert repeated_rows(stack) == len(first) + len(second) - 4


def test_with_repeats_not_dropped_the_second_row_is_seen(stack: Stack, feed: Feed) -> None:
    capture = stack.settings.capture.model_copy(update={"exactly_once": False})
    redeploy(Stack(stack.settings.model_copy(update={"capture": capture})), OLTP)
    feed.repeat(feed.create())
    feed.second_rows += 1
    assert_lake_is_exact(stack, feed)
    redeploy(stack, OLTP)
    feed.repeat(feed.create())
    assert_lake_is_exact(stack, feed)


def test_metrics_have_their_exact_names(client: SupervisorClient, stack: Stack, feed: Feed) -> None:
    feed.beat()  # Flink adds pendingRecords when the first record has come
    wanted = {
        "flink-jobmanager": (
            *(
                f'flink_jobmanager_job_{name}{{job_name="lake-oltp"}}'
                for name in ("numRestarts", "numberOfFailedCheckpoints", "lastCompletedCheckpointId")
            ),
        ),
        "flink-taskmanager": (
            'kafka_consumer_fetch_manager_metrics_records_lag_max{client_id="lake-oltp-0"}',
            "flink_taskmanager_job_task_operator_pendingRecords{",
            "flink_jobmanager_job_latency{",
            "lakeproof_aligner_transactions_total",
            "lakeproof_aligner_rowsRepeated_total",
        ),
    }
    for part, names in wanted.items():
        wait_for_metrics(f"http://{stack.address(part, 'jmx')}/metrics", names)


def wait_for_metrics(url: str, names: tuple[str, ...]) -> None:
    """Until all these series are there."""

    def missing() -> list[str]:
        text = httpx.get(url, trust_env=False, timeout=10.0).text
        return [name for name in names if name not in text]

    Deadline(60.0).wait_for(
        f"the metrics at {url}", lambda: None if missing() else True, seen=lambda: f"without {missing()}"
    )


def test_keys_of_the_store_are_in_no_argument_and_no_log(client: SupervisorClient, stack: Stack) -> None:
    secret = stack.secret("s3-secret-key")
    for part in ("minio", "flink-jobmanager", "flink-taskmanager", "publisher"):
        assert not any(secret in word for word in find(part).command(stack).argv)
        assert secret not in stack.log_path(part).read_text(errors="replace")


def test_a_wrong_sql_file_is_refused_before_the_job_stops(client: SupervisorClient, stack: Stack) -> None:
    before = {job.id for job in rest_of(stack).jobs() if job.state == "RUNNING"}
    with pytest.raises(LakeproofError):
        redeploy(stack, OLTP, rewrite=lambda _: (SqlFile("broken", ("CREATE NONSENSE",)),))
    after = {job.id for job in rest_of(stack).jobs() if job.state == "RUNNING"}
    assert before == after


@pytest.mark.proof  # not yet green three times in a row
def test_a_second_taskmanager_goes_on_when_the_first_is_killed_and_no_row_is_lost_or_doubled(
    client: SupervisorClient, stack: Stack, feed: Feed
) -> None:
    assert client.scale("flink-taskmanager", 2) == (["flink-taskmanager-2"], [])
    for number in range(100):
        feed.change_something()
        if number == 30:
            feed.producer.flush(30)
            client.kill("flink-taskmanager")
    assert_lake_is_exact(stack, feed)
    before = client.row("flink-taskmanager-2").pid
    client.kill("flink-jobmanager")  # takes both down: one that went on would write

    def taken_down() -> bool | None:
        return True if client.row("flink-taskmanager-2").pid not in (None, before) else None

    Deadline(120).wait_for("another process of flink-taskmanager-2", taken_down)
    client.up([*PATH, "flink-taskmanager-2"])
    feed.change_something()
    assert_lake_is_exact(stack, feed)
    assert client.scale("flink-taskmanager", 1) == ([], ["flink-taskmanager-2"])
    feed.change_something()
    assert_lake_is_exact(stack, feed)
    assert "flink-taskmanager-2" not in [row.name for row in client.ps()]
