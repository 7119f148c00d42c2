"""Beats: what counts as one, how the ticker and the reader go through outages."""

import itertools
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake.capture import heartbeat
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.heartbeat import TAIL_MESSAGES, BeatReader, Ticker, beat_in, is_row

ORDERS = find_connector("orders")


def beat(beat_us: int, table: str = "cdc_heartbeat", db: str = "oltp") -> bytes:
    return json.dumps(
        {"after": {"id": 1, "beat_us": beat_us}, "source": {"db": db, "table": table}, "op": "u"}
    ).encode()


def test_a_beat_is_found_in_its_message() -> None:
    assert beat_in(beat(1795538244859780), ORDERS) == 1795538244859780


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b'{"status":"END","id":"0-1-2"}',
        beat(1, table="orders"),
        beat(1, db="other"),
        b'{"source":{"table":"cdc_heartbeat"',
        b'{"source":{"db":"oltp","table":"cdc_heartbeat"},"after":null,"op":"d"}',
        b'["cdc_heartbeat"]',
    ],
)
def test_any_other_message_is_no_beat(value: bytes | None) -> None:
    assert beat_in(value, ORDERS) is None


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (None, False),
        (b'{"status":"BEGIN","id":"0-1-2","event_count":null,"data_collections":null}', False),
        (
            b'{"status":"END","id":"0-1-2","data_collections":[{"data_collection":"oltp.orders","event_count":1}]}',
            False,
        ),
        (b'{"before":null,"after":{"id":1},"source":{"db":"oltp","table":"orders"},"op":"c"}', True),
    ],
)
def test_a_row_is_told_from_the_markers_around_it(value: bytes | None, row: bool) -> None:
    assert is_row(value) is row


class FlakyTable:
    """Fails on the given calls, else counts up."""

    def __init__(self, failing: set[int], stop: threading.Event, calls: int) -> None:
        self.failing, self.stop, self.calls, self.done = failing, stop, calls, 0

    def write(self) -> int:
        self.done += 1
        if self.done == self.calls:
            self.stop.set()
        if self.done in self.failing:
            raise NotReady("gone away")
        return self.done

    def close(self) -> None:
        pass


def test_the_ticker_goes_on_after_an_outage_and_counts_it() -> None:
    stop = threading.Event()
    ticker = Ticker("orders", FlakyTable({2, 3}, stop, 5), stop, engine="mysql", pause=0.001)
    ticker.run()
    assert (ticker.last_beat_us, ticker.condition.errors, ticker.condition.reason) == (5, 2, "")


def test_the_ticker_says_why_the_database_does_not_answer() -> None:
    stop = threading.Event()
    ticker = Ticker("orders", FlakyTable({1}, stop, 1), stop, engine="mysql", pause=0.001)
    ticker.run()
    assert ticker.condition.reason == "gone away"
    assert ticker.last_beat_us is None


class StrangeTable(FlakyTable):
    """It fails as nobody foresaw, and cannot be closed then."""

    def write(self) -> int:
        try:
            return super().write()
        except NotReady:
            raise AttributeError("no socket") from None

    def close(self) -> None:
        if not self.stop.is_set():
            raise AttributeError("no socket")


def test_the_ticker_goes_on_after_any_error_and_tells_it_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its thread died, and /health went on to say that all is well."""
    stop = threading.Event()
    ticker = Ticker("orders", StrangeTable({2, 3}, stop, 5), stop, engine="mysql", pause=0.001)
    ticker.run()
    assert (ticker.last_beat_us, ticker.condition.errors, ticker.condition.reason) == (5, 2, "")
    traced = [record.message for record in caplog.records if record.exc_info]
    assert traced == ["no beat: mysql (ticker of orders)"]


def test_the_ticker_says_which_error_it_was() -> None:
    stop = threading.Event()
    ticker = Ticker("orders", StrangeTable({1}, stop, 1), stop, engine="mysql", pause=0.001)
    ticker.run()
    assert ticker.condition.reason == "AttributeError: no socket"


class Message:
    def __init__(self, value: bytes | None, code: int | None = None) -> None:
        self._value, self._code = value, code

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> "Message | None":
        return self if self._code is not None else None

    def code(self) -> int | None:
        return self._code

    def str(self) -> str:
        return f"error {self._code}"


class Log:
    """A topic's partition as a list, read as a consumer reads it; at its end it says so once per arrival."""

    def __init__(self, values: list[bytes], stop: threading.Event, broken_reads: int = 0) -> None:
        self.values, self.stop, self.broken_reads, self.at, self.seeks = values, stop, broken_reads, 0, [0]
        self.ends = 0

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 0, len(self.values)

    def assign(self, partitions: list[Any]) -> None:
        self.at = partitions[0].offset
        self.seeks = [self.at]

    def seek(self, partition: Any) -> None:
        self.at = partition.offset
        self.seeks.append(self.at)

    def consume(self, count: int, timeout: float) -> list[Message]:
        if self.broken_reads:
            self.broken_reads -= 1
            return [Message(None, -1)]
        part = self.values[self.at : self.at + count]
        self.at += len(part)
        if part:
            return [Message(value) for value in part]
        self.ends += 1
        if self.ends > 5:
            self.stop.set()
        return [Message(None, -191)]

    def close(self) -> None:
        pass


def read(log: Log, stop: threading.Event) -> BeatReader:
    reader = BeatReader(ORDERS, lambda _: log, stop)  # type: ignore[arg-type, return-value]
    reader.start()
    reader.join(Deadline(60).left)
    return reader


def test_a_reader_that_starts_late_knows_the_last_beat() -> None:
    stop = threading.Event()
    assert read(Log([beat(1), b"row", beat(2), b"row"], stop), stop).newest_us == 2


@pytest.mark.parametrize(("then", "is_new"), [([beat(2), b'{"status":"END"}'], False), ([beat(2, "orders")], True)])
def test_a_reader_knows_when_the_last_row_came_that_is_no_beat(
    monkeypatch: pytest.MonkeyPatch, then: list[bytes], is_new: bool
) -> None:
    """Where it begins to read, as something may have come before, and with each row."""
    clock = itertools.count(100.0)
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: next(clock), time=time.time))
    stop = threading.Event()
    reader = read(Log([beat(1), *then], stop), stop)
    assert reader.row_at == (102.0 if is_new else 101.0)  # made at 100, read from 101 on


def test_a_reader_that_gets_no_answer_sees_nothing_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """While Kafka was away each new try once counted as a row, so that checkpoints were asked for all the while."""
    clock = itertools.count(100.0)
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: next(clock), time=time.time))
    stop = threading.Event()

    class Away(Log):
        def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
            stop.set()
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    assert read(Away([], stop), stop).row_at == 100.0


def test_a_last_beat_far_back_is_searched_for() -> None:
    stop = threading.Event()
    log = Log([beat(7), *[b"row"] * (TAIL_MESSAGES + 10)], stop)
    assert read(log, stop).newest_us == 7
    assert log.seeks == [11, 0]


def test_without_any_beat_nothing_is_known() -> None:
    stop = threading.Event()
    reader = read(Log([b"row"] * 3, stop), stop)
    assert reader.newest_us is None
    assert reader.condition.reason == ""


def test_a_reader_begins_anew_after_an_error_and_counts_it() -> None:
    stop = threading.Event()
    reader = read(Log([beat(3)], stop, broken_reads=1), stop)
    assert (reader.newest_us, reader.condition.errors) == (3, 1)
