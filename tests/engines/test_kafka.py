"""The real broker: ready means that it answers, and kill -9 loses nothing that was acknowledged."""

import json
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake import topic_ids
from lakeproof.lake.capture.backlog import kept_offset, largest_delivered
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.lake.topic_settings import ANEW, MISSING, alter, restore
from lakeproof.lake.topics import find_topic
from lakeproof.probes.kafka import other_topic_changes, topic_changes, topic_end, unread
from lakeproof.probes.transactions import open_transaction_seconds
from lakeproof.stack import provisioned
from lakeproof.stack.engines import kafka
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC
from lakeproof_shop.scenarios.replication_lag import repairs

pytestmark = pytest.mark.engines


def servers(stack: Stack) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": stack.address("kafka", "tcp")}


def test_the_topic_of_change_capture_has_one_partition(stack: Stack, up: Up) -> None:
    up("kafka")
    found = AdminClient(servers(stack)).list_topics(timeout=10).topics
    assert len(found[CDC_TOPIC].partitions) == 1


@pytest.mark.proof  # not yet green three times in a row
@pytest.mark.parametrize("name", [CDC_TOPIC, "events.payment", "results.orders_by_customer"])
def test_a_topic_that_somebody_changes_is_told_by_what_was_changed_and_set_right(
    stack: Stack, up: Up, name: str
) -> None:
    up("kafka")
    admin, topic = AdminClient(servers(stack)), find_topic(name)

    def told() -> str:
        of_capture, of_others = topic_changes(stack, 5.0, OLTP), other_topic_changes(stack, 5.0)
        return str(of_capture) if of_others == "none" else f"{of_capture}; {of_others}"

    def await_told(wanted: str) -> None:
        found = wanted if wanted == "none" else f"{name}: {wanted}"
        told_as = found if name == CDC_TOPIC or wanted == "none" else f"none; {found}"
        Deadline(10).wait_for(wanted, lambda: True if told() == told_as else None, seen=told)

    await_told("none")
    other = "compact" if topic.config["cleanup.policy"] == "delete" else "delete"
    for key, value in (
        ("cleanup.policy", other),
        ("max.message.bytes", "100"),
        ("min.insync.replicas", "2"),
        ("message.timestamp.after.max.ms", "1"),
    ):
        alter(admin, name, {key: value, "segment.ms": "1000000"})
        await_told(f"{key}={value}")
        assert restore(stack, admin, topic) == [f"{key}={value}"]
        await_told("none")
    admin.delete_topics([name])[name].result(20)
    await_told(MISSING)
    assert restore(stack, admin, topic) == [MISSING]
    await_told(ANEW)
    topic_ids.note(stack, topic, topic_ids.ids(admin, [topic], 10.0)[name])
    await_told("none")
    assert len(admin.list_topics(timeout=10).topics[name].partitions) == topic.partitions


@pytest.mark.proof  # not yet green three times in a row
def test_what_a_job_has_not_read_is_what_comes_after_the_place_that_it_told(stack: Stack, up: Up) -> None:
    up("kafka")
    with closing(Consumer(servers(stack) | {"group.id": OLTP.job, "enable.auto.commit": False})) as job:
        producer = Producer(servers(stack))
        at_ms = int(
            (time.time() - 3 * 3600) * 1000
        )  # older than what the test of transactions that came of late reads
        for _ in range(50):
            producer.produce(CDC_TOPIC, "{}", partition=0, timestamp=at_ms)
        assert producer.flush(10) == 0
        place = topic_end(stack, 10.0, OLTP) - 20
        job.commit(offsets=[TopicPartition(CDC_TOPIC, 0, place)], asynchronous=False)
    assert kept_offset(stack, 10.0, OLTP) == place
    assert unread(stack, 10.0, OLTP) == 20
    assert kept_offset(stack, 10.0, SHOP) is None


def test_the_largest_transaction_that_came_of_late_is_told_by_its_rows(stack: Stack, up: Up) -> None:
    up("kafka")
    producer = Producer(servers(stack))

    def transaction(rows: int, at_ms: int) -> None:
        for row in range(1, rows + 1):
            value = json.dumps({"op": "u", "transaction": {"id": f"0-1-{at_ms}", "total_order": row}})
            producer.produce(CDC_TOPIC, value, partition=0, timestamp=at_ms)
        producer.produce(CDC_TOPIC, json.dumps({"status": "END", "id": "0-1-9"}), partition=0, timestamp=at_ms)
        assert producer.flush(10) == 0

    now = int(time.time() * 1000)
    transaction(900, now - 3_600_000)
    assert largest_delivered(stack, OLTP.connector, 60) == 0
    transaction(300, now)
    transaction(2, now)
    assert largest_delivered(stack, OLTP.connector, 60) == 300
    assert largest_delivered(stack, OLTP.connector, 7200) == 900


def test_a_stopped_broker_is_not_ready_within_the_time(stack: Stack, up: Up) -> None:
    client = up("kafka")
    broker = client.row("kafka").pid
    client.kill("kafka", "STOP")

    def stands_still() -> bool | None:  # on a busy machine a thread of it may go on for a moment
        return True if Path(f"/proc/{broker}/stat").read_text().rpartition(")")[2].split()[0] == "T" else None

    try:
        Deadline(10).wait_for("the broker to stand still", stands_still)
        asked = Deadline(60)
        with pytest.raises(NotReady, match="timed out"):
            kafka.ready(stack, 1.0)
        assert asked.elapsed < 10
    finally:
        client.kill("kafka", "CONT")

    def look() -> bool:
        kafka.ready(stack, 2.0)
        return True

    Deadline(30).wait_for("the broker", look)


def test_an_acknowledged_message_survives_kill_9_and_a_deleted_topic_stays_deleted(stack: Stack, up: Up) -> None:
    client = up("kafka")
    restarts = client.row("kafka").restarts
    topic, lost = f"kept-{uuid.uuid4().hex[:8]}", f"lost-{uuid.uuid4().hex[:8]}"
    admin = AdminClient(servers(stack))
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    for future in admin.create_topics([NewTopic(topic, 1, 1), NewTopic(lost, 1, 1)]).values():
        future.result(20)
    # As if provision had made it, before somebody deleted it.
    provisioned.remember(stack, "kafka", f"topic {lost}", "any")
    admin.delete_topics([lost])[lost].result(20)
    producer = Producer({**servers(stack), "acks": "all"})
    producer.produce(topic, b"kept")
    assert producer.flush(20) == 0

    client.kill("kafka")
    await_health(client, "kafka", restarts=restarts)
    consumer = Consumer({**servers(stack), "group.id": "test", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(20)
        assert message is not None and message.value() == b"kept"
    finally:
        consumer.close()
    assert lost not in admin.list_topics(timeout=10).topics
    admin.delete_topics([topic])[topic].result(20)


@pytest.mark.proof  # not yet green three times in a row
def test_an_open_transaction_that_its_coordinator_knows_is_seen_and_not_aborted(stack: Stack, up: Up) -> None:
    up("kafka")
    topic, admin = f"cdc.test-{uuid.uuid4().hex[:8]}", AdminClient(servers(stack))
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    try:
        producer = Producer(servers(stack) | {"transactional.id": topic})
        producer.init_transactions(30)
        producer.begin_transaction()
        # Dated back, so that the tool looks at it: the coordinator's time limit runs from now all the same.
        producer.produce(topic, b"kept", timestamp=int((time.time() - 600) * 1000))
        producer.flush(30)

        def look() -> float | None:
            seconds = float(str(open_transaction_seconds(stack, 5.0)))
            return seconds if seconds > 590 else None

        Deadline(30).wait_for("the open transaction", look, every=0.2)
        assert repairs.AbortHangingTransactions().run(stack) == "no transaction hangs"
        producer.commit_transaction(30)
        Deadline(30).wait_for("no open one", lambda: True if open_transaction_seconds(stack, 5.0) == 0 else None)
        reader: dict[str, str | int | float | bool] = {"group.id": "test", "isolation.level": "read_committed"}
        with closing(Consumer(servers(stack) | reader)) as consumer:
            consumer.assign([TopicPartition(topic, 0, 0)])
            message = consumer.poll(20)
            assert message is not None and message.value() == b"kept"
    finally:
        admin.delete_topics([topic])[topic].result(20)
