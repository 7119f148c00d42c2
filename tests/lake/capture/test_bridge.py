"""Bridging a gap: what becomes of the connector and of Kafka's transaction where it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture import bridge
from lakeproof.lake.capture.bridge import Place, Resting
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.sources.source import find_source
from lakeproof.probes.transactions import HANGING_SECONDS
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

PLACE = {"file": "bin.000002", "pos": 4, "gtids": "0-1-9"}
COORDINATOR_LOOKS_EVERY = 10


class Sent(list[str]):
    """What was sent to Connect. It keeps a second place, of a prefix that somebody gave the connector for a while."""

    has_offsets = True

    def __call__(self, stack: Stack, method: str, path: str, **more: Any) -> Any:
        if method == "PUT":
            self.append(path.rpartition("/")[2])
        of_another_prefix = {"partition": {"server": "other"}, "offset": {"file": "bin.000001"}}
        own = {"partition": {"server": "oltp"}, "offset": PLACE}
        return {"offsets": [of_another_prefix, own] if self.has_offsets else [of_another_prefix], "tasks": []}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    found = Sent()

    @contextmanager
    def instant(*_: object) -> Iterator[object]:
        yield None

    source = find_source(find_connector("orders").database)
    monkeypatch.setattr(source.module, "at_one_instant", instant)
    monkeypatch.setattr(bridge, "require_right", lambda *_: "its id")
    monkeypatch.setattr(bridge, "place_of", lambda ask: None)
    monkeypatch.setattr(bridge, "send", found)
    monkeypatch.setattr(bridge, "await_state", lambda *_, **__: None)
    monkeypatch.setattr(bridge, "producer_of", lambda *_: None)
    return found


@pytest.mark.parametrize("error", [NotReady("somebody has resumed it"), KeyboardInterrupt()])
def test_where_it_fails_the_connector_is_resumed_and_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: Sent, error: BaseException
) -> None:
    """Also where Connect is away by then: what went wrong before says more."""

    def fail() -> None:
        with bridge.at_rest(Stack(Settings(state_dir=tmp_path)), "orders"):
            raise error

    with pytest.raises(type(error)):
        fail()
    assert sent == ["stop", "resume"]

    def away(stack: Stack, method: str, path: str, **more: Any) -> Any:
        if path.endswith("/resume"):
            raise NotReady("no answer", where="connect")
        return sent(stack, method, path, **more)

    monkeypatch.setattr(bridge, "send", away)
    with pytest.raises(type(error)) as told:
        fail()
    assert told.value is error


def test_into_a_topic_that_is_not_right_nothing_is_written(
    stack: Stack, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise InvalidInput("cdc.oltp: retention.ms=1", where="kafka")

    monkeypatch.setattr(bridge, "require_right", refuse)
    with (
        pytest.raises(InvalidInput, match=r"retention\.ms=1"),
        bridge.at_rest(stack, "orders"),
    ):
        pytest.fail("at rest")
    assert sent == []


def test_the_place_is_that_of_the_connectors_own_name(stack: Stack, sent: Sent) -> None:
    with bridge.at_rest(stack, "orders") as resting:
        assert resting.topic_id == "its id"
        assert resting.known["offset"] == PLACE
    sent.has_offsets = False
    with pytest.raises(InvalidInput, match="no offsets"):
        bridge.known_offset(stack, "orders")


class FakeProducer:
    """A producer whose commits end as `commits` says, in turn."""

    def __init__(self, *commits: KafkaError | None, produce: Callable[[], None] = lambda: None) -> None:
        self.did: list[str] = []
        self.takes = True
        self._commits, self._produce = list(commits), produce

    def begin_transaction(self) -> None:
        self.did.append("begin")

    def produce(self, topic: str, **more: Any) -> None:
        self._produce()
        if "on_delivery" in more and self.takes:
            more["on_delivery"](None, SimpleNamespace(offset=lambda: 40))

    def poll(self, seconds: float) -> None:
        pass

    def flush(self, seconds: float) -> None:
        pass

    def abort_transaction(self, seconds: float) -> None:
        self.did.append("abort")

    def commit_transaction(self, seconds: float) -> None:
        self.did.append("commit")
        error = self._commits.pop(0)
        if error is not None:
            raise KafkaException(error)


def write(producer: FakeProducer) -> None:
    connector = find_connector("orders")
    known = {"partition": {"server": "oltp"}, "offset": PLACE}
    resting = Resting(connector, find_source(connector.database), known, producer)  # type: ignore[arg-type]
    assert bridge.write(resting, [b"{}"], Place("bin.000002", 900, "0-1-12", 1)) == 40


def test_a_commit_without_an_answer_is_asked_for_again() -> None:
    late = KafkaError(KafkaError._TIMED_OUT, "no answer", retriable=True)
    producer = FakeProducer(late, None)
    write(producer)
    assert producer.did == ["begin", "commit", "commit"]


def test_rows_that_kafka_did_not_take_are_not_committed() -> None:
    producer = FakeProducer(None)
    producer.takes = False
    with pytest.raises(NotReady, match="0 of 1 rows"):
        write(producer)
    assert producer.did == ["begin", "abort"]


def test_a_commit_that_is_refused_is_told() -> None:
    producer = FakeProducer(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced", fatal=True))
    with pytest.raises(NotReady, match=r"docs/capture\.md"):
        write(producer)


@pytest.mark.parametrize("error", [KafkaException(KafkaError(KafkaError._FATAL, "fenced")), KeyboardInterrupt()])
def test_what_is_not_committed_is_taken_back_at_once(error: BaseException) -> None:
    def fail() -> None:
        raise error

    producer = FakeProducer(produce=fail)
    with pytest.raises((NotReady, KeyboardInterrupt)):
        write(producer)
    assert producer.did == ["begin", "abort"]


def test_its_transaction_is_over_before_one_is_taken_for_forgotten() -> None:
    assert bridge.TRANSACTION_SECONDS + COORDINATOR_LOOKS_EVERY < HANGING_SECONDS


def test_of_two_calls_at_once_the_second_touches_nothing(stack: Stack, sent: Sent) -> None:
    with bridge.at_rest(stack, "orders"):
        assert sent == ["stop"]
        with pytest.raises(NotReady, match="repairs the lake's tables of oltp now"), bridge.at_rest(stack, "orders"):
            pass
        assert sent == ["stop"]
    assert sent[-1] == "resume"


@pytest.mark.parametrize(
    ("offset", "beat_us", "since"),
    [
        ({"ts_sec": 1_800_000_000}, 1_800_000_900_000_000, datetime(2027, 1, 15, 8)),
        # It has captured nothing since its start, but markers of transactions.
        ({"gtids": "0-1-9"}, 1_800_000_900_000_000, datetime(2027, 1, 15, 8, 15)),
        ({"gtids": "0-1-9"}, None, datetime(1970, 1, 1)),
    ],
)
def test_ddl_counts_since_the_newest_change_that_was_captured(
    offset: dict[str, Any], beat_us: int | None, since: datetime
) -> None:
    state = DatabaseState(7, "0-1-9", beat_us, {}, datetime(2027, 1, 15, tzinfo=UTC))
    commit = SimpleNamespace(states={"oltp": state})
    connector = find_connector("orders")
    resting = Resting(connector, find_source("oltp"), {"offset": offset}, None)  # type: ignore[arg-type]
    assert bridge._captured_at(resting, commit) == since  # type: ignore[arg-type]
