"""Checks over readings made up: what passes, what does not, and what could not be looked at."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.checks import alerts as alerts_checks
from lakeproof.checks import capture as capture_checks
from lakeproof.checks import others, restarts
from lakeproof.checks.alerts import MetricBelowThreshold
from lakeproof.checks.check import Baseline, CheckContext, all_checks
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import commands
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NOTHING = Baseline(Verdict("", Outcome.PASSED, ""))


@pytest.fixture
def context(stack: Stack) -> CheckContext:
    return CheckContext(
        stack,
        Deadline(5),
        alerts=("TooLate",),
        quiet_seconds=15,
        components=("connect",),
    )


def answers(found: dict[str, Value], error: str | None = None) -> Any:
    """A reading() that finds values by the name of the reading."""

    def reading(stack: Stack, name: str, expression: str, unit: str = "", timeout: float = 3.0) -> Reading:
        return Reading(name, found.get(name), unit, datetime.now(UTC), "prometheus", expression, error)

    return reading


def firing(state: bool | None) -> Any:
    def ask(stack: Stack, alert: str) -> bool:
        if state is None:
            raise CouldNotLook("no answer", where="prometheus")
        return state

    return ask


@pytest.mark.parametrize(
    ("state", "lately", "outcome"),
    [
        (False, None, Outcome.PASSED),
        (True, 1, Outcome.FAILED),
        (False, 1, Outcome.FAILED),
        (None, None, Outcome.UNKNOWN),
    ],
)
def test_an_alert_is_cleared_when_it_was_quiet(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, state: bool | None, lately: Value, outcome: Outcome
) -> None:
    monkeypatch.setattr(alerts_checks, "firing", firing(state))
    monkeypatch.setattr(alerts_checks, "reading", answers({"alert-firing": lately}))
    assert alerts_checks.AlertCleared().verify(context, NOTHING).outcome is outcome


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ({"metric": 800, "metric-highest": 1200, "metric-samples": 15, "scraped": 15}, Outcome.PASSED),
        ({"metric": 800, "metric-highest": 45_000, "metric-samples": 15, "scraped": 15}, Outcome.FAILED),
        ({"metric": None, "metric-highest": 1200, "metric-samples": 15, "scraped": 15}, Outcome.FAILED),
        ({"metric": 800, "metric-highest": 1200, "metric-samples": 4, "scraped": 15}, Outcome.FAILED),
        # Prometheus stood still: the window's steps show the samples of before.
        ({"metric": 800, "metric-highest": 1200, "metric-samples": 15, "scraped": 4}, Outcome.UNKNOWN),
        ({}, Outcome.FAILED),
    ],
)
def test_a_metric_must_be_there_and_below_all_through_the_quiet_time(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, found: dict[str, Value], outcome: Outcome
) -> None:
    monkeypatch.setattr(alerts_checks, "reading", answers(found))
    arguments = MetricBelowThreshold(metric="lag", threshold=30_000)
    assert arguments.verify(context, NOTHING).outcome is outcome


@pytest.mark.parametrize(
    ("value", "outcome"), [(800, Outcome.PASSED), (45_000, Outcome.FAILED), (None, Outcome.UNKNOWN)]
)
def test_a_metric_that_is_not_there_before_the_fault_is_asked_for_again(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, value: Value, outcome: Outcome
) -> None:
    monkeypatch.setattr(alerts_checks, "reading", answers({"metric": value}))
    arguments = MetricBelowThreshold(metric="lag", threshold=30_000)
    assert arguments.baseline(context).verdict.outcome is outcome


def test_a_metric_that_could_not_be_asked_for_is_unknown(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_checks, "reading", answers({}, error="refused"))
    arguments = MetricBelowThreshold(metric="lag", threshold=30_000)
    assert arguments.verify(context, NOTHING).outcome is Outcome.UNKNOWN


BEFORE: dict[str, Value] = {
    "connectors": "orders",
    "topic-start": 0,
    "topic-end": 500,
    "capture-position": "binlog.000002:900",
}


def test_the_same_connector_further_on_is_no_change() -> None:
    now = BEFORE | {"topic-end": 700, "capture-position": "binlog.000003:4"}
    assert capture_checks.changes(now, BEFORE) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"connectors": "orders-new"}, "are \\[orders-new\\]"),
        ({"topic-start": 500}, "begins at 500"),
        ({"topic-end": 3}, "ends at 3"),
        ({"capture-position": "binlog.000001:950"}, "position was"),
        ({"capture-position": None}, "position was"),
    ],
)
def test_verify_rejects_a_recreated_connector_or_topic(changed: dict[str, Value], words: str) -> None:
    problems = capture_checks.changes(BEFORE | changed, BEFORE)
    assert len(problems) == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(problems[0])


def test_a_connector_whose_position_is_not_known_before_the_fault_is_no_baseline(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)

    def look_once(stack: Stack, probes: Any) -> dict[str, Reading]:
        values = BEFORE | {"connector-state": "RUNNING", "task-state": "RUNNING", "capture-position": None}
        kinds = {probe.id: probe.id.removeprefix("oltp-") for probe in probes}
        return {name: Reading(name, values[kind], "", now, "connect", "look") for name, kind in kinds.items()}

    monkeypatch.setattr(capture_checks, "look_once", look_once)
    assert capture_checks.ConnectorRunning().baseline(context).verdict.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("state", "outcome"), [("inactive", Outcome.PASSED), ("pending", Outcome.UNKNOWN), ("firing", Outcome.FAILED)]
)
def test_an_alert_that_is_about_to_fire_before_the_fault_would_be_taken_for_the_faults(
    context: CheckContext, answering: Any, tmp_path: Path, state: str, outcome: Outcome
) -> None:
    rules = [
        {"type": "alerting", "name": name, "state": known, "health": "ok"}
        for name, known in (("TooLate", state), ("Another", "pending"))
    ]
    data = {"groups": [{"rules": rules}], "resultType": "vector", "result": []}
    address = answering(lambda *_: (200, {"status": "success", "data": data}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": address}}))
    found = alerts_checks.AlertCleared().baseline(replace(context, stack=stack)).verdict
    assert (found.outcome, "Another" in found.summary) == (outcome, False), found.summary


def test_an_alert_check_without_an_alert_says_nothing(context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_checks, "firing", firing(False))
    assert alerts_checks.AlertCleared().verify(replace(context, alerts=()), NOTHING).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("health", ["err", "unknown"])
def test_a_rule_that_prometheus_cannot_evaluate_is_not_an_alert_that_is_cleared(
    context: CheckContext, answering: Any, tmp_path: Path, health: str
) -> None:
    rule = {"type": "alerting", "name": "TooLate", "state": "inactive", "health": health, "lastError": "many-to-many"}
    data = {"groups": [{"rules": [rule]}], "resultType": "vector", "result": []}
    address = answering(lambda *_: (200, {"status": "success", "data": data}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": address}}))
    verdict = alerts_checks.AlertCleared().verify(replace(context, stack=stack), NOTHING)
    assert (verdict.outcome, "TooLate" in verdict.summary) == (Outcome.UNKNOWN, True), verdict.summary


def test_a_restart_outside_the_scenario_is_a_disturbance() -> None:
    before: dict[str, Value] = {"process:kafka": "pid 1, 0 restarts", "acknowledged": 10, "refused": 0, "unclear": 0}
    counted: dict[str, Value] = {"acknowledged": 110, "refused": 0, "unclear": 0}
    same = others.judge({"process:kafka": "pid 1, 0 restarts"}, counted, before, 0.01)
    assert same.outcome is Outcome.PASSED
    other = others.judge({"process:kafka": "pid 2, 1 restarts"}, counted, before, 0.01)
    assert other.outcome is Outcome.FAILED
    assert "kafka" in other.summary


def test_shoppers_who_were_turned_away_are_a_disturbance() -> None:
    before: dict[str, Value] = {"acknowledged": 0, "refused": 0, "unclear": 0}
    few: dict[str, Value] = {"acknowledged": 990, "refused": 5, "unclear": 5}
    many: dict[str, Value] = {"acknowledged": 900, "refused": 60, "unclear": 40}
    assert others.judge({}, few, before, 0.01).outcome is Outcome.PASSED
    assert others.judge({}, many, before, 0.01).outcome is Outcome.FAILED


@pytest.mark.parametrize(("served", "bad", "outcome"), [(49, 1, "passed"), (48, 2, "failed"), (0, 1, "failed")])
def test_one_call_of_few_may_be_refused(served: int, bad: int, outcome: str) -> None:
    before: dict[str, Value] = {"acknowledged": 0, "refused": 0, "unclear": 0}
    counted: dict[str, Value] = {"acknowledged": served, "refused": bad, "unclear": 0}
    assert others.judge({}, counted, before, 0.01).outcome == outcome


def test_a_service_that_nobody_called_was_not_seen_to_serve() -> None:
    before: dict[str, Value] = {"process:kafka": "pid 1", "acknowledged": 7, "refused": 0, "unclear": 0}
    assert others.judge(dict(before), dict(before), before, 0.01).outcome is Outcome.UNKNOWN


def test_without_a_supervisor_nobody_knows_what_was_disturbed(context: CheckContext) -> None:
    with pytest.raises(CouldNotLook):
        others.NothingElseDisturbed().baseline(context)


def test_only_those_that_end_the_repaired_part_and_the_synthetic_probe_act() -> None:
    assert [check.id for check in all_checks(OURS).values() if check.acts] == [
        "probe_sent",
        "stays_well",
        "survives_restart",
    ]


def test_rows_are_judged_by_those_that_are_made_last() -> None:
    assert [check.id for check in all_checks(OURS).values() if check.judges_rows] == [
        "no_order_lost",
        "promised_hashes_kept",
        "whole_transactions",
    ]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        ({"lamp": True, "door": True}, Outcome.PASSED, "all evidence is healthy"),
        ({"lamp": False, "door": None}, Outcome.FAILED, "lamp is 7"),
        ({"lamp": True, "door": None}, Outcome.UNKNOWN, "door has no answer (silent)"),
        ({}, Outcome.UNKNOWN, "no evidence"),
    ],
)
def test_evidence_without_an_answer_is_unknown_and_never_failed(
    seen: dict[str, bool | None], outcome: Outcome, words: str
) -> None:
    now = datetime.now(UTC)
    read = {
        name: (
            Reading(name, None if fine is None else 7, "", now, "x", "look", "silent" if fine is None else None),
            fine,
        )
        for name, fine in seen.items()
    }
    verdict = restarts.judge(read, "after a restart")
    assert (verdict.outcome, words in verdict.summary) == (outcome, True), verdict.summary


def test_a_restarted_part_has_its_time_although_other_checks_took_all_of_the_phase(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Outcome] = [Outcome.FAILED, Outcome.PASSED]
    monkeypatch.setattr(restarts, "_restart", lambda *_: "lamp")
    monkeypatch.setattr(restarts, "look", lambda _: {})
    monkeypatch.setattr(restarts, "judge", lambda _, when: Verdict("claim", looks.pop(0), when))
    late = replace(context, deadline=Deadline(0))
    arguments = restarts.SurvivesRestart(component="lamp")
    assert arguments.verify(late, Baseline(Verdict("claim", Outcome.PASSED, ""))).summary == (
        "after lamp was restarted"
    )
    assert looks == []


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (["RUNNING"], Outcome.UNKNOWN),
        (["RUNNING", "RESTARTING", "RUNNING"], Outcome.PASSED),
        (["RUNNING", "UNASSIGNED", "RUNNING", "FAILED"], Outcome.FAILED),
    ],
)
def test_a_connector_whose_old_task_still_runs_did_not_survive_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: list[str], outcome: Outcome
) -> None:
    """Connect answers a restart before it begins, and the old task's RUNNING passed for the new one's."""

    def send(_: Stack, method: str, path: str, **__: Any) -> Any:
        state = states.pop(0) if method == "GET" and len(states) > 1 else states[0]
        return {"connector": {"state": "RUNNING"}, "tasks": [{"state": state}]}

    monkeypatch.setattr(commands, "send", send)
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(commands, "CALM_SECONDS", 0.01)
    monkeypatch.setattr(restarts, "look", lambda _: {})
    monkeypatch.setattr(restarts, "judge", lambda _, when: Verdict("claim", Outcome.PASSED, when))
    external = CheckContext(Stack(Settings(state_dir=tmp_path, mode="external")), Deadline(5))
    arguments = restarts.SurvivesRestart(component="connect", connector="orders", seconds=0.3)
    assert arguments.verify(external, NOTHING).outcome is outcome


def test_evidence_without_a_healthy_range_has_to_answer_all_the_same() -> None:
    probe = Probe("position", "x", "look", "", lambda stack, timeout: 1)
    assert restarts.fine(probe, probe.reading(1)) is True
    assert restarts.fine(probe, probe.reading(None, "silent")) is None
