"""A repaired part that was killed: back and quiet, alerted again, and a Prometheus that tells nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeproof.checks import stays_well
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.stays_well import CLAIM, StaysWell, verify
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import bind
from lakeproof.drills.plan import make_plan
from lakeproof.errors import CouldNotLook, DeadlineExpired
from lakeproof.probes.reading import Reading
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

BEFORE = Baseline(Verdict(CLAIM, Outcome.PASSED, ""))
ARGUMENTS = StaysWell(component="connect", seconds=0.2)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CheckContext:
    """The part is back after three seconds, its evidence is healthy, and looks follow each other quickly."""
    seen = Reading("connector-state", "RUNNING", "", datetime.now(UTC), "connect", "GET")
    monkeypatch.setattr(stays_well, "_kill", lambda client, component: 3.0)
    monkeypatch.setattr(stays_well, "look", lambda context: {seen.probe: (seen, True)})
    monkeypatch.setattr(stays_well, "LOOK_SECONDS", 0.01)
    return CheckContext(Stack(Settings(state_dir=tmp_path)), Deadline(5))


def alerts(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, ...] | None) -> None:
    """What Prometheus answers, one after another, the last one for ever; None: no answer."""
    each: Iterator[tuple[str, ...] | None] = iter(answers)
    last: tuple[str, ...] | None = ()

    def all_firing(stack: Stack) -> tuple[str, ...]:
        nonlocal last
        last = next(each, last)
        if last is None:
            raise CouldNotLook("no answer", where="prometheus")
        return last

    monkeypatch.setattr(stays_well, "all_firing", all_firing)


def test_what_comes_back_and_is_alerted_only_while_it_is_down_stays_well(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts(monkeypatch, ("KafkaConnectTaskFailed",), ("KafkaConnectTaskFailed",), ())
    verdict = verify(context, ARGUMENTS, BEFORE)
    assert (verdict.outcome, verdict.summary) == (
        Outcome.PASSED,
        "connect was back 3 s after kill -9; no alert for 0.2 s",
    )


def test_any_alert_after_it_is_back_and_quiet_fails(context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts(monkeypatch, (), (), ("LakePublishStale",))
    verdict = verify(context, ARGUMENTS, BEFORE)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.summary.startswith("LakePublishStale fires 0 s after connect was back")


def test_what_does_not_come_back_fails_and_says_what_was_seen(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(client: object, component: str) -> float:
        raise DeadlineExpired("waited 120 s for connect to come back", last_seen="backing off")

    monkeypatch.setattr(stays_well, "_kill", gone)
    verdict = verify(context, ARGUMENTS, BEFORE)
    assert (verdict.outcome, "backing off" in verdict.summary) == (Outcome.FAILED, True)


def test_a_prometheus_that_falls_silent_proves_nothing(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts(monkeypatch, (), None)
    verdict = verify(context, ARGUMENTS, BEFORE)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.summary.startswith("Prometheus answered 0 of ")


def test_before_the_fault_no_alert_of_any_kind_fires(context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts(monkeypatch, ("TrinoNotAnswering",))
    assert stays_well.baseline(context, ARGUMENTS).verdict.outcome is Outcome.FAILED


def test_a_drill_that_is_asked_to_kills_each_repaired_part_last() -> None:
    catalog = load_catalog(())
    plan = make_plan([catalog.scenario("connector-failure"), catalog.scenario("flink-restarts")])
    assert "stays_well" not in [each.name for each in bind(plan, catalog)]
    *_, second, first, last = bind(plan, catalog, 120)
    assert second.check.id == "survives_restart"
    assert [first.arguments, last.arguments] == [
        StaysWell(component="connect", seconds=120),
        StaysWell(component="flink-taskmanager", seconds=120),
    ]
