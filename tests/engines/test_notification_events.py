"""Others' events on a real Kafka: each acts once, poison is passed over, an order event waits for its customer."""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack

from .notifications import (
    NAME,
    a_customer,
    await_dependencies,
    metric,
    opened_shop,
    rows,
)

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(NAME)


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    with opened_shop(stack) as client:
        yield client


def produce(stack: Stack, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp")})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(20) == 0


def event(type_: str, event_id: str, **data: Any) -> bytes:
    return json.dumps({"event_id": event_id, "type": type_, "trace_id": "t-7", "data": data}).encode()


def notified(stack: Stack, *customers: int) -> list[tuple[Any, ...]]:
    sql = "SELECT customer_id, status FROM notifications WHERE customer_id = ANY($1::bigint[]) ORDER BY created_at"
    return rows(stack, sql, list(customers))


def test_an_event_acts_once_and_poison_is_passed_over_and_named(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    first, last, ids = a_customer(), a_customer(), [str(uuid.uuid4()) for _ in range(2)]
    dropped = metric(stack, "notification_events_dropped_total")
    good = event("payment.captured", ids[0], customer_id=first, order_id=1, moved="12.30")
    poison = (
        b"\xff rubbish",
        b"[]",
        event("payment.captured", "no uuid", customer_id=1),
        event("odd.type", str(uuid.uuid4())),
    )
    produce(stack, "events.payment", good, *poison, good)
    produce(stack, "events.support", event("case.opened", ids[1], customer_id=last, case_id=4))
    Deadline(60).wait_for(
        "both to be sent",
        lambda: True if sorted(notified(stack, first, last)) == sorted([(first, "sent"), (last, "sent")]) else None,
        seen=lambda: str(notified(stack, first, last)),
    )
    assert metric(stack, "notification_events_dropped_total") == dropped + 4
    text = Path(supervisor.row(NAME).log).read_text()
    passed = [json.loads(line) for line in text.splitlines() if '"event passed over"' in line]
    assert {(one["topic"], one["reason"]) for one in passed[-4:]} == {
        ("events.payment", "invalid_payload"),
        ("events.payment", "unsupported_topic"),
    }
    assert all(isinstance(one["offset"], int) and isinstance(one["partition"], int) for one in passed)


def test_an_event_that_comes_again_after_its_word_was_swept_is_a_repeat_and_stops_nothing(
    stack: Stack, shop: httpx.Client
) -> None:
    """Its notification stands for longer than its row in consumed_events."""
    customer, id_ = a_customer(), uuid.uuid4()
    with postgres_session.connection(
        stack, "notification_service", "postgres-notification-service", 10.0, "shop", "notification"
    ) as session:
        session.rows(
            "INSERT INTO notifications (id, customer_id, channel, recipient, subject, body, topic, status, trace_id)"
            " VALUES ($1, $2, 'email', 'a@example.org', 's', 'b', 'payment', 'failed', '')",
            *(id_, customer),
        )
    produce(
        stack, "events.payment", event("payment.captured", str(id_), customer_id=customer, order_id=1, moved="1.00")
    )
    known = "SELECT dropped FROM consumed_events WHERE event_id = $1"
    Deadline(60).wait_for("it to be taken", lambda: True if rows(stack, known, id_) == [(None,)] else None)
    assert notified(stack, customer) == [(customer, "failed")]


def captured(event_id: int, order_id: int, type_: str) -> bytes:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    row = {"id": event_id, "order_id": order_id, "version": 2, "type": type_, "at": at}
    return json.dumps({"op": "c", "source": {"table": "order_events"}, "before": None, "after": row}).encode()


def test_a_captured_order_event_waits_for_the_order_service_and_is_told_once(
    stack: Stack, shop: httpx.Client, up: Callable[..., SupervisorClient]
) -> None:
    number = uuid.uuid4().int % 2**31
    supervisor = up("order-service")
    body = {"customer_id": a_customer(), "items": [{"sku": "sku-1", "quantity": 1, "unit_price": "1.00"}]}
    key = {"idempotency-key": f"test-{uuid.uuid4().hex}"}
    order = httpx.post(f"{stack.url('order-service')}/orders", json=body, headers=key, timeout=10).json()
    supervisor.stop("order-service")
    try:
        paid, created_ = captured(number, order["id"], "paid"), captured(number + 1, order["id"], "created")
        produce(stack, "cdc.oltp", created_, paid, paid)
        await_dependencies(stack, frozenset({"order-service"}))
        assert notified(stack, order["customer_id"]) == []
    finally:
        supervisor.start("order-service")
    Deadline(60).wait_for(
        "the order's customer to be told",
        lambda: True if notified(stack, order["customer_id"]) == [(order["customer_id"], "sent")] else None,
        seen=lambda: str(notified(stack, order["customer_id"])),
    )


def test_events_that_came_while_it_was_dead_are_acted_on_once_after_its_kill(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    customers = [a_customer() for _ in range(60)]
    events = [
        event("payment.refunded", str(uuid.uuid4()), customer_id=one, order_id=1, moved="1.00") for one in customers
    ]
    produce(stack, "events.payment", *events[:30])
    restarts = supervisor.row(NAME).restarts
    supervisor.kill(NAME)
    produce(stack, "events.payment", *events[30:], *events)
    Deadline(30).wait_for("its death", lambda: True if supervisor.row(NAME).restarts > restarts else None)
    Deadline(90).wait_for(
        "each to be told once",
        lambda: True if sorted(notified(stack, *customers)) == sorted((one, "sent") for one in customers) else None,
        seen=lambda: str(Counter(status for _, status in notified(stack, *customers))),
    )
    await_dependencies(stack)
