"""The heartbeat: a beat written each second into a captured table, and the newest beat read from the topic.

Beats travel the whole path of a captured row (commit, binlog, connector, topic), so now minus the newest beat that
arrived is the delay of capture. Debezium's own figure is not: it stays low while the connector is paused.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from lakeproof.errors import NotReady
from lakeproof.lake.capture.connector import Connector
from lakeproof.lake.sources.source import engine_of
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from confluent_kafka import Consumer

BEAT_SECONDS = 1.0
DATABASE_SECONDS = 3.0
TAIL_MESSAGES = 2_000
TAIL_GROWTH = 10
POLL_SECONDS = 0.5
BATCH = 500

log = logging.getLogger(__name__)


class Condition:
    """Whether a dependency answers. reason: why it does not; empty where it does. Each change is logged once."""

    def __init__(self, dependency: str, use: str) -> None:
        self.dependency = dependency
        self.what = f"{dependency} ({use})"
        self.reason = "not asked yet"
        self.errors = 0

    def well(self) -> None:
        """Note that the dependency answered."""
        if self.reason:
            log.info("%s answers", self.what)
        self.reason = ""

    def failed(self, reason: str) -> None:
        """Note that the dependency did not answer, and count it."""
        self.errors += 1
        if not self.reason or self.reason == "not asked yet":
            log.warning("%s does not answer: %s", self.what, reason)
        self.reason = reason


class Beats(Protocol):
    """Where beats are written; `write` gives the beat in microseconds since the epoch, by the database's clock."""

    def write(self) -> int: ...

    def close(self) -> None: ...


class HeartbeatTable:
    """Writes beats into a connector's heartbeat table; connects by itself. `write` raises NotReady."""

    def __init__(self, stack: Stack, connector: Connector) -> None:
        self._stack, self._connector = stack, connector
        self._engine = engine_of(connector.engine)
        self._connection: Any = None

    def write(self) -> int:
        """One beat; committed when this returns. A broken connection is given up, the next call makes a new one."""
        try:
            if self._connection is None:
                database = self._connector.database
                self._connection = self._engine.connect(self._stack, "ticker", DATABASE_SECONDS, database)
            return self._engine.beat(self._connection, self._connector.heartbeat_source, DATABASE_SECONDS)
        except self._engine.TROUBLES as error:
            self.close()
            told = " ".join(str(part) for part in error.args) or type(error).__name__
            raise NotReady(told, where=self._connector.engine) from error

    def close(self) -> None:
        """Give the connection up, in whatever state it is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*self._engine.TROUBLES):
                connection.close()


class Ticker(threading.Thread):
    """Writes a beat each second until `stop` is set, through any outage of the database."""

    def __init__(
        self, name: str, beats: Beats, stop: threading.Event, *, engine: str, pause: float = BEAT_SECONDS
    ) -> None:
        super().__init__(name=f"ticker-{name}", daemon=True)
        self.condition = Condition(engine, f"ticker of {name}")
        self.last_beat_us: int | None = None
        self._beats, self._stop_asked, self._pause = beats, stop, pause

    def run(self) -> None:
        """The thread's work. Beats keep to a fixed pace; after a beat that took too long no beats are made up for."""
        following = time.monotonic()
        while not self._stop_asked.is_set():
            try:
                self.last_beat_us = self._beats.write()
                self.condition.well()
            except NotReady as error:
                self.condition.failed(error.what)
            except Exception as error:  # a thread that died would write no beat for good, and /health would say "ok"
                reason = f"{type(error).__name__}: {error}"
                if reason != self.condition.reason:
                    log.exception("no beat: %s", self.condition.what)
                self.condition.failed(reason)
                # The next beat gets a connection of its own, as after any other failure.
                with contextlib.suppress(Exception):
                    self._beats.close()
            following = max(following + self._pause, time.monotonic())
            self._stop_asked.wait(following - time.monotonic())
        self._beats.close()


def is_row(value: bytes | None) -> bool:
    """Whether a message of the topic is a change of a row. Only a row names its source; a transaction marker does
    not.
    """
    return value is not None and b'"source":' in value


def beat_in(value: bytes | None, connector: Connector) -> int | None:
    """The beat in one message of the topic, in microseconds; None for any other message.

    Looks for the table's name among the bytes before it parses: at full load only one message in thousands is a beat.
    """
    above, table = connector.heartbeat_source.split(".")
    if value is None or f'"{table}"'.encode() not in value:
        return None
    try:
        event = json.loads(value)
        source, after = event["source"], event["after"]
        if source["table"] == table and (source.get("schema") or source["db"]) == above:
            return int(after["beat_us"])
    except (ValueError, KeyError, TypeError):
        pass
    return None


class BeatReader(threading.Thread):
    """Reads a connector's topic and keeps the newest beat in it, until `stop` is set, through any outage of Kafka.

    It begins a little before the topic's end, and farther back where no beat is found there, so that the delay is
    known at once after a restart. `newest_us` is None until a beat was seen.
    `row_at`: when it last read a row that is no beat, by the monotonic clock, or when it last began to read, since it
    does not know the rows before that.
    """

    def __init__(
        self, connector: Connector, make_consumer: Callable[[Condition], "Consumer"], stop: threading.Event
    ) -> None:
        super().__init__(name=f"beats-{connector.name}", daemon=True)
        self.connector = connector
        self.condition = Condition("kafka", f"beats of {connector.name}")
        self.newest_us: int | None = None
        self.row_at = time.monotonic()
        self._make_consumer, self._stop_asked = make_consumer, stop

    def run(self) -> None:
        """The thread's work: a new consumer after each error that a consumer does not get over by itself."""
        while not self._stop_asked.is_set():
            consumer = self._make_consumer(self.condition)
            try:
                self._read(consumer)
            except NotReady as error:
                self.condition.failed(error.what)
                self._stop_asked.wait(1.0)
            finally:
                consumer.close()

    def _read(self, consumer: "Consumer") -> None:
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        topic = self.connector.topic
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5.0)
            self.row_at = time.monotonic()
            back, start = TAIL_MESSAGES, max(low, high - TAIL_MESSAGES)
            consumer.assign([TopicPartition(topic, 0, start)])
            # What was read counts only once the topic's end was reached, or old beats would show.
            newest_us: int | None = None
            caught_up = False
            while not self._stop_asked.is_set():
                for message in consumer.consume(BATCH, timeout=POLL_SECONDS):
                    error = message.error()
                    if error is None:
                        beat_us = beat_in(message.value(), self.connector)
                        newest_us = newest_us if beat_us is None else beat_us
                        if beat_us is None and is_row(message.value()):
                            self.row_at = time.monotonic()
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise NotReady(error.str(), where="kafka")
                    elif newest_us is None and start > low:
                        back *= TAIL_GROWTH
                        start = max(low, high - back)
                        consumer.seek(TopicPartition(topic, 0, start))
                        continue
                    else:
                        caught_up = True
                    self.condition.well()
                if caught_up and newest_us is not None:
                    self.newest_us = newest_us
        except KafkaException as error:
            raise NotReady(error.args[0].str(), where="kafka") from error


def topic_consumer(stack: Stack, condition: Condition) -> "Consumer":
    """A consumer of committed rows that notices within seconds that the broker does not answer."""
    from confluent_kafka import Consumer

    return Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": "lakeproof-lag",
            "client.id": "lakeproof-lag",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # A topic that was made anew is looked at anew, not read from an arbitrary place.
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 250,
            "socket.timeout.ms": 4000,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": lambda error: condition.failed(error.str()),
            "log_level": 2,
        }
    )
