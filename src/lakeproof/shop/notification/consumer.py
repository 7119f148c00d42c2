"""Reads other services' events from Kafka; an offset is committed only after what it called for is in the database.

The client waits in a thread of its own; each batch is handed to the event loop and waited for. What cannot be read is
counted, named in the log by topic, partition and offset, and passed over: it must not stop what comes after it.
"""

import asyncio
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from lakeproof.deadline import Deadline
from lakeproof.lake.capture.topics import CDC_TOPIC
from lakeproof.shop.database.errors import DatabaseTrouble, SaidNo
from lakeproof.shop.notification.customers import Customers, NobodyAnswers
from lakeproof.shop.notification.event_store import Addressed, Dropped, EventStore
from lakeproof.shop.notification.incoming import (
    TOPICS,
    InvalidPayload,
    UnsupportedTopic,
    Wanted,
    event_id_of,
    read_event,
)
from lakeproof.shop.notification.metrics import NotificationMetrics
from lakeproof.shop.notification.models import DropReason

logger = logging.getLogger(__name__)

GROUP = "notification"
BATCH = 200
POLL_SECONDS = 0.5
TAKE_SECONDS = 10.0
AGAIN_SECONDS = 1.0
ASK_SECONDS = 0.8
STOP_SECONDS = 3.0
PLACE_SECONDS = 5.0


class Record(NamedTuple):
    """One message with its place."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


class EventReader:
    """Turns records into notifications. `wake`: tell the worker."""

    def __init__(
        self, store: EventStore, customers: Customers, metrics: NotificationMetrics, wake: Callable[[], None]
    ) -> None:
        self._store, self._customers, self._metrics, self._wake = store, customers, metrics, wake

    async def take(self, records: Sequence[Record]) -> None:
        """Everything that the records call for is in the database when this returns; it does not give up.

        Each record counts once, however often the database or the order service has to be asked.
        """
        dropped: list[Dropped] = []
        wanted = [(record, found) for record in records if (found := self._read(record, dropped)) is not None]
        addressed = [
            one for record, found in wanted if (one := await self._address(record, found, dropped)) is not None
        ]
        while addressed or dropped:
            try:
                if dropped:
                    await self._store.drop(dropped, Deadline(TAKE_SECONDS))
                if addressed and await self._store.take(addressed, Deadline(TAKE_SECONDS)):
                    self._wake()
                return
            except (DatabaseTrouble, SaidNo) as error:
                logger.warning("events wait for the database", extra={"reason": str(error)})
                await asyncio.sleep(AGAIN_SECONDS)

    def _read(self, record: Record, dropped: list[Dropped]) -> Wanted | None:
        try:
            found = read_event(record.topic, record.value)
        except InvalidPayload as error:
            self._pass_over(record, DropReason.INVALID_PAYLOAD, str(error), dropped)
            return None
        except UnsupportedTopic as error:
            self._pass_over(record, DropReason.UNSUPPORTED_TOPIC, str(error), dropped)
            return None
        if found is None:
            self._metrics.events.labels("of_no_interest").inc()
        return found

    async def _address(self, record: Record, found: Wanted, dropped: list[Dropped]) -> Addressed | None:
        if found.customer_id is not None:
            return Addressed(found, found.customer_id)
        assert found.order_id is not None
        while True:
            try:
                owner = await self._customers.of_order(found.order_id)
            except NobodyAnswers as error:
                logger.warning("events wait for the order service", extra={"reason": str(error)})
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if owner is None:
                why = f"there is no order {found.order_id}"
                self._pass_over(record, DropReason.INVALID_PAYLOAD, why, dropped, found.event_id)
                return None
            if owner.by_checkout and found.told_by_receipt:
                self._metrics.events.labels("of_no_interest").inc()
                return None
            return Addressed(found, owner.customer_id)

    def _pass_over(
        self,
        record: Record,
        reason: DropReason,
        why: str,
        dropped: list[Dropped],
        event_id: uuid.UUID | None = None,
    ) -> None:
        event_id = event_id or event_id_of(record.value)
        if event_id is not None:
            dropped.append(Dropped(event_id, record.topic, reason))
        self._metrics.dropped.labels(reason.value).inc()
        logger.warning(
            "event passed over",
            extra={
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "reason": reason.value,
                "why": why[:300],
            },
        )


class EventConsumer:
    """Runs from `start` to `stop`. `take` gets each batch; its offsets are committed once it returned."""

    def __init__(
        self,
        bootstrap_servers: str,
        take: Callable[[Sequence[Record]], Awaitable[None]],
        *,
        group: str = GROUP,
        topics: Sequence[str] = TOPICS,
    ) -> None:
        self._take, self._topics = take, list(topics)
        self._settings = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "client.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "session.timeout.ms": 10_000,
            "topic.metadata.refresh.interval.ms": 10_000,
            "reconnect.backoff.max.ms": 2_000,
            "log.connection.close": False,
        }
        self._stopped = threading.Event()
        self._under_way: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # A client of its own: while the consumer waits in `consume`, its list_topics never returns (2.16).
        asking: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, "log_level": 0, "error_cb": _ignore}
        self._asking = AdminClient(asking)

    def start(self) -> None:
        """Begin to read, from where the group has come to."""
        self._loop = asyncio.get_running_loop()
        consumer = Consumer(self._settings, logger=logging.getLogger("lakeproof.shop.notification.kafka"))
        self._thread = threading.Thread(target=self._run, args=(consumer,), name="events", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End; a batch under way is given up, and comes again after the next start."""
        self._stopped.set()
        if self._under_way is not None:
            self._under_way.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_SECONDS)

    @property
    def is_running(self) -> bool:
        """False before `start`, after `stop`, and where an error that nobody foresaw ended it."""
        return self._thread is not None and self._thread.is_alive()

    async def problem(self) -> str:
        """For /health: "" or what is wrong with Kafka."""
        try:
            await asyncio.to_thread(self._asking.list_topics, timeout=ASK_SECONDS)
        except (KafkaException, RuntimeError) as error:
            return f"no answer: {error}"[:200]
        return ""

    def _run(self, consumer: Consumer) -> None:
        consumer.subscribe(self._topics, on_assign=_begin_at_now)
        try:
            while not self._stopped.is_set():
                messages = consumer.consume(BATCH, timeout=POLL_SECONDS)
                records = [_record(message) for message in messages if _is_record(message)]
                if records and self._take_whole(records):
                    self._commit(consumer)
        finally:
            consumer.close()

    def _take_whole(self, records: Sequence[Record]) -> bool:
        """False: it was given up because of the end, or failed in a way nobody foresaw; then nothing is committed."""
        assert self._loop is not None

        async def take() -> None:
            self._under_way = asyncio.current_task()
            await self._take(records)

        try:
            asyncio.run_coroutine_threadsafe(take(), self._loop).result()
        except (CancelledError, asyncio.CancelledError):
            return False
        except Exception:
            logger.exception("the reader of events ends", extra={"first": records[0][:3]})
            raise
        return True

    def _commit(self, consumer: Consumer) -> None:
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:  # the events come again, and act once all the same
            logger.warning("offsets are not committed", extra={"reason": str(error)})


def _begin_at_now(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """A group that never read the capture topic begins at its end: orders of last week are told to nobody today.

    The place is committed, so that it holds after a crash. Where Kafka does not answer, the group's own rule counts.
    """
    try:
        for place in (one for one in partitions if one.topic == CDC_TOPIC):
            (known,) = consumer.committed([place], timeout=PLACE_SECONDS)
            if known.offset < 0:
                _, place.offset = consumer.get_watermark_offsets(place, timeout=PLACE_SECONDS)
                consumer.commit(offsets=[place], asynchronous=False)
                logger.info("begins at the end", extra={"topic": place.topic, "offset": place.offset})
    except KafkaException as error:
        logger.warning("no place in the capture topic", extra={"reason": str(error)})
    consumer.assign(partitions)


def _ignore(_: KafkaError) -> None:
    """librdkafka reports each failed attempt to connect; our own question says it once."""


def _is_record(message: Message) -> bool:
    error: KafkaError | None = message.error()
    if error is not None:
        logger.warning("Kafka says", extra={"reason": error.str()})
    return error is None


def _record(message: Message) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None and partition is not None and offset is not None
    value = message.value()
    return Record(topic, partition, offset, value if value is None or isinstance(value, bytes) else value.encode())
