"""A job that is over its failures, one that restarts again and again, and one that forgot what it had read."""

import time
from dataclasses import replace

import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.lake.job.passing_over import begin_passing_over
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.flink import RESTARTING, RUNNING, JobHistory
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import checks
from lakeproof_shop.scenarios.flink_restarts.checks import CHECKPOINT, JOB, judge

NOW = 10_000.0
BEFORE: dict[str, Value] = {JOB: "a", CHECKPOINT: 60}
# Submitted at the beginning, never failed, a checkpoint a second ago.
HEALTHY = JobHistory("a", RUNNING, 1_000_000, 0, "none", 0, 9_999_000, 70)
# Submitted anew 90 s ago, from a savepoint.
ANEW = replace(HEALTHY, id="b", began_ms=9_910_000, restored_ms=9_911_000)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (HEALTHY, "running for 9000 s, no restart since"),
        (ANEW, "running for 89 s from the state that it was given, no restart since"),
        (replace(HEALTHY, failed_ms=9_930_000), "running for 70 s, no restart since"),
    ],
)
def test_a_job_that_has_run_for_a_minute_from_its_state_is_steady(job: JobHistory, says: str) -> None:
    verdict = judge(job, BEFORE, NOW, seconds=60)
    assert (verdict.outcome, verdict.summary) == (Outcome.PASSED, says)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (None, "Flink knows no such job"),
        (replace(HEALTHY, state=RESTARTING), "it is restarting"),
        (
            replace(HEALTHY, failed_ms=9_950_000, exception="IOException: no"),
            "it has run for 50 s, not 60; its newest failure: IOException: no",
        ),
        (replace(ANEW, began_ms=9_960_000, restored_ms=9_961_000), "it has run for 39 s, not 60"),
        (replace(ANEW, restored_ms=0), "job b was submitted without the state of a"),
        (replace(ANEW, checkpoint=31), "its newest checkpoint is 31, and was 60"),
        (replace(HEALTHY, checkpoint=31), "its newest checkpoint is 31, and was 60"),
        (
            replace(HEALTHY, failed_ms=9_930_000, completed_ms=9_920_000),
            "it has completed no checkpoint since it was restored, or failed last",
        ),
    ],
)
def test_a_job_that_may_restart_again_or_began_anew_is_not(job: JobHistory | None, says: str) -> None:
    verdict = judge(job, BEFORE, NOW, seconds=60)
    assert (verdict.outcome, verdict.summary) == (Outcome.FAILED, says)


def asked(monkeypatch: pytest.MonkeyPatch, *looks: JobHistory | None) -> None:
    """What Flink tells, one look after another, the last one for ever."""
    left = list(looks)
    monkeypatch.setattr(checks, "job_history", lambda *_: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(checks, "PAUSE_SECONDS", 0.01)


def test_it_waits_for_the_time_that_is_wanting(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    began = round(time.time() * 1000)
    running = replace(HEALTHY, began_ms=began, completed_ms=began + 100)
    asked(monkeypatch, None, replace(running, state=RESTARTING), running)
    context = CheckContext(stack, Deadline(10))
    before = Baseline(Verdict("", Outcome.PASSED, ""), BEFORE)
    assert checks.JobSteady(seconds=0.5).verify(context, before).outcome is Outcome.PASSED
    assert context.deadline.elapsed >= 0.4


def test_a_restart_meanwhile_ends_the_wait(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    failed = replace(HEALTHY, failed_ms=round(time.time() * 1000) + 60_000, exception="IOException: no")
    asked(monkeypatch, replace(HEALTHY, state=RESTARTING), failed)
    context = CheckContext(stack, Deadline(60))
    verdict = checks.JobSteady().verify(context, Baseline(Verdict("", Outcome.PASSED, ""), BEFORE))
    assert (verdict.outcome, "IOException: no" in verdict.summary) == (Outcome.FAILED, True)
    assert context.deadline.elapsed < 30


@pytest.mark.parametrize(
    ("job", "outcome"),
    [
        (HEALTHY, Outcome.PASSED),
        (replace(HEALTHY, checkpoint=0), Outcome.UNKNOWN),
        (replace(HEALTHY, state=RESTARTING), Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_before_the_fault_it_must_run_and_have_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, job: JobHistory | None, outcome: Outcome
) -> None:
    asked(monkeypatch, job)
    context = CheckContext(stack, Deadline(10))
    assert checks.JobSteady().baseline(context).verdict.outcome is outcome


def test_a_job_that_passed_over_what_nobody_has_brought_is_not(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "job_history", lambda *_: replace(HEALTHY, completed_ms=int(time.time() * 1000)))
    context = CheckContext(stack=stack, deadline=Deadline(5))
    before = Baseline(Verdict("", Outcome.PASSED, ""), BEFORE)
    assert checks.JobSteady().verify(context, before).outcome is Outcome.PASSED
    begin_passing_over(stack, OLTP)
    verdict = checks.JobSteady().verify(context, before)
    assert (verdict.outcome, "not brought" in verdict.summary) == (Outcome.FAILED, True)
