"""The reader of topics without Kafka: what it commits when, and how much it says of a Kafka that is away."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError

from lakeproof.deadline import Deadline
from lakeproof.shop import event_consumer
from lakeproof.shop.event_consumer import EventConsumer, Record


class FakeMessage:
    """Number so and so of the one partition."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "events.payment"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return b"{}"


class FakeConsumer:
    """Has these messages; writes into `told` what it is asked."""

    def __init__(self, count: int, told: list[Any]) -> None:
        self._left = [FakeMessage(number) for number in range(count)]
        self._told = told

    def subscribe(self, topics: list[str], on_assign: Callable[..., None]) -> None:
        self._told.append(("subscribe", *topics))

    def consume(self, count: int, timeout: float) -> list[FakeMessage]:
        if count > 1 and timeout > 0:
            self._told.append(("gathers", timeout))
        found, self._left = self._left[:count], self._left[count:]
        return found

    def commit(self, asynchronous: bool) -> None:
        self._told.append("commit")

    def close(self) -> None:
        self._told.append("close")


def a_consumer(
    monkeypatch: pytest.MonkeyPatch, told: list[Any], take: Callable[[Sequence[Record]], Any], **more: Any
) -> EventConsumer:
    monkeypatch.setattr(event_consumer, "Consumer", lambda *_, **__: FakeConsumer(3, told))
    return EventConsumer("127.0.0.1:9", take, group="test", topics=("events.payment",), **more)


async def test_a_batch_is_committed_once_its_taker_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    done = asyncio.Event()

    async def take(records: Sequence[Record]) -> None:
        told.append([record.offset for record in records])
        await asyncio.sleep(0.01)
        told.append("taken")
        if records[-1].offset == 2:
            done.set()

    consumer = a_consumer(monkeypatch, told, take, batch=2)
    consumer.start()
    await done.wait()
    await consumer.stop()
    assert told == [("subscribe", "events.payment"), [0, 1], "taken", "commit", [2], "taken", "commit", "close"]


async def test_a_batch_waits_for_more_only_where_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    done = asyncio.Event()

    async def take(_: Sequence[Record]) -> None:
        done.set()

    consumer = a_consumer(monkeypatch, told, take, gather_seconds=0.3)
    consumer.start()
    await done.wait()
    await consumer.stop()
    assert told == [("subscribe", "events.payment"), ("gathers", 0.3), "commit", "close"]


async def test_a_batch_that_a_stop_gave_up_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    begun = asyncio.Event()

    async def take(_: Sequence[Record]) -> None:
        begun.set()
        await asyncio.sleep(3600)

    consumer = a_consumer(monkeypatch, told, take)
    consumer.start()
    await begun.wait()
    await consumer.stop()
    assert told == [("subscribe", "events.payment"), "close"]
    assert not consumer.is_running


async def nothing(_: Sequence[Record]) -> None:
    return None


def test_a_kafka_that_is_away_is_told_once_a_minute_and_kind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = a_consumer(monkeypatch, [], nothing)
    refused, all_down = KafkaError(KafkaError._TRANSPORT, "refused"), KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1")
    with caplog.at_level(logging.WARNING):
        for error in (refused, all_down) * 20:
            consumer._say(error)
    assert [record.__dict__["reason"] for record in caplog.records] == ["refused", "1/1"]
    monkeypatch.setattr(event_consumer, "SAY_AGAIN_SECONDS", 0.0)
    consumer._say(refused)
    assert len(caplog.records) == 3


async def test_attempts_to_connect_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    consumer = EventConsumer("127.0.0.1:9", nothing, group="test", topics=("events.payment",))
    with caplog.at_level(logging.DEBUG):
        consumer.start()
        deadline = Deadline(20)
        while len(caplog.records) < 2 and not deadline.expired:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)  # for two attempts more
        await consumer.stop()
    assert [record.getMessage() for record in caplog.records] == ["kafka does not answer"] * 2
