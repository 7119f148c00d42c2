"""Inventory's outbox without Kafka: each SKU's events in order, none lost, however few of them got away."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import relay as relay_module
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.events import payload, row_of
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import Change, Line, Op, State, Totals
from lakeproof_shop.services.inventory.relay import KafkaTrouble, StockRelay
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.services.inventory.unsent import KEPT, KEPT_OF_ONE
from lakeproof_shop.serving import event_delivery
from lakeproof_shop.serving.database.cassandra import Ring, Row, Statement
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.event_delivery import OutboxMetrics, message_of

SKU = "sku-1"
TEXT = '{"type": "stock.received", "at": "2026-11-24T12:30:00+00:00", "trace_id": "", "data": {}}'


class Partition:
    """One SKU's events, and how far they are marked as sent."""

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.sent: int | None = None
        self.reads = 0

    def write_event(self) -> Row:
        row = (len(self.events) + 1, uuid4(), TEXT)
        self.events.append(row)
        return row

    async def read(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> list[Row]:
        if statement is statements.ALL_TOTALS:
            return [(SKU, 1, 0, 0, 0, 0, len(self.events), self.sent, None)]
        assert statement is statements.EVENTS
        self.reads += 1
        return [row for row in self.events if row[0] > values[1]][: statements.EVENTS_AT_ONCE]

    async def write(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> None:
        assert statement is statements.MARK_SENT
        self.sent = values[0]


class Relay(StockRelay):
    """`taken`: what Kafka got, in order; `takes`: how many it takes of each delivery, None for all."""

    def __init__(self, partition: Partition) -> None:
        self.store = InventoryStore(cast(Ring, partition), InventoryMetrics(), 900)
        super().__init__(cast(Ring, partition), self.store, "nowhere", OutboxMetrics(CollectorRegistry()))
        self.taken: list[int] = []
        self.takes: int | None = None

    def wrote(self, *rows: Row) -> None:
        self.store.events.add(SKU, rows)

    async def do_a_round(self, *, looks: bool = False) -> None:
        """As `run` does; looks: also for what was left behind."""
        if looks:
            await self._look_behind()
        await self._read_left_behind()
        with contextlib.suppress(KafkaTrouble):
            await self._send()

    def _deliver(self, events: dict[str, list[Row]]) -> tuple[dict[str, set[int]], str]:
        numbers = [row[0] for row in events[SKU]][: self.takes]
        self.taken += numbers
        return {SKU: set(numbers)}, "" if len(numbers) == len(events[SKU]) else "it went away"


async def test_what_this_process_wrote_goes_without_a_read() -> None:
    partition = Partition()
    relay = Relay(partition)
    relay.wrote(partition.write_event(), partition.write_event())
    await relay._send()
    relay.wrote(partition.write_event())
    await relay._send()
    assert (relay.taken, partition.reads, partition.sent) == ([1, 2, 3], 0, None)
    await relay.close()
    assert partition.sent == 3


async def test_what_it_does_not_know_of_is_read_and_nothing_overtakes_it() -> None:
    partition = Partition()
    relay = Relay(partition)
    relay.wrote(partition.write_event())
    partition.write_event()  # by another instance
    relay.wrote(partition.write_event())
    await relay._send()
    assert relay.taken == [1]
    await relay.do_a_round(looks=True)
    assert (relay.taken, partition.reads) == ([1, 2, 3], 1)


async def test_what_kafka_did_not_take_is_sent_again_in_order() -> None:
    partition = Partition()
    relay = Relay(partition)
    relay.wrote(*(partition.write_event() for _ in range(4)))
    relay.takes = 2
    with pytest.raises(KafkaTrouble):
        await relay._send()
    await relay._mark(Deadline(5))
    assert partition.sent == 2
    relay.takes = None
    await relay._send()
    assert relay.taken == [1, 2, 3, 4]


async def test_a_process_that_starts_anew_goes_on_where_the_marks_end() -> None:
    partition = Partition()
    before = Relay(partition)
    before.wrote(*(partition.write_event() for _ in range(3)))
    await before._send()
    await before._mark(Deadline(5))
    partition.write_event()
    after = Relay(partition)
    await after.do_a_round(looks=True)
    assert after.taken == [4]


async def test_what_waits_for_kafka_takes_no_more_memory_and_goes_in_order_when_it_is_back() -> None:
    partition = Partition()
    relay = Relay(partition)
    relay.takes = 0
    for _ in range(50):
        relay.wrote(*(partition.write_event() for _ in range(200)))
        await relay.do_a_round(looks=True)
    assert (relay.store.events.left(SKU), KEPT - relay.store.events.room) == (10_000, KEPT_OF_ONE)
    relay.takes = None
    rounds = 0
    while len(relay.taken) < 10_400 and rounds < 30:  # what it left behind it reads as soon as there is room
        if rounds < 20:
            relay.wrote(*(partition.write_event() for _ in range(20)))
        await relay.do_a_round()
        rounds += 1
    assert relay.taken == list(range(1, 10_401))
    assert (relay.store.events.left(SKU), relay.store.events.room) == (0, KEPT)


async def test_the_oldest_event_that_waits_has_an_age_until_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "FAILED_PAUSE_SECONDS", 0.05)
    partition = Partition()
    relay = Relay(partition)
    relay.takes = 0
    relay.wrote(partition.write_event())
    (gauge,) = relay._metrics.oldest.collect()
    assert gauge.samples[0].value == 0

    async def age_is(wanted: Callable[[float], bool]) -> None:
        async with asyncio.timeout(10):
            while not wanted(next(iter(relay._metrics.oldest.collect())).samples[0].value):
                await asyncio.sleep(0.01)

    running = asyncio.create_task(relay.run())
    await age_is(lambda seconds: seconds > 86_400)  # since TEXT's own time
    relay.takes = None
    await age_is(lambda seconds: seconds == 0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


class SilentProducer:
    """Takes everything and never says what became of it."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def produce(self, *_: object, **__: object) -> None:
        self.asked.set()

    def poll(self, seconds: float) -> None:
        time.sleep(seconds)


async def test_a_close_ends_the_delivery_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    producer, partition = SilentProducer(), Partition()
    monkeypatch.setattr(event_delivery, "event_producer", lambda *_: producer)
    monkeypatch.setattr(event_delivery, "DELIVERY_SECONDS", 4.0)
    store = InventoryStore(cast(Ring, partition), InventoryMetrics(), 900)
    relay = StockRelay(cast(Ring, partition), store, "nowhere", OutboxMetrics(CollectorRegistry()))
    partition.write_event()
    work = asyncio.create_task(relay.run())
    assert await asyncio.to_thread(producer.asked.wait, 5.0)
    began = time.monotonic()
    work.cancel()
    await relay.close()
    await asyncio.get_running_loop().shutdown_default_executor()  # as a service's end waits for its threads
    assert time.monotonic() - began < 2.0
    assert partition.sent is None


async def test_a_close_does_not_wait_long_for_a_ring_that_does_not_answer() -> None:
    partition = Partition()
    relay = Relay(partition)
    relay.wrote(partition.write_event())
    await relay._send()

    async def wait(statement: Statement, values: Sequence[Any], deadline: Deadline) -> None:
        await asyncio.sleep(deadline.left)
        raise DatabaseDown("no answer")

    partition.write = wait  # type: ignore[method-assign]
    began = time.monotonic()
    await relay.close()
    assert time.monotonic() - began < 2.0


def test_a_message_has_the_shape_of_every_service() -> None:
    at = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    change = Change(Op.HOLD, uuid4(), 2, "digest", at, at, "order-1", "trace-1")
    line = Line(State.HELD, 2, "digest", at, at)
    event_id = uuid4()
    text = payload(change, line, Totals(7, 10, 1, 2, 1, 9), at)
    told = orjson.loads(message_of(row_of(SKU, event_id, text)))
    assert told == {
        "event_id": str(event_id),
        "type": "reservation.held",
        "aggregate": "stock",
        "aggregate_id": SKU,
        "at": "2026-11-24T12:30:00.000000Z",
        "trace_id": "trace-1",
        "data": {
            "reservation_id": str(change.id),
            "order_key": "order-1",
            "quantity": 2,
            "state": "held",
            "on_hand": 7,
            "version": 7,
        },
    }
