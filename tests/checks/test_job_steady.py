"""A job that is over its failures, one that restarts again and again, and one that forgot what it had read."""

from dataclasses import replace

import pytest

from lakeproof.checks.job_steady import judge
from lakeproof.checks.verdict import Outcome
from lakeproof.probes.flink import RESTARTING, RUNNING, JobHistory

NOW = 10_000.0
# Submitted at the beginning, never failed, a checkpoint a second ago.
HEALTHY = JobHistory("a", RUNNING, 1_000_000, 0, "none", 0, 9_999_000)
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
    verdict = judge(job, "a", NOW, seconds=60)
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
        (
            replace(HEALTHY, failed_ms=9_930_000, completed_ms=9_920_000),
            "it has completed no checkpoint since it was restored, or failed last",
        ),
    ],
)
def test_a_job_that_may_restart_again_or_began_anew_is_not(job: JobHistory | None, says: str) -> None:
    verdict = judge(job, "a", NOW, seconds=60)
    assert (verdict.outcome, verdict.summary) == (Outcome.FAILED, says)


def test_before_the_fault_it_need_only_run() -> None:
    young = replace(HEALTHY, began_ms=9_999_500, completed_ms=0)
    assert judge(young, "a", NOW, seconds=0).outcome is Outcome.PASSED
    assert judge(replace(young, state=RESTARTING), "a", NOW, seconds=0).outcome is Outcome.FAILED
