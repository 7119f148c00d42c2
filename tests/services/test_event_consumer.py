"""The reader of topics without Kafka: what it commits when, and how much it says of a Kafka that is away."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof_shop.serving import event_consumer
from lakeproof_shop.serving.event_consumer import EventConsumer, Record


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


async def test_attempts_to_connect_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    consumer = EventConsumer("127.0.0.1:9", nothing, group="test", topics=("events.payment",))

    def said() -> list[str]:
        # An earlier test's thread may still look at its stack, and say that nobody answers.
        return [one.getMessage() for one in caplog.records if not one.name.startswith("lakeproof.console")]

    with caplog.at_level(logging.DEBUG):
        consumer.start()
        deadline = Deadline(20)
        while len(said()) < 2 and not deadline.expired:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)  # for two attempts more
        await consumer.stop()
    assert said() == ["kafka does not answer"] * 2


class FakeGroup(FakeConsumer):
    """Of one partition with records at these seconds, in a Kafka that keeps silent for so many questions.

    `told`: what is assigned and committed, as (topic, offset).
    """

    def __init__(self, told: list[Any], *, records: Sequence[float], committed: int = -1001, silent: int = 0) -> None:
        super().__init__(0, told)
        self.records, self.committed_offset, self.silent = records, committed, silent
        self.on_assign: Callable[..., None] | None = None

    def subscribe(self, topics: list[str], on_assign: Callable[..., None]) -> None:
        self.on_assign = on_assign

    def unsubscribe(self) -> None:
        self._told.append("unsubscribe")

    places: Sequence[str] = ("events.payment",)

    def consume(self, count: int, timeout: float) -> list[FakeMessage]:
        if self.on_assign is not None:
            assign, self.on_assign = self.on_assign, None
            assign(self, [TopicPartition(topic, 0) for topic in self.places])
        return []

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._answer()
        return [TopicPartition(one.topic, one.partition, self.committed_offset) for one in places]

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        self._answer()
        return 0, len(self.records)

    def offsets_for_times(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._answer()
        younger = [n for n, at in enumerate(self.records) if at * 1000 >= places[0].offset]
        return [TopicPartition(places[0].topic, 0, younger[0] if younger else -1)]

    def commit(self, asynchronous: bool, offsets: Sequence[TopicPartition] = ()) -> list[TopicPartition]:  # type: ignore[override]
        self._told.append(("commit", *((one.topic, one.offset) for one in offsets)))
        return list(offsets)

    def assign(self, places: list[TopicPartition]) -> None:
        self._told.append(("assign", *((one.topic, one.offset) for one in places)))

    def _answer(self) -> None:
        if self.silent:
            self.silent -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer"))


async def assigned_to(
    monkeypatch: pytest.MonkeyPatch,
    group: FakeGroup,
    told: list[Any],
    begin_at_end: frozenset[str] = frozenset({"events.payment"}),
    **started: Any,
) -> list[Any]:
    """What the group was told until it had a partition."""
    monkeypatch.setattr(event_consumer, "Consumer", lambda *_, **__: group)
    monkeypatch.setattr(event_consumer, "AGAIN_SECONDS", 0.0)
    topics = ("events.payment",)
    consumer = EventConsumer("127.0.0.1:9", nothing, group="test", topics=topics, begin_at_end=begin_at_end)
    consumer.start(**started)

    def has_a_partition() -> bool | None:
        return True if any(one[0] == "assign" and len(one) > 1 for one in told) else None

    await asyncio.to_thread(Deadline(10).wait_for, "a partition", has_a_partition, every=0.01)
    await consumer.stop()
    return [one for one in told if one != "close"]


@pytest.mark.parametrize(
    ("since", "begins"),
    [({}, 3), ({"events.payment": 20.0}, 1), ({"events.payment": 90.0}, 3)],
    ids=["no time is given", "some came since then", "nothing came since then"],
)
async def test_a_new_group_begins_at_the_end_or_with_what_came_since_a_time(
    monkeypatch: pytest.MonkeyPatch, since: dict[str, float], begins: int
) -> None:
    told: list[Any] = []
    group = FakeGroup(told, records=(10.0, 20.0, 30.0))
    place = ("events.payment", begins)
    assert await assigned_to(monkeypatch, group, told, since=since) == [("commit", place), ("assign", place)]


async def test_a_group_that_has_read_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    group = FakeGroup(told, records=(10.0, 20.0, 30.0), committed=2)
    found = await assigned_to(monkeypatch, group, told, since={"events.payment": 90.0})
    assert found == [("assign", ("events.payment", -1001))]  # Kafka's own place of the group


@pytest.mark.parametrize("silent", [1, 2, 3])
async def test_nothing_is_assigned_before_kafka_answers(monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
    told: list[Any] = []
    group = FakeGroup(told, records=(10.0, 20.0, 30.0), silent=silent)
    place = ("events.payment", 3)
    assert await assigned_to(monkeypatch, group, told) == [
        *[("assign",), "unsubscribe"] * silent,
        ("commit", place),
        ("assign", place),
    ]


async def test_one_place_without_an_answer_holds_up_no_other_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_consumer, "AGAIN_SECONDS", 60.0)

    class Leaderless(FakeGroup):
        """One of its topics has nobody who answers for it."""

        places = ("events.support", "events.payment")

        def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
            self.silent = int(place.topic == "events.support")
            return super().get_watermark_offsets(place, timeout)

    told: list[Any] = []
    monkeypatch.setattr(event_consumer, "Consumer", lambda *_, **__: Leaderless(told, records=(10.0,)))
    topics = frozenset(Leaderless.places)
    consumer = EventConsumer("127.0.0.1:9", nothing, group="test", topics=sorted(topics), begin_at_end=topics)

    class Asking:
        def list_topics(self, timeout: float) -> None: ...

    monkeypatch.setattr(consumer, "_asking", Asking())
    consumer.start()
    wanted = ("assign", ("events.payment", 1))
    await asyncio.to_thread(Deadline(10).wait_for, "the other", lambda: True if wanted in told else None, every=0.01)
    assert await consumer.problem() == "no answer to where to begin in events.support"
    await consumer.stop()
    assert "unsubscribe" not in told  # not at once again


async def test_a_place_that_kafka_does_not_tell_is_no_new_group(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading(FakeGroup):
        """Its coordinator does not know yet, the first time."""

        def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
            if self.silent:
                self.silent -= 1
                return [FailedPlace()]  # type: ignore[list-item]
            return super().committed(places, timeout)

    class FailedPlace:
        offset = -1001
        error = KafkaError(KafkaError._TIMED_OUT, "loading")

    told: list[Any] = []
    group = Loading(told, records=(10.0,), committed=1, silent=1)
    assert await assigned_to(monkeypatch, group, told) == [
        ("assign",),
        "unsubscribe",
        ("assign", ("events.payment", -1001)),
    ]


async def test_a_reader_of_everything_asks_for_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    group = FakeGroup(told, records=(10.0,), silent=9)
    assert await assigned_to(monkeypatch, group, told, frozenset()) == [("assign", ("events.payment", -1001))]
