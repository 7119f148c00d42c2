"""Reads topics from Kafka in batches; a batch's offsets are committed only after `take` has returned.

The Kafka client blocks in a thread of its own. The thread hands each batch to the event loop and waits for it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from lakeproof.stack.absent_kafka import AbsentKafka, logger_without_attempts, quiet_settings

logger = logging.getLogger(__name__)

BATCH = 200
POLL_SECONDS = 0.5
ASK_SECONDS = 0.8
STOP_SECONDS = 3.0
PLACE_SECONDS = 5.0
AGAIN_SECONDS, LONGEST_AGAIN_SECONDS = 1.0, 30.0
SILENT_AT_MOST = 2  # after this many partitions whose place Kafka did not tell, the remaining ones are not asked


class Record(NamedTuple):
    """One message with its topic, partition and offset."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


class EventConsumer:
    """Reads from `start` to `stop`. `take` gets each batch; the batch's offsets are committed once `take` returned.

    begin_at_end: topics of which a group that never read them begins at the end, not at the beginning.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        take: Callable[[Sequence[Record]], Awaitable[None]],
        *,
        group: str,
        topics: Sequence[str],
        begin_at_end: frozenset[str] = frozenset(),
        batch: int = BATCH,
    ) -> None:
        self._take, self._topics, self._batch = take, list(topics), batch
        self._begin_at_end = begin_at_end
        self._absent = AbsentKafka()
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "client.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "session.timeout.ms": 10_000,
            "topic.metadata.refresh.interval.ms": 10_000,
            **self._absent.settings,
        }
        self._since: Mapping[str, float] = {}
        self._unplaced: list[str] = []
        self._again_at, self._again_seconds = 0.0, AGAIN_SECONDS
        self._stopped = threading.Event()
        self._under_way: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bootstrap_servers = bootstrap_servers
        self._asking: AdminClient | None = None

    def start(self, since: Mapping[str, float] | None = None) -> None:
        """Begin to read from the group's committed offsets.

        since: topic of `begin_at_end` → seconds since 1970. A group that never read the topic begins with the first
        record since that time.
        """
        self._since = since or {}
        self._loop = asyncio.get_running_loop()
        consumer = Consumer(self._settings, logger=logger_without_attempts("lakeproof_shop.serving.kafka"))
        self._thread = threading.Thread(target=self._run, args=(consumer,), name="events", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop reading. A batch under way is cancelled, and comes again after the next start."""
        self._stopped.set()
        if self._under_way is not None:
            self._under_way.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_SECONDS)

    @property
    def is_running(self) -> bool:
        """False before `start`, after `stop`, and where an unforeseen error ended the thread."""
        return self._thread is not None and self._thread.is_alive()

    async def problem(self) -> str:
        """For /health: "" or what is wrong with Kafka."""
        if self._asking is None:
            # A client of its own: while the consumer waits in `consume`, its list_topics never returns (2.16).
            self._asking = AdminClient(quiet_settings(self._bootstrap_servers))
        try:
            await asyncio.to_thread(self._asking.list_topics, timeout=ASK_SECONDS)
        except (KafkaException, RuntimeError) as error:
            return f"no answer: {error}"[:200]
        if self._unplaced:
            return f"no answer to where to begin in {', '.join(self._unplaced)}"[:200]
        return ""

    def _run(self, consumer: Consumer) -> None:
        consumer.subscribe(self._topics, on_assign=self._assign)
        try:
            while not self._stopped.is_set():
                if self._unplaced and time.monotonic() >= self._again_at:
                    self._join_again(consumer)
                # `consume` returns before its timeout only with as many messages as it was asked for. So it is asked
                # for one message first, and then for those that are there already.
                messages = consumer.consume(1, timeout=POLL_SECONDS)
                if messages:
                    messages += consumer.consume(self._batch - 1, timeout=0)
                records = [_record(message) for message in messages if _is_record(message)]
                if records and self._take_whole(records):
                    self._commit(consumer)
        finally:
            consumer.close()

    def _take_whole(self, records: Sequence[Record]) -> bool:
        """Hand the records to `take`. False where `stop` cancelled it: nothing is committed then.

        Raises: what `take` raises, which ends the thread.
        """
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
        except KafkaException as error:  # the events come again; `take` must let a repeated event act only once
            logger.warning("offsets are not committed", extra={"reason": str(error)})

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Assign the partitions whose first offset is known. Without Kafka's answer a partition of `begin_at_end`
        waits for `_join_again`: the group's `auto.offset.reset` would read it from the beginning.
        """
        unplaced: list[TopicPartition] = []
        for place in (one for one in partitions if one.topic in self._begin_at_end):
            try:
                if len(unplaced) < SILENT_AT_MOST:
                    self._find_place(consumer, place)
                    continue
            except KafkaException as error:
                self._absent.say(error.args[0])
            unplaced.append(place)
        self._again_at = time.monotonic() + self._again_seconds
        self._again_seconds = min(2 * self._again_seconds, LONGEST_AGAIN_SECONDS) if unplaced else AGAIN_SECONDS
        self._unplaced = sorted({one.topic for one in unplaced})
        consumer.assign([one for one in partitions if one not in unplaced])

    def _join_again(self, consumer: Consumer) -> None:
        """Ask for the partitions anew. Waiting in `_assign` would also keep back partitions whose offset is known."""
        self._again_at = time.monotonic() + self._again_seconds
        consumer.unsubscribe()
        consumer.subscribe(self._topics, on_assign=self._assign)

    def _find_place(self, consumer: Consumer, place: TopicPartition) -> None:
        """Where the group never read the partition, commit the partition's end as its offset, so that the group still
        begins there after a crash. Raises: KafkaException.
        """
        (known,) = _answered(consumer.committed([place], timeout=PLACE_SECONDS))
        if known.offset >= 0:
            return
        _, end = consumer.get_watermark_offsets(place, timeout=PLACE_SECONDS)
        since = self._since.get(place.topic)
        if since is not None:  # the end was asked first: a record that comes in between lies behind it, and is read
            asked = TopicPartition(place.topic, place.partition, int(since * 1000))
            (first,) = _answered(consumer.offsets_for_times([asked], timeout=PLACE_SECONDS))
            end = first.offset if first.offset >= 0 else end
        place.offset = end
        _answered(consumer.commit(offsets=[place], asynchronous=False))
        logger.info("begins at the end", extra={"topic": place.topic, "offset": place.offset})


def _answered(places: list[TopicPartition]) -> list[TopicPartition]:
    """The places as given. Raises: KafkaException for an error in one of them, which does not mean "never read"."""
    for place in places:
        if place.error is not None:
            raise KafkaException(place.error)
    return places


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
