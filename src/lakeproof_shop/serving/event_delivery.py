"""Sends events to Kafka for an outbox in any database, and tells which of them Kafka has acknowledged.

A message on topic `events.<service>`: key = aggregate_id, value = JSON {event_id, type, aggregate, aggregate_id, at,
trace_id, data}. An event counts as sent only after Kafka acknowledged it (acks=all).
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof.metrics import Metrics
from lakeproof.stack.absent_kafka import AbsentKafka, logger_without_attempts
from lakeproof_shop.serving.database.postgres import Row
from lakeproof_shop.serving.times import iso

DELIVERY_SECONDS = 8.0  # an event without an acknowledgement by then counts as not delivered, and stays in the outbox
GRACE_SECONDS = 2.0  # how much later the producer has surely reported every event


class OutboxMetrics(Metrics):
    """Metrics of an outbox: the events that wait, and those that were sent."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.unsent = self.gauge("shop_outbox_unsent", "Events that Kafka does not have yet.")
        self.oldest = self.gauge(
            "shop_outbox_oldest_unsent_seconds", "Age of the oldest event that Kafka does not have."
        )
        self.sent = self.counter("shop_outbox_sent_total", "Events that Kafka acknowledged.")
        self.failures = self.counter(
            "shop_outbox_failures_total",
            "Batches that did not get away, by what failed.",
            "stage",
            values=("database", "kafka"),
        )


class EventDelivery:
    """Delivers to one topic, one batch after the other, with the same producer until that producer fails.

    logger_name: the logger for librdkafka's messages.
    """

    def __init__(self, bootstrap_servers: str, topic: str, logger_name: str) -> None:
        self._bootstrap_servers, self._topic, self._logger_name = bootstrap_servers, topic, logger_name
        self._producer: Producer | None = None
        self._absent = AbsentKafka()  # outlives a failed producer, so that the same warning is not logged for each
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Give up a delivery that is under way."""
        self._stopped.set()

    def deliver[T](self, messages: Iterable[tuple[T, str, bytes]]) -> tuple[list[T], str]:
        """Send messages (token, key, value). Gives the tokens that Kafka acknowledged, and "" or an error text.

        Blocks: run it in a thread. Raises: KafkaException, BufferError; some messages may then still be sent.
        """
        producer = self._open_producer()
        acknowledged: list[T] = []
        failures: list[KafkaError] = []
        wanted = 0

        def note(token: T) -> Callable[[KafkaError | None, Message], None]:
            def on_delivery(error: KafkaError | None, _: Message) -> None:
                if error is None:
                    acknowledged.append(token)
                else:
                    failures.append(error)

            return on_delivery

        try:
            for token, key, value in messages:
                producer.produce(self._topic, value, key.encode(), on_delivery=note(token))
                wanted += 1
        except KafkaException:
            self._producer = None  # after a fatal error a producer takes no more messages
            raise
        deadline = Deadline(DELIVERY_SECONDS + GRACE_SECONDS)
        while len(acknowledged) + len(failures) < wanted and not deadline.expired and not self._stopped.is_set():
            producer.poll(0.05)
        missing = wanted - len(acknowledged)
        if not missing:
            return acknowledged, ""
        if not failures or any(error.fatal() for error in failures):
            self._producer = None  # after a fatal error it sends nothing; without a failure it holds old messages
        said = failures[0].str() if failures else "no answer"
        return acknowledged, f"{missing} of {wanted} events were not taken ({said})"

    def _open_producer(self) -> Producer:
        if self._producer is None:
            self._producer = event_producer(self._bootstrap_servers, self._logger_name, self._absent)
        return self._producer


def event_producer(bootstrap_servers: str, logger_name: str, absent: AbsentKafka) -> Producer:
    """An idempotent producer: it sends each event once and in order, and gives up after DELIVERY_SECONDS.

    logger_name: the logger for librdkafka's messages.
    """
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "delivery.timeout.ms": round(DELIVERY_SECONDS * 1000),
            **absent.settings,
        },
        logger=logger_without_attempts(logger_name),
    )


def message_of(row: Mapping[str, Any] | Row) -> bytes:
    """The message of one row of the outbox."""
    return orjson.dumps(
        {
            "event_id": str(row["event_id"]),
            "type": row["type"],
            "aggregate": row["aggregate"],
            "aggregate_id": row["aggregate_id"],
            "at": iso(row["created_at"]),
            "trace_id": row["trace_id"],
            "data": orjson.Fragment(row["payload"]),
        }
    )
