"""What goes to Kafka of an outbox, and what counts as sent, without Kafka."""

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeproof_shop.serving import event_delivery
from lakeproof_shop.serving.event_delivery import EventDelivery, message_of

EVENT_ID = uuid.UUID("11111111-2222-3333-4444-555555555555")
MESSAGES = [(1, "17", b"one"), (2, "17", b"two"), (3, "18", b"three")]

type OnDelivery = Callable[[KafkaError | None, None], None]


class FakeProducer:
    """Answers of each value what `errors` says: None for "taken", no word at all for what is not in it."""

    def __init__(self, errors: dict[bytes, KafkaError | None], refuses: KafkaException | None = None) -> None:
        self._errors, self._refuses = errors, refuses
        self._asked: list[tuple[bytes, OnDelivery]] = []
        self.sent: list[tuple[str, bytes, bytes]] = []

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: OnDelivery) -> None:
        if self._refuses is not None:
            raise self._refuses
        self.sent.append((topic, value, key))
        self._asked.append((value, on_delivery))

    def poll(self, _: float) -> None:
        asked, self._asked = self._asked, []
        for value, on_delivery in asked:
            if value in self._errors:
                on_delivery(self._errors[value], None)


ALL_TAKEN: dict[bytes, KafkaError | None] = {value: None for _, _, value in MESSAGES}


class Opened:
    """The producers that a delivery opens, in this order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *producers: FakeProducer) -> None:
        self._left: Iterator[FakeProducer] = iter(producers)
        self.count = 0
        monkeypatch.setattr(event_delivery, "event_producer", self._open)
        self.delivery = EventDelivery("nowhere", "events.payment", "test")

    def _open(self, *_: object) -> FakeProducer:
        self.count += 1
        return next(self._left)


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


def test_what_kafka_acknowledged_is_told_and_goes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer(ALL_TAKEN)
    opened = Opened(monkeypatch, producer)
    assert opened.delivery.deliver(iter(MESSAGES)) == ([1, 2, 3], "")
    assert producer.sent == [("events.payment", value, key.encode()) for _, key, value in MESSAGES]
    assert opened.delivery.deliver(MESSAGES) == ([1, 2, 3], "")
    assert opened.count == 1


def test_what_kafka_refused_is_counted_and_the_producer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    timed_out = KafkaError(KafkaError._MSG_TIMED_OUT, "no time")
    opened = Opened(monkeypatch, FakeProducer(ALL_TAKEN | {b"two": timed_out}))
    for _ in range(2):
        assert opened.delivery.deliver(MESSAGES) == ([1, 3], "1 of 3 events were not taken (no time)")
    assert opened.count == 1


def test_after_a_fatal_error_another_producer_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    fatal = KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced", fatal=True)
    opened = Opened(monkeypatch, FakeProducer(ALL_TAKEN | {b"three": fatal}), FakeProducer(ALL_TAKEN))
    assert opened.delivery.deliver(MESSAGES) == ([1, 2], "1 of 3 events were not taken (fenced)")
    assert opened.delivery.deliver(MESSAGES) == ([1, 2, 3], "")


def test_a_producer_that_takes_nothing_any_more_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = KafkaException(KafkaError(KafkaError._FATAL, "fatal"))
    opened = Opened(monkeypatch, FakeProducer({}, refuses), FakeProducer(ALL_TAKEN))
    with pytest.raises(KafkaException):
        opened.delivery.deliver(MESSAGES)
    assert opened.delivery.deliver(MESSAGES) == ([1, 2, 3], "")


def test_without_an_answer_it_ends_and_the_producer_s_queue_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_delivery, "DELIVERY_SECONDS", 0.0)
    monkeypatch.setattr(event_delivery, "GRACE_SECONDS", 0.01)
    opened = Opened(monkeypatch, FakeProducer({b"one": None}), FakeProducer(ALL_TAKEN))
    assert opened.delivery.deliver(MESSAGES) == ([1], "2 of 3 events were not taken (no answer)")
    assert opened.delivery.deliver(MESSAGES) == ([1, 2, 3], "")


def test_a_stop_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch, FakeProducer({}))
    opened.delivery.stop()
    assert opened.delivery.deliver(MESSAGES) == ([], "3 of 3 events were not taken (no answer)")


def test_attempts_to_connect_do_not_fill_the_log_nor_does_a_next_producer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_delivery, "DELIVERY_SECONDS", 0.3)
    monkeypatch.setattr(event_delivery, "GRACE_SECONDS", 0.1)
    delivery = EventDelivery("127.0.0.1:9", "events.payment", "test")
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            assert delivery.deliver(MESSAGES)[0] == []
            delivery._producer = None  # as after one that took nothing any more
    # An earlier test's thread may still look at its stack, and say that nobody answers.
    said = [one.getMessage() for one in caplog.records if not one.name.startswith("lakeproof.console")]
    assert set(said) == {"kafka does not answer"}
    # Once of each kind: that it could not connect, and that there is no other broker.
    assert len(said) <= 3
