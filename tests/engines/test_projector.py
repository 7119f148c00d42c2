"""The projector on the real Kafka and ring: what comes twice, late or by two at once changes nothing."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families
from tests.engines.instances import instance

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.cassandra_session import session
from lakeproof.stack.stack import Stack
from lakeproof_shop.projector.app import TOPIC

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(600)]

NAME = "projector"
MODULE = "lakeproof_shop.projector.app"
BORN_US = 1_764_000_000_000_000


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(NAME)


@pytest.fixture(scope="module")
def support(supervisor: SupervisorClient, stack: Stack) -> Iterator[httpx.Client]:
    """A support service of the test's own; its database is away, which a customer's orders do not need."""
    with instance("lakeproof_shop.services.support.app") as running, running.client() as client:

        def look() -> bool | None:
            try:
                client.get("/metrics")
            except httpx.HTTPError:
                return None
            return True

        Deadline(60).wait_for("the support service to answer", look)
        yield client


def record(customer: int, order: int, version: int, *, op: str = "upsert", status: str = "created") -> bytes:
    said = {
        "op": op,
        "customer_id": customer,
        "id": order,
        "status": status,
        "total": f"{version}.50",
        "item_count": 1,
        "version": version,
        "created_at": "2026-11-24T14:43:53.042722Z",
        "updated_at": f"2026-11-24T14:43:{version % 60:02}.042722Z",
        "ts_us": BORN_US,
    }
    return json.dumps(said).encode()


def produce(stack: Stack, *values: bytes, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp")})
    for value in values:
        producer.produce(TOPIC.name, value, key=b"test", partition=partition)
    assert producer.flush(30) == 0


def beat(stack: Stack, at_us: int) -> None:
    for partition in range(TOPIC.partitions):
        produce(stack, json.dumps({"op": "beat", "beat_us": at_us}).encode(), partition=partition)


def ask(stack: Stack, cql: str, *values: object) -> list[Any]:
    with session(stack, "reader", stack.secret("cassandra-reader"), seconds=10) as ring:
        return list(ring.execute(cql, values))


def projected(stack: Stack, customer: int) -> list[tuple[int, int, str]]:
    cql = "SELECT order_id, version, status FROM projections.orders_by_customer WHERE customer_id = %s"
    return [tuple(row) for row in ask(stack, cql, customer)]


def metric(stack: Stack, name: str, **labels: str) -> float:
    text = httpx.get(f"{stack.url(NAME)}/metrics", trust_env=False).text
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found[0]


def caught_up(stack: Stack, since_us: int, seconds: float = 60.0) -> None:
    """Until everything before a beat that is sent now is projected."""
    beat(stack, since_us)

    def look() -> bool | None:
        cql = "SELECT part, covers_us FROM projections.progress WHERE projection = 'orders_by_customer'"
        rows = ask(stack, cql)
        return True if len(rows) == TOPIC.partitions and min(row[1] for row in rows) >= since_us else None

    Deadline(seconds).wait_for("the projection to cover the beat", look, every=0.5)


def now_us() -> int:
    return time.time_ns() // 1000


def await_health(stack: Stack, status: int, seconds: float = 60.0) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        try:
            answer = httpx.get(f"{stack.url(NAME)}/health", timeout=3, trust_env=False)
        except httpx.HTTPError:
            return None
        body: dict[str, Any] = answer.json()
        return body if answer.status_code == status else None

    return Deadline(seconds).wait_for(f"{NAME} to answer {status}", look)


def test_a_service_reads_what_was_projected_and_how_old_it_is(
    stack: Stack, supervisor: SupervisorClient, support: httpx.Client
) -> None:
    produce(stack, record(11, 1, 1), record(11, 2, 1), record(11, 1, 2, status="paid"))
    caught_up(stack, now_us())
    body = support.get("/support/customers/11/orders", params={"limit": 1}).json()
    whole = support.get("/support/customers/11/orders").json()
    assert [(one["order_id"], one["status"]) for one in whole["orders"]] == [(2, "created"), (1, "paid")]
    assert whole["orders"][1]["total"] == "2.50"
    assert whole["orders"][1]["updated_at"] == "2026-11-24T14:43:02.042722Z"
    assert ([one["order_id"] for one in body["orders"]], body["more"], whole["more"]) == ([2], True, False)
    assert whole["age_seconds"] < 30
    Deadline(10).wait_for("no lag", lambda: True if metric(stack, "projector_lag_records") == 0 else None)
    # In seconds it is known (NaN until then) once the rows of progress were read for every part.
    Deadline(10).wait_for("a lag in seconds", lambda: True if metric(stack, "projector_lag_seconds") < 30 else None)


def test_what_comes_again_or_late_changes_nothing_and_a_deleted_order_stays_deleted(
    stack: Stack, supervisor: SupervisorClient
) -> None:
    old = [record(12, 5, 1), record(12, 5, 2, status="paid"), record(12, 6, 1)]
    produce(stack, *old, record(12, 6, 1, op="delete"))
    caught_up(stack, now_us())
    produce(stack, *reversed(old), *old)
    caught_up(stack, now_us())
    assert projected(stack, 12) == [(5, 2, "paid")]
    assert metric(stack, "projector_records_total", outcome="replayed") > 0


def test_poison_is_set_aside_and_what_follows_it_is_taken(stack: Stack, supervisor: SupervisorClient) -> None:
    before = metric(stack, "projector_records_total", outcome="poison")
    rubbish = [b"\xff\xfe", b"[]", b'{"op": "upsert"}', record(13, 2**63, 1), record(13, 7, 0), record(13, 7, 2**31)]
    produce(stack, *rubbish, record(13, 8, 1))
    caught_up(stack, now_us())
    assert projected(stack, 13) == [(8, 1, "created")]
    assert metric(stack, "projector_records_total", outcome="poison") - before == len(rubbish)
    aside = ask(stack, "SELECT why, value FROM projections.set_aside WHERE topic = %s", TOPIC.name)
    assert {bytes(row[1]) for row in aside} >= set(rubbish)


def test_kill_9_in_the_middle_and_a_second_projector_lose_nothing(stack: Stack, supervisor: SupervisorClient) -> None:
    orders = range(1, 3001)
    with instance(MODULE) as second:
        second.wait_until_healthy()
        for partition in range(TOPIC.partitions):
            mine = [order for order in orders if order % TOPIC.partitions == partition]
            produce(stack, *(record(14, order, version) for order in mine for version in (1, 2)), partition=partition)
        supervisor.kill(NAME)
        caught_up(stack, now_us(), 120)
    produce(stack, *(record(14, order, 1) for order in orders))
    caught_up(stack, now_us(), 120)
    assert {row[:2] for row in projected(stack, 14)} == {(order, 2) for order in orders}
    await_health(stack, 200)


def test_while_cassandra_is_away_records_wait_and_health_names_it(
    stack: Stack, supervisor: SupervisorClient, support: httpx.Client
) -> None:
    for node in ("cassandra-node2", "cassandra-node3"):
        supervisor.stop(node)
    produce(stack, record(15, 1, 1))
    told = await_health(stack, 503)
    assert told["dependencies"]["cassandra"]["problem"]
    started = time.monotonic()
    answer = support.get("/support/customers/15/orders")
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] in {"database_unavailable", "unclear"}
    assert time.monotonic() - started < 6
    supervisor.start("cassandra-node3")
    caught_up(stack, now_us(), 120)
    assert projected(stack, 15) == [(1, 1, "created")]


def test_while_kafka_is_away_health_names_it_and_it_goes_on_by_itself(
    stack: Stack, supervisor: SupervisorClient
) -> None:
    supervisor.stop("kafka")
    assert await_health(stack, 503)["dependencies"]["kafka"]["problem"]
    supervisor.start("kafka")
    produce(stack, record(16, 1, 1))
    caught_up(stack, now_us(), 120)
    assert projected(stack, 16) == [(1, 1, "created")]
