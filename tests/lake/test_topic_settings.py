"""What a topic is held against, by the answers that Kafka's admin client gives; the real broker's are in engines/."""

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady, TerminalError
from lakeproof.lake import topic_settings
from lakeproof.lake.topic_settings import MISSING, changed, find_topic, made_here, needs, of_connect, restore
from lakeproof.stack import provisioned
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC, Topic

CAPTURE = find_topic(CDC_TOPIC)
WEEK = str(7 * 86_400_000)


class Broker:
    """Kafka's admin calls over one topic; `config` None: there is none. `refusal`: of what would change it."""

    def __init__(self, topic: Topic, config: dict[str, str] | None = None) -> None:
        self.topic = topic
        self.config: dict[str, str] | None = {**needs(topic), "segment.bytes": "1000"} if config is None else config
        self.altered: dict[str, str] = {}
        self.refusal: KafkaError | None = None
        self.failure: BaseException | None = None

    def describe_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[Any]]:
        future: Future[Any] = Future()
        if self.failure is not None:
            future.set_exception(self.failure)
        elif self.config is None:
            future.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        else:
            future.set_result({key: SimpleNamespace(value=value) for key, value in self.config.items()})
        return {resources[0]: future}

    def incremental_alter_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[None]]:
        future: Future[None] = Future()
        if self.refusal is not None:
            future.set_exception(KafkaException(self.refusal))
        else:
            assert self.config is not None
            self.altered = {entry.name: entry.value for entry in resources[0].incremental_configs}
            self.config |= self.altered
            future.set_result(None)
        return {resources[0]: future}

    def create_topics(self, topics: list[Any], **_: object) -> dict[str, Future[None]]:
        future: Future[None] = Future()
        if self.config is None:
            self.config = {**needs(self.topic), **topics[0].config}
            future.set_result(None)
        else:
            future.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)))
        return {topics[0].topic: future}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    made = Stack(Settings(state_dir=tmp_path))
    for topic in made_here():
        provisioned.remember(made, "kafka", f"topic {topic.name}", "any")
    return made


def told(stack: Stack, broker: Any, topic: Topic = CAPTURE) -> list[str]:
    return changed(stack, broker, topic, 1.0)


@pytest.mark.parametrize(
    ("key", "value", "is_told"),
    [
        ("retention.ms", "1000", True),
        ("retention.ms", str(int(WEEK) - 1), True),
        ("retention.ms", WEEK, False),
        ("retention.ms", str(2 * int(WEEK)), False),
        ("retention.ms", "-1", False),
        ("retention.bytes", "1000000000000", True),
        ("cleanup.policy", "compact", True),
        ("cleanup.policy", "compact,delete", True),
        ("max.message.bytes", "1000", True),
        ("max.message.bytes", "9000000", False),
        ("min.insync.replicas", "2", True),
        ("message.timestamp.before.max.ms", "1000", True),
        ("message.timestamp.after.max.ms", "1", True),
        ("segment.bytes", "100", False),
        ("compression.type", "zstd", False),
        # Of a topic that is not compacted.
        ("min.compaction.lag.ms", "0", False),
    ],
)
def test_only_what_takes_records_or_keeps_them_out_is_told(stack: Stack, key: str, value: str, is_told: bool) -> None:
    broker = Broker(CAPTURE, {**needs(CAPTURE), key: value})
    assert told(stack, broker) == ([f"{key}={value}"] if is_told else [])
    assert restore(stack, broker, CAPTURE) == ([f"{key}={value}"] if is_told else [])  # type: ignore[arg-type]
    assert broker.altered == ({key: needs(CAPTURE)[key]} if is_told else {})


def test_a_topic_of_results_is_compacted_whatever_its_retention(stack: Stack) -> None:
    results = find_topic("results.orders_by_customer")
    fine = {**needs(results), "retention.ms": "1"}
    assert told(stack, Broker(results, fine), results) == []
    assert told(stack, Broker(results, {**fine, "min.compaction.lag.ms": "5"}), results) == [
        "min.compaction.lag.ms=5"
    ]
    assert told(stack, Broker(results, {**fine, "cleanup.policy": "delete"}), results) == ["cleanup.policy=delete"]


def test_a_topic_that_is_gone_is_made_with_what_it_needs(stack: Stack) -> None:
    broker = Broker(CAPTURE)
    broker.config = None
    assert told(stack, broker) == [MISSING]
    assert restore(stack, broker, CAPTURE) == [MISSING]  # type: ignore[arg-type]
    assert broker.config is not None and broker.config["retention.ms"] == WEEK


def test_of_kafka_connects_own_topics_none_is_made(stack: Stack) -> None:
    """They begin with a record that Kafka Connect writes, and their number of partitions is its matter."""
    own = find_topic("_connect_offsets_orders")
    broker = Broker(own)
    broker.config = None
    with pytest.raises(TerminalError, match="Kafka Connect makes it itself"):
        restore(stack, broker, own)  # type: ignore[arg-type]
    assert broker.config is None
    assert {topic.name for topic in of_connect()} == {
        "_connect_configs",
        "_connect_status",
        "_connect_offsets",
        "_connect_offsets_orders",
        "_connect_offsets_shop",
    }


def test_of_a_topic_that_somebody_else_made_the_policy_alone_is_compared(tmp_path: Path) -> None:
    stack = Stack(Settings(mode="external", state_dir=tmp_path))
    theirs = {**needs(CAPTURE), "retention.ms": "86400000", "min.insync.replicas": "2"}
    assert told(stack, Broker(CAPTURE, theirs)) == []
    assert told(stack, Broker(CAPTURE, {**theirs, "cleanup.policy": "compact"})) == ["cleanup.policy=compact"]
    offsets = find_topic("_connect_offsets")
    assert told(stack, Broker(offsets, {**needs(offsets), "min.insync.replicas": "2"}), offsets) == []


@pytest.mark.parametrize(
    "failure", [KafkaException(KafkaError(KafkaError._TIMED_OUT)), TimeoutError(), KafkaException(KafkaError(7))]
)
def test_without_an_answer_nothing_is_said_of_it(stack: Stack, failure: BaseException) -> None:
    broker = Broker(CAPTURE)
    broker.failure = failure
    with pytest.raises(CouldNotLook, match=r"no settings of cdc\.oltp"):
        told(stack, broker)


def test_what_kafka_refuses_is_told(stack: Stack) -> None:
    broker = Broker(CAPTURE, {**needs(CAPTURE), "retention.ms": "1"})
    broker.refusal = KafkaError(KafkaError.POLICY_VIOLATION)
    with pytest.raises(NotReady, match=r"topic cdc\.oltp was not configured"):
        restore(stack, broker, CAPTURE)  # type: ignore[arg-type]


def test_what_does_not_show_is_no_success(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(CAPTURE, {**needs(CAPTURE), "retention.ms": "1"})
    monkeypatch.setattr(topic_settings, "alter", lambda *_: None)
    monkeypatch.setattr(topic_settings, "SEEN_SECONDS", 0.2)
    with pytest.raises(DeadlineExpired, match=r"retention\.ms=1"):
        restore(stack, broker, CAPTURE)  # type: ignore[arg-type]


def test_a_topic_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no topic of ours is called 'their\.topic'"):
        find_topic("their.topic")
