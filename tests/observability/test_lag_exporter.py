"""lag-exporter's two pages, from given beats."""

import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.conftest import Answering

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import missed, slot
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.capture.heartbeat import BeatReader, Ticker
from lakeproof.lake.capture.slot import Slot, SlotWatch
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.observability import lag_exporter
from lakeproof.observability.lag_exporter import (
    BacklogWatch,
    LagCollector,
    Pair,
    SettingsWatch,
    SlotCollector,
    changed_settings,
    connectors_of,
    health,
    make_pair,
    paces_of,
)
from lakeproof.probes import connect, databases, kafka
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class NoTable:
    def write(self) -> int:
        return 0

    def close(self) -> None:
        pass


def pair(newest_us: int | None, beat_us: int | None) -> Pair:
    stop = threading.Event()
    ticker = Ticker("orders", NoTable(), stop, engine="mysql")
    reader = BeatReader(find_connector("orders"), lambda _: None, stop)  # type: ignore[arg-type, return-value]
    ticker.last_beat_us, reader.newest_us = beat_us, newest_us
    return ticker, reader


def page(of: Pair, now: float) -> str:
    registry = CollectorRegistry()
    registry.register(LagCollector({"orders": of}, lambda: now))
    return generate_latest(registry).decode()


def test_the_delay_is_worked_out_at_scrape_time() -> None:
    beats = pair(1_000_000_000_000, 1_000_000_500_000)
    assert 'kafka_connect_source_task_lag_millis{connector="orders"} 2000.0' in page(beats, 1_000_002.0)
    assert 'kafka_connect_source_task_lag_millis{connector="orders"} 9000.0' in page(beats, 1_000_009.0)
    assert 'lakeproof_ticker_last_beat_timestamp_seconds{connector="orders"} 1.0000005e+06' in page(beats, 0)


@pytest.mark.parametrize(
    ("name", "given", "paced"),
    [
        ("lag-exporter", {}, ["pace-oltp"]),
        ("shop-capture", {}, ["pace-shop"]),
        ("lag-exporter", {"lake": {"idle_checkpoint_seconds": 2}}, []),
        # Somebody else's stack that names no JobManager: the exporter must not die of it.
        ("lag-exporter", {"mode": "external"}, []),
        (
            "lag-exporter",
            {"mode": "external", "endpoints": {"flink-jobmanager": {"http": "flink:8081"}}},
            ["pace-oltp"],
        ),
    ],
)
def test_the_exporter_of_a_source_sets_the_pace_of_its_checkpoints(
    tmp_path: Path, name: str, given: dict[str, object], paced: list[str]
) -> None:
    stack = Stack(Settings.model_validate({"state_dir": tmp_path, **given}))
    stop = threading.Event()
    pairs = {each.name: make_pair(stack, each, stop) for each in connectors_of(name)}
    assert [pace.name for pace in paces_of(stack, name, pairs, stop)] == paced


def test_the_delay_is_absent_until_a_beat_was_seen_not_zero() -> None:
    text = page(pair(None, None), 5.0)
    assert "task_lag_millis{" not in text
    assert "last_beat_timestamp_seconds{" not in text
    assert 'lakeproof_ticker_errors_total{connector="orders"} 0.0' in text


def test_health_names_the_dependency_that_is_down() -> None:
    beats = pair(1, 1)
    for condition in (beats[0].condition, beats[1].condition):
        condition.well()
    assert health({"orders": beats}, {}, "lag-exporter")[0] == 200
    beats[1].condition.failed("connection refused")
    status, body = health({"orders": beats}, {}, "lag-exporter")
    assert status == 503
    assert body["dependencies"] == {"mysql": "ok", "kafka": "connection refused"}


def watched(stack: Stack, stop: threading.Event) -> SettingsWatch:
    """A watch whose looks have ended."""
    watch = SettingsWatch(stack, OLTP, stop)
    watch.start()
    watch.join(10)
    return watch


NO_ANSWER = CouldNotLook("no answer")


@pytest.mark.parametrize(
    ("connector", "database", "topic", "told"),
    [
        (["table.include.list", "transforms"], [], [], {"connector": 2.0, "database": 0.0, "topic": 0.0}),
        ([], ["binlog_row_image=MINIMAL"], [], {"connector": 0.0, "database": 1.0, "topic": 0.0}),
        ([], [], ["retention.ms=1", "cleanup.policy=compact"], {"connector": 0.0, "database": 0.0, "topic": 2.0}),
        (None, [], NO_ANSWER, {"database": 0.0}),
        (NO_ANSWER, ["binlog_row_image=MINIMAL"], [], {"database": 1.0, "topic": 0.0}),
        ([], NO_ANSWER, ["retention.ms=1"], {"connector": 0.0, "topic": 1.0}),
        (NO_ANSWER, NO_ANSWER, NO_ANSWER, {}),
        (AttributeError("rubbish"), [], AttributeError("rubbish"), {"database": 0.0}),
    ],
)
def test_settings_that_are_otherwise_than_the_capture_needs_are_counted_by_whose_they_are(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    connector: list[str] | Exception | None,
    database: list[str] | CouldNotLook,
    topic: list[str] | Exception,
    told: dict[str, float],
) -> None:
    """Where nobody could look there is no number: not the one of before, and no 0."""
    stop = threading.Event()
    watch = SettingsWatch(stack, OLTP, stop)
    watch.changed = {"connector": 7, "database": 7, "topic": 7}

    def answer(told: list[str] | Exception | None) -> list[str] | None:
        stop.set()
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(connect, "changed", lambda *_: answer(connector))
    monkeypatch.setattr(mariadb, "log_lacks", lambda *_: answer(database))
    monkeypatch.setattr(kafka, "changed_settings", lambda *_: answer(topic))
    watch.start()
    watch.join(10)
    (metric,) = changed_settings([watch]).collect()
    assert {sample.labels["of"]: sample.value for sample in metric.samples} == told
    assert {sample.labels["connector"] for sample in metric.samples} <= {"orders"}


def test_a_backlog_that_an_unforeseen_error_hides_has_no_figure_until_the_next_look_gives_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    watch = BacklogWatch(stack, OLTP, stop)
    watch.unread = 7
    before: list[int | None] = []

    def unread(*_: object) -> int:
        before.append(watch.unread)
        if len(before) == 1:
            raise AttributeError("rubbish")
        stop.set()
        return 5

    monkeypatch.setattr(kafka, "unread", unread)
    monkeypatch.setattr(lag_exporter, "BACKLOG_SECONDS", 0.01)
    watch.start()
    watch.join(10)
    assert (before, watch.unread) == ([7, None], 5)


def test_each_look_asks_anew(tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, while Kafka Connect starts, finds no connector."""
    stop = threading.Event()
    answers: list[tuple[int, object]] = [(404, {}), (200, {}), (200, {})]

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        assert (method, path) == ("GET", "/connectors/orders/config")
        if len(answers) == 1:
            stop.set()
        return answers.pop(0)

    where = {"connect": {"http": answering(answer)}, "mysql": {"tcp": "m:1"}, "kafka": {"tcp": "k:9092"}}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=where))
    file = render(stack, find_connector("orders"))
    answers[1:] = [(200, file), (200, file | {"skipped.operations": "u"})]
    monkeypatch.setattr(mariadb, "log_lacks", lambda *_: [])
    monkeypatch.setattr(kafka, "changed_settings", lambda *_: [])
    monkeypatch.setattr(lag_exporter, "SETTINGS_SECONDS", 0.1)
    watch = watched(stack, stop)
    assert answers == [] and watch.changed == {"connector": 1, "database": 0, "topic": 0}


def test_what_is_set_right_and_not_brought_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert ended, and with it the incident, while the lake lacked rows."""
    stop, stack = threading.Event(), Stack(Settings(state_dir=tmp_path))
    monkeypatch.setattr(connect, "get_json", lambda *_: render(stack, find_connector("orders")))

    def log_lacks(*_: object) -> list[str]:
        stop.set()
        return []

    monkeypatch.setattr(mariadb, "log_lacks", log_lacks)
    monkeypatch.setattr(kafka, "changed_settings", lambda *_: [])
    missed.note(stack, OLTP, missed.BY_LOG)
    missed.note(stack, OLTP, missed.BY_CONNECTOR)
    watch = watched(stack, stop)
    assert watch.changed == {"connector": 1, "database": 1, "topic": 0}


@pytest.mark.parametrize(
    ("looks", "noted"),
    [
        ([["skipped.operations"], ["skipped.operations"], []], True),
        # A look amid a registration, and somebody who goes on changing.
        ([["skipped.operations"], [], []], False),
        ([["skipped.operations"], ["transforms"], []], False),
        ([[missed.NOT_BROUGHT], [missed.NOT_BROUGHT], []], False),
        ([["skipped.operations"], None, ["skipped.operations"]], False),
    ],
)
@pytest.mark.parametrize("whose", ["connector", "database", "topic"])
def test_what_stays_changed_leaves_a_mark_whoever_sets_it_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str, looks: list[list[str] | None], noted: bool
) -> None:
    stop, stack, left = threading.Event(), Stack(Settings(state_dir=tmp_path)), list(looks)

    def look(*_: object) -> list[str] | None:
        if len(left) == 1:
            stop.set()
        if (told := left.pop(0)) is None:
            raise CouldNotLook("no answer")
        return told

    monkeypatch.setattr(connect, "changed", look if whose == "connector" else lambda *_: [])
    monkeypatch.setattr(databases, "lacking", look if whose == "database" else lambda *_: [])
    monkeypatch.setattr(kafka, "changed_settings", look if whose == "topic" else lambda *_: [])
    monkeypatch.setattr(lag_exporter, "SETTINGS_SECONDS", 0.01)
    watched(stack, stop)
    assert left == []
    kinds = {kind for kind in (missed.BY_LOG, missed.BY_CONNECTOR) if missed.is_noted(stack, OLTP, kind)}
    of_whom = {"connector": {missed.BY_CONNECTOR}, "database": {missed.BY_LOG}, "topic": set()}
    assert kinds == (of_whom[whose] if noted else set())
    assert len(list(stack.state_dir.rglob("missed-by-*"))) == len(kinds)


def test_the_looks_at_the_topic_share_one_client_of_kafka_and_ask_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of its own for each look would open connections and threads every four seconds."""
    stop, stack = threading.Event(), Stack(Settings(state_dir=tmp_path))
    clients: list[object] = []
    answers: list[dict[str, list[str]]] = [{"cdc.oltp": ["retention.ms=1"]}, {}]

    def look(stack: Stack, client: object, *_: object) -> dict[str, list[str]]:
        clients.append(client)
        if len(answers) == 1:
            stop.set()
        return answers.pop(0)

    monkeypatch.setattr(connect, "changed", lambda *_: [])
    monkeypatch.setattr(databases, "lacking", lambda *_: [])
    monkeypatch.setattr(kafka, "_reach", lambda *_: None)
    monkeypatch.setattr(kafka, "changes", look)
    monkeypatch.setattr(lag_exporter, "SETTINGS_SECONDS", 0.01)
    watch = watched(stack, stop)
    assert len(clients) == 2 and clients[0] is clients[1] and watch.changed["topic"] == 0


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Slot("lake", "reserved", active=True, kept_bytes=7), 0.0),
        (Slot("lake", slot.LOST, active=False, kept_bytes=None), 1.0),
        (None, 1.0),
        # A database that does not answer has not lost a slot.
        (CouldNotLook("no answer"), None),
    ],
)
def test_a_slot_is_called_lost_only_where_the_database_says_so(
    found: Slot | CouldNotLook | None, told: float | None, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def look(*_: object) -> Slot | None:
        stop.set()
        if isinstance(found, CouldNotLook):
            raise found
        return found

    monkeypatch.setattr(slot, "look", look)
    watch = SlotWatch(stack, find_connector("shop"), stop)
    registry = CollectorRegistry()
    registry.register(SlotCollector({"shop": watch}))
    assert registry.get_sample_value("lakeproof_slot_lost", {"connector": "shop"}) is None, "nobody has looked"
    watch.run()
    assert registry.get_sample_value("lakeproof_slot_lost", {"connector": "shop"}) == told


def test_an_error_that_nobody_foresaw_does_not_end_the_looks_at_a_slot(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    well = Slot("lake", "reserved", active=True, kept_bytes=7)
    answers: list[Slot | Exception | None] = [well, ValueError("no number"), None]
    reasons: list[str] = []

    def look(*_: object) -> Slot | None:
        reasons.append(watch.condition.reason)
        found = answers.pop(0)
        if not answers:
            stop.set()
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(slot, "look", look)
    monkeypatch.setattr(slot, "LOOK_SECONDS", 0.0)
    watch = SlotWatch(stack, find_connector("shop"), stop)
    watch.run()
    assert reasons == ["not asked yet", "", "ValueError: no number"]
    assert watch.lost is True
