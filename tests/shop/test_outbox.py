"""What the outbox sends, without a database or Kafka."""

import json
import uuid
from datetime import UTC, datetime

from lakeproof.shop.outbox import Event, message_of
from lakeproof.shop.topics import EVENT_TOPICS, SERVICES, event_topic
from lakeproof.shop.traces import trace_id

EVENT_ID = uuid.UUID("11111111-2222-3333-4444-555555555555")


def test_a_message_says_what_happened_to_whom_and_when_in_utc() -> None:
    row = {
        "event_id": EVENT_ID,
        "type": "payment.captured",
        "aggregate": "payment",
        "aggregate_id": "17",
        "created_at": datetime(2026, 11, 24, 10, 0, 0, 42, tzinfo=UTC),
        "trace_id": "t-1",
        "payload": '{"amount": "12.30"}',
    }
    assert json.loads(message_of(row)) == {
        "event_id": str(EVENT_ID),
        "type": "payment.captured",
        "aggregate": "payment",
        "aggregate_id": "17",
        "at": "2026-11-24T10:00:00.000042Z",
        "trace_id": "t-1",
        "data": {"amount": "12.30"},
    }


def test_an_event_carries_the_trace_of_the_request_under_way() -> None:
    token = trace_id.set("t-2")
    try:
        args = Event("payment", "17", "payment.voided", {}, EVENT_ID).args()
    finally:
        trace_id.reset(token)
    assert args == (EVENT_ID, "payment", "17", "payment.voided", "{}", "t-2")


def test_two_events_never_share_an_id() -> None:
    assert Event("a", "1", "t", {}).event_id != Event("a", "1", "t", {}).event_id


def test_every_service_with_an_outbox_has_one_topic_that_kafka_makes() -> None:
    assert {topic.name for topic in EVENT_TOPICS} == {event_topic(service) for service in SERVICES}
