"""The outbox between a real PostgreSQL and a real Kafka: every event at least once, in order, and none is lost."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.engines.health import await_health

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import event_topic
from lakeproof_shop.serving.database.postgres import Connection, connector_of
from lakeproof_shop.serving.outbox import RELAY_SECONDS, TAKE_TURN, TURN

pytestmark = pytest.mark.engines

TOPIC = event_topic("payment")


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("payment-service", "kafka")


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url("payment-service"), timeout=15.0) as client:
        yield client


def pay(shop: httpx.Client, count: int) -> list[int]:
    """Payments, each captured and refunded in two parts; their ids."""
    made = []
    for _ in range(count):
        body = {"order_id": uuid.uuid4().int % 2**50 + 1, "customer_id": 5, "amount": "10.00", "card": "tok_visa"}
        answer = shop.post("/payments", json=body, headers={"idempotency-key": uuid.uuid4().hex})
        assert answer.status_code == 201, answer.text
        path = f"/payments/{answer.json()['id']}"
        for op, amount in (("capture", None), ("refund", "4.00"), ("refund", None)):
            more = {} if amount is None else {"amount": amount}
            answer = shop.post(f"{path}/{op}", json=more, headers={"idempotency-key": uuid.uuid4().hex})
            assert answer.status_code == 200, answer.text
        made.append(int(path.rpartition("/")[2]))
    return made


def unsent(stack: Stack) -> int:
    ((count,),) = postgres_session.select(
        stack,
        "reader",
        "postgres-reader",
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL",
        database="shop",
        schema="payment",
    )
    return int(count)


def await_sent(stack: Stack, seconds: float = 60.0) -> None:
    Deadline(seconds).wait_for(
        "every event to be sent",
        lambda: True if unsent(stack) == 0 else None,
        seen=lambda: f"{unsent(stack)} unsent",
    )


def messages(stack: Stack) -> list[dict[str, Any]]:
    """All of the topic, partition by partition in their order."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
        }
    )
    found = []
    try:
        for number in consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=10)
            consumer.assign([TopicPartition(TOPIC, number, low)])
            deadline = Deadline(30)
            at = low
            while at < high:
                assert not deadline.expired, f"partition {number} gave {at} of {high}"
                message = consumer.poll(1.0)
                if message is not None and message.error() is None:
                    at = (message.offset() or 0) + 1
                    value = message.value()
                    key = message.key()
                    assert value is not None and key is not None
                    event = json.loads(value)
                    assert key.decode() == event["aggregate_id"]
                    found.append(event)
    finally:
        consumer.close()
    return found


def whole_and_in_order(stack: Stack, payments: list[int]) -> None:
    """Each payment's versions arrived, each for the first time after the one before it."""
    arrived: dict[str, list[int]] = {}
    for event in messages(stack):
        versions = arrived.setdefault(event["aggregate_id"], [])
        if event["data"]["version"] not in versions:
            versions.append(event["data"]["version"])
    assert {payment: arrived.get(str(payment)) for payment in payments} == {key: [1, 2, 3, 4] for key in payments}


def outbox_metric(shop: httpx.Client, name: str) -> float:
    (line,) = [line for line in shop.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def kafka_problem(shop: httpx.Client) -> str:
    return str(shop.get("/health").json()["dependencies"]["kafka"].get("problem") or "")


def test_every_event_arrives_whole_and_in_order(stack: Stack, shop: httpx.Client) -> None:
    payments = pay(shop, 20)
    await_sent(stack)
    whole_and_in_order(stack, payments)
    (event,) = [
        event
        for event in messages(stack)
        if event["aggregate_id"] == str(payments[0]) and event["data"]["version"] == 3
    ]
    assert {name: event[name] for name in ("type", "aggregate")} == {
        "type": "payment.refunded",
        "aggregate": "payment",
    }
    assert event["data"]["moved"] == "4.00" and event["data"]["status"] == "partially_refunded"
    assert event["trace_id"] and event["at"].endswith("Z")


def test_without_kafka_payments_go_on_and_their_events_wait(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client
) -> None:
    await_sent(stack)
    supervisor.stop("kafka")
    try:
        payments = pay(shop, 5)
        Deadline(30).wait_for(
            "the gauge of what waits", lambda: True if outbox_metric(shop, "shop_outbox_unsent") == 20 else None
        )

        def told() -> bool | None:
            health = shop.get("/health")
            assert health.status_code == 200, health.text
            return True if "kafka" in health.json()["dependencies"]["kafka"]["problem"] else None

        Deadline(60).wait_for("the service to tell of Kafka", told)
        assert outbox_metric(shop, "shop_outbox_oldest_unsent_seconds") > 1
    finally:
        supervisor.start("kafka")
    await_sent(stack, 120)
    whole_and_in_order(stack, payments)
    Deadline(30).wait_for(
        "the gauge to be empty", lambda: True if outbox_metric(shop, "shop_outbox_unsent") == 0 else None
    )


def test_kill_9_of_the_service_loses_no_event(stack: Stack, supervisor: SupervisorClient, shop: httpx.Client) -> None:
    payments: list[int] = []
    for _ in range(3):
        payments += pay(shop, 8)
        restarts = supervisor.row("payment-service").restarts
        supervisor.kill("payment-service")
        await_health(supervisor, "payment-service", restarts=restarts)
    await_sent(stack)
    whole_and_in_order(stack, payments)


@contextlib.contextmanager
def turn_of(stack: Stack, service: str) -> Iterator[None]:
    """What a relay of that service holds that has stopped in the midst of a batch."""

    async def take() -> Connection:
        connection = await connector_of(stack, service, statement_seconds=RELAY_SECONDS)()
        await connection.execute("BEGIN")
        taken = Deadline(10)
        while not (await connection.fetch(TAKE_TURN, TURN))[0][0]:
            assert not taken.expired, "the turn was not to be had"
            await asyncio.sleep(0.01)
        return connection

    async def give_back(connection: Connection) -> None:
        connection.close()

    with asyncio.Runner() as runner:
        held = runner.run(take())
        try:
            yield
        finally:
            runner.run(give_back(held))


@pytest.mark.parametrize("other", ["support", "fulfillment", "notification"])
def test_another_services_relay_that_hangs_holds_up_nobody(stack: Stack, shop: httpx.Client, other: str) -> None:
    with turn_of(stack, other):
        payments = pay(shop, 2)
        await_sent(stack, 20)
    whole_and_in_order(stack, payments)


def test_a_relay_of_the_same_service_that_hangs_is_told_of(stack: Stack, shop: httpx.Client) -> None:
    await_sent(stack)
    with turn_of(stack, "payment"):
        payments = pay(shop, 2)
        Deadline(40).wait_for("word of the turn", lambda: True if "turn" in kafka_problem(shop) else None)
        assert unsent(stack) == 8
    await_sent(stack)
    whole_and_in_order(stack, payments)
    Deadline(20).wait_for("no trouble", lambda: True if not kafka_problem(shop) else None)


def test_rows_that_were_sent_a_day_ago_are_deleted(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client
) -> None:
    pay(shop, 2)
    await_sent(stack)
    owner = ("payment_service", "postgres-payment-service")
    postgres_session.select(
        stack, *owner, "UPDATE outbox SET sent_at = sent_at - interval '25 hours'", database="shop", schema="payment"
    )
    restarts = supervisor.row("payment-service").restarts
    supervisor.kill("payment-service")  # a new relay sweeps at once
    Deadline(60).wait_for(
        "the service", lambda: True if supervisor.row("payment-service").restarts > restarts else None
    )

    def left() -> int:
        ((count,),) = postgres_session.select(
            stack, *owner, "SELECT count(*) FROM outbox", database="shop", schema="payment"
        )
        return int(count)

    Deadline(60).wait_for("the old rows to go", lambda: True if left() == 0 else None, seen=lambda: f"{left()} rows")
