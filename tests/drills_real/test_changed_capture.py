"""A connector changed by plain REST, and its topic by Kafka's admin calls, key by key: named, and mended by the
repairs that are proposed.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from tests.doubles.plugins import OURS
from tests.drills_real.health import assert_clean, await_health

from lakeproof.arguments import parse_arguments
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.diagnosis import Diagnosis
from lakeproof.diagnosis.examination import examine
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.backlog import kept_offset
from lakeproof.lake.capture.commands import await_state, restart
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.sources.source import OLTP
from lakeproof.lake.topic_settings import alter, live_settings, needs, restore
from lakeproof.lake.topics import of_capture
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.processes.client import SupervisorClient
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC, Topic

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

# What somebody might change → what it does to what the connector delivers.
CHANGES = {
    "table.include.list": "oltp.orders,oltp.order_events,oltp.cdc_heartbeat",  # no items
    "column.exclude.list": "oltp.orders.total",  # NULL in its place
    "skipped.operations": "u",  # no updates, and so no heartbeats
    "decimal.handling.mode": "double",  # 12.3 and not "12.30"
    "time.precision.mode": "connect",  # numbers and not texts
    "tombstones.on.delete": "true",  # a record without a value after each delete
    "provide.transaction.metadata": "false",  # no markers, and rows that tell of no transaction
    "value.converter.schemas.enable": "true",  # every value within an envelope
    "transforms": "envelope,pin",  # each table into a topic of its own
    "topic.prefix": "other",  # a new name, and so a snapshot of all, into other topics
    "database.include.list": "other",  # nothing at all
}
# The same of its topic.
SETTINGS = {
    "max.message.bytes": "100",  # no record is small enough
    "min.insync.replicas": "2",  # there is one broker
    "message.timestamp.before.max.ms": "0",  # every change is older than its record
    "cleanup.policy": "compact",  # no record without a key, as order_events has
    "retention.ms": "1000",  # records go, after a while
}


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> SupervisorClient:
    """The path of an order, healthy, with orders in it."""
    client = SupervisorClient(whole_stack)
    client.up()
    await_health(lakeproof)
    buy(lakeproof)
    return client


def buy(lakeproof: Run) -> None:
    bought = lakeproof("traffic", "--rate", "20", "--seconds", "5", seconds=120)
    assert bought.code == 0, bought.err


def look(stack: Stack) -> Diagnosis:
    return examine(stack, scenario_folders()).diagnosis


def in_words(found: Diagnosis) -> str:
    unknown = [f"{seen.reading.probe}={seen.reading.value}" for seen in found.unknown]
    return f"{[finding.cause.id for finding in found.findings]}, unknown {unknown}"


def await_name(stack: Stack) -> Diagnosis:
    """The first diagnosis that names the change, or what the change has led to."""
    return Deadline(60).wait_for("a cause", lambda: found if (found := look(stack)).findings else None)


def follow(stack: Stack, change: str, names: tuple[str, ...]) -> None:
    """Run what is proposed for the first cause, as long as there is one; each must be one of these names."""
    for _ in range(3):
        found = await_name(stack)
        print(f"{change}: {in_words(found)}", flush=True)
        first = found.findings[0].cause
        assert first.id in names, in_words(found)
        for step in first.repairs:
            mitigation = parse_arguments(all_mitigations(OURS)[step.id], step.arguments, step.id)
            print(f"  {step.id}: {mitigation.run(stack)}", flush=True)
        if look(stack).healthy:
            return
    raise AssertionError(f"{change}: three repairs, and {in_words(look(stack))}")


def assert_well(stack: Stack, lakeproof: Run) -> None:
    await_state(stack, "orders", "RUNNING")
    buy(lakeproof)
    await_health(lakeproof)
    assert_clean(lakeproof)


@pytest.mark.parametrize(("key", "value"), CHANGES.items(), ids=list(CHANGES))
def test_a_changed_key_is_named_and_what_it_kept_from_the_lake_comes(
    running: SupervisorClient, whole_stack: Stack, lakeproof: Run, key: str, value: str
) -> None:
    config = live_config(whole_stack, "orders")
    assert config is not None
    where = f"{whole_stack.url('connect')}/connectors/orders/config"
    changed = httpx.put(where, json=config | {key: value}, trust_env=False, timeout=60)
    assert changed.status_code == 200, changed.text
    try:
        buy(lakeproof)
        follow(whole_stack, f"{key}={value}", ("connector_changed", "topic_gap"))
        assert_well(whole_stack, lakeproof)
    except BaseException:
        # The next test must not find this one's connector, nor its job.
        topic_gap.bridge(whole_stack, "orders")
        register(whole_stack, "orders")
        raise


@pytest.fixture
def kafka(whole_stack: Stack) -> Iterator[AdminClient]:
    """The next test must not find what one that failed has left."""
    admin = AdminClient({"bootstrap.servers": whole_stack.address("kafka", "tcp")})
    yield admin
    for topic in of_capture(OLTP):
        restore(whole_stack, admin, topic)


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    # Of those that decide something about a topic: no retention takes anything from one that is compacted.
    [
        pytest.param(topic, key, value, id=f"{topic.name}-{key}")
        for topic in of_capture(OLTP)
        for key, value in SETTINGS.items()
        if key in needs(topic)
    ],
)
def test_a_changed_topic_is_named_and_set_right(
    running: SupervisorClient,
    whole_stack: Stack,
    kafka: AdminClient,
    lakeproof: Run,
    topic: Topic,
    key: str,
    value: str,
) -> None:
    if key == "cleanup.policy" and topic.config[key] == "compact":
        value = "delete"
    alter(kafka, topic.name, {key: value})
    buy(lakeproof)
    follow(whole_stack, f"{topic.name}: {key}={value}", ("topic_changed",))
    assert_well(whole_stack, lakeproof)


@pytest.mark.parametrize("by", ["the step", "Kafka Connect"])
def test_a_deleted_topic_is_named_and_made_anew_and_what_nobody_had_read_comes(
    running: SupervisorClient, whole_stack: Stack, kafka: AdminClient, lakeproof: Run, by: str
) -> None:
    """A connector that is started anew makes the topic itself."""
    kafka.delete_topics([CDC_TOPIC])[CDC_TOPIC].result(20)
    buy(lakeproof)
    if by == "Kafka Connect":
        await_made_by_connect(whole_stack, kafka)
        buy(lakeproof)
    follow(whole_stack, "deleted", ("topic_changed", "topic_gap"))
    assert_well(whole_stack, lakeproof)


def await_made_by_connect(stack: Stack, kafka: AdminClient) -> None:
    restart(stack, "orders", only_failed=False)
    Deadline(60).wait_for("the topic", lambda: live_settings(kafka, of_capture(OLTP)[0], 5.0))


def test_a_topic_that_was_made_anew_is_named_though_the_jobs_own_place_lies_within_it(
    running: SupervisorClient, whole_stack: Stack, kafka: AdminClient, lakeproof: Run
) -> None:
    """The job stands still until more has come into the new topic than it had read of the old one.

    Records that it takes no notice of stand for what the shop would write in hours. It passes without the topic's id,
    too: the job tells of it itself (decision 0051).
    """
    place = kept_offset(whole_stack, 10.0, OLTP)
    assert place is not None
    running.kill(TASKMANAGER, "STOP")
    try:
        kafka.delete_topics([CDC_TOPIC])[CDC_TOPIC].result(20)
        await_made_by_connect(whole_stack, kafka)
        buy(lakeproof)
        writer = Producer({"bootstrap.servers": whole_stack.address("kafka", "tcp")})
        for _ in range(place):
            while True:
                try:
                    writer.produce(CDC_TOPIC, topic_gap.MARKER, partition=0)
                    break
                except BufferError:
                    writer.poll(0.1)
        assert writer.flush(60) == 0
        buy(lakeproof)
    finally:
        running.kill(TASKMANAGER, "CONT")
    found = Deadline(60).wait_for(
        "a gap", lambda: seen if "topic_gap" in in_words(seen := look(whole_stack)) else None
    )
    print(f"grown past {place}: {in_words(found)}", flush=True)
    follow(whole_stack, "made anew", ("topic_gap",))
    assert_well(whole_stack, lakeproof)


def test_more_partitions_while_it_runs_break_nothing(
    running: SupervisorClient, whole_stack: Stack, kafka: AdminClient, lakeproof: Run
) -> None:
    """The runbook's advice against a backlog. The last test here: nobody takes partitions away again."""
    kafka.create_partitions([NewPartitions(CDC_TOPIC, 3)])[CDC_TOPIC].result(timeout=30)
    buy(lakeproof)
    # Each of these learns of the new partitions at its next start.
    restart(whole_stack, "orders", only_failed=False)
    await_state(whole_stack, "orders", "RUNNING")
    buy(lakeproof)
    running.kill(TASKMANAGER)
    buy(lakeproof)
    Deadline(120).wait_for("a healthy diagnosis", lambda: True if look(whole_stack).healthy else None)
    reader = Consumer({"bootstrap.servers": whole_stack.address("kafka", "tcp"), "group.id": "more-partitions"})
    try:
        ends = [reader.get_watermark_offsets(TopicPartition(CDC_TOPIC, number), timeout=20)[1] for number in range(3)]
    finally:
        reader.close()
    assert ends[0] > 0 and ends[1:] == [0, 0]
    assert_well(whole_stack, lakeproof)
