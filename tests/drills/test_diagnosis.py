"""Diagnosis over the real causes, with made-up readings: every state told apart, none called by another's name."""

from datetime import UTC, datetime, timedelta

import pytest

from lakeproof.drills.diagnosis import Diagnosis, asked_by, diagnose
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.causes import load_causes

PROBES = all_probes()
CAUSES = load_causes(PROBES)
NO_ANSWER = "no answer"

HEALTHY: dict[str, Value] = {
    "connect-answers": "answers",
    "connector-state": "RUNNING",
    "task-state": "RUNNING",
    "task-failure": "none",
    "database-answers": "answers",
    "capture-login": "accepted",
    "missing-privileges": 0,
    "heartbeat-age": 0.6,
    "broker-answers": "answers",
    "topic-silence": 0.4,
    "lag-exporter-answers": "answers",
    "source-lag": 700,
    "publish-age": 2.0,
}
BEHIND: dict[str, Value] = {"topic-silence": 40.0, "source-lag": 40_000}
CONNECT_GONE: dict[str, Value] = {
    "connector-state": NO_ANSWER,
    "task-state": NO_ANSWER,
    "task-failure": NO_ANSWER,
}
DATABASE_GONE: dict[str, Value] = {
    "heartbeat-age": NO_ANSWER,
    "capture-login": NO_ANSWER,
    "missing-privileges": NO_ANSWER,
}
GROWING = {"topic-silence", "source-lag", "heartbeat-age"}


def look(changed: dict[str, Value]) -> Diagnosis:
    return diagnose(CAUSES, {name: observation(name, value) for name, value in (HEALTHY | changed).items()})


def observation(name: str, value: Value) -> Observation:
    probe = PROBES[name]
    at = datetime.now(UTC)

    def read(seen: Value, when: datetime) -> Reading:
        if seen == NO_ANSWER:
            return Reading(name, None, probe.unit, when, probe.source, probe.query, NO_ANSWER)
        return Reading(name, seen, probe.unit, when, probe.source, probe.query)

    out_of_range = name in GROWING and isinstance(value, int | float) and value != HEALTHY[name]
    later = value + 2 if out_of_range and isinstance(value, int | float) else value
    return Observation(probe, read(value, at), read(later, at + timedelta(seconds=2)))


def test_the_readings_here_are_all_that_the_causes_ask() -> None:
    assert {probe.id for probe in asked_by(CAUSES, PROBES)} == set(HEALTHY)


def test_a_healthy_stack_has_no_cause() -> None:
    found = look({})
    assert found.healthy
    assert found.as_json() == {"healthy": True, "causes": [], "unknown": []}


STATES: list[tuple[str, dict[str, Value]]] = [
    ("paused_connector", {"connector-state": "PAUSED", "task-state": "PAUSED", **BEHIND}),
    ("stopped_connector", {"connector-state": "STOPPED", "task-state": None, **BEHIND}),
    ("deleted_connector", {"connector-state": None, "task-state": None, **BEHIND}),
    (
        "connector_login_rejected",
        {
            "task-state": "FAILED",
            "task-failure": "login rejected",
            "capture-login": "rejected",
            "missing-privileges": NO_ANSWER,
            **BEHIND,
        },
    ),
    ("connector_login_rejected", {"capture-login": "rejected", "missing-privileges": NO_ANSWER, **BEHIND}),
    (
        "connector_grant_lost",
        {"task-state": "FAILED", "task-failure": "no privilege", "missing-privileges": 1, **BEHIND},
    ),
    ("failed_task", {"task-state": "FAILED", "task-failure": "login rejected", **BEHIND}),
    ("connect_hung", {"connect-answers": "silent", **CONNECT_GONE, **BEHIND}),
    ("connect_down", {"connect-answers": "refused", **CONNECT_GONE, **BEHIND}),
    ("database_down", {"database-answers": "refused", **DATABASE_GONE, **BEHIND}),
    ("database_down", {"database-answers": "silent", **DATABASE_GONE, **BEHIND}),
    (
        "database_down",
        {
            "database-answers": "refused",
            "task-state": "FAILED",
            "task-failure": "no database",
            **DATABASE_GONE,
            **BEHIND,
        },
    ),
    ("kafka_down", {"broker-answers": "refused", "topic-silence": NO_ANSWER, "source-lag": 40_000}),
    (
        "kafka_down",
        {"broker-answers": "silent", "topic-silence": NO_ANSWER, "connect-answers": "silent", **CONNECT_GONE},
    ),
    ("ticker_stopped", {"heartbeat-age": 40.0, **BEHIND}),
    ("ticker_stopped", {"heartbeat-age": 40.0, "lag-exporter-answers": "refused", "source-lag": NO_ANSWER}),
]


@pytest.mark.parametrize(("cause", "changed"), STATES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(STATES)])
def test_each_state_is_called_by_its_own_name_and_no_other(cause: str, changed: dict[str, Value]) -> None:
    found = look(changed)
    assert [finding.cause.id for finding in found.findings] == [cause]
    assert found.unknown == ()
    assert found.findings[0].evidence_for


def test_two_causes_at_once_are_both_named() -> None:
    found = look({"connector-state": "PAUSED", "task-state": "PAUSED", "heartbeat-age": 40.0, **BEHIND})
    assert {finding.cause.id for finding in found.findings} == {"paused_connector", "ticker_stopped"}


def test_a_lake_that_stands_still_is_not_called_healthy() -> None:
    found = look({"publish-age": 90.0})
    assert [seen.probe for seen in found.unknown] == ["publish-age"]
    assert not found.healthy


def test_what_fits_no_cause_is_unknown_and_not_healthy() -> None:
    found = look({"topic-silence": 60.0})
    assert not found.healthy
    assert found.findings == ()
    assert [seen.probe for seen in found.unknown] == ["topic-silence"]


def test_supporting_evidence_that_is_not_there_speaks_against() -> None:
    found = look({"connector-state": "PAUSED", "task-state": "PAUSED"})
    assert [seen.probe for seen in found.findings[0].evidence_against] == ["topic-silence", "source-lag"]


def test_evidence_names_its_source_query_value_and_what_is_expected() -> None:
    first = look({"connector-state": "PAUSED", "task-state": "PAUSED"}).as_json()["causes"][0]["for"][0]
    assert first["source"] == "connect"
    assert first["query"].startswith("GET /connectors/orders/status")
    assert first["value"] == "PAUSED"
    assert first["expected"] == "== RUNNING"


def test_every_cause_has_a_state_here() -> None:
    assert {cause.id for cause in CAUSES} == {name for name, _ in STATES}
