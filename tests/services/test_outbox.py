"""What the outbox sends, without a database or Kafka."""

import asyncio
import uuid

import pytest
from prometheus_client import CollectorRegistry

from lakeproof.stack.topics import EVENT_TOPICS, SERVICES, event_topic
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.outbox import Event, OutboxRelay, relaying
from lakeproof_shop.serving.traces import trace_id

EVENT_ID = uuid.UUID("11111111-2222-3333-4444-555555555555")


def test_an_event_carries_the_trace_of_the_request_under_way() -> None:
    token = trace_id.set("t-2")
    try:
        args = Event("payment", "17", "payment.voided", {}, EVENT_ID).args()
    finally:
        trace_id.reset(token)
    assert args == (EVENT_ID, "payment", "17", "payment.voided", "{}", "t-2")


def test_every_service_with_an_outbox_has_one_topic_that_kafka_makes() -> None:
    assert {topic.name for topic in EVENT_TOPICS} == {event_topic(service) for service in SERVICES}


async def test_a_full_queue_of_kafkas_client_is_told_and_does_not_end_the_relay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(_: OutboxRelay) -> int:
        raise BufferError("Local: Queue full")

    async def away() -> Connection:
        raise DatabaseDown("cannot connect")

    monkeypatch.setattr(OutboxRelay, "_send_batch", full)
    async with relaying(away, "127.0.0.1:9", "payment", CollectorRegistry()) as relay:
        await asyncio.sleep(0.05)
        assert (relay.ended, relay.problem) == ("", "kafka: Local: Queue full")
