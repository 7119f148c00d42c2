"""The job has been running for a minute without a restart, and goes on from the state that it had before.

Flink shows a job that restarts every ten seconds as RUNNING most of the time, so its own history is asked. A job that
was submitted anew without a checkpoint would run as well, and have forgotten what it had read.
"""

import time

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.of_database import OfDatabase
from lakeproof.probes.flink import RUNNING, JobHistory, job_history

CLAIM = "the job has run for a minute without a restart, from the state that it had"
LOOK_SECONDS = 5.0
PAUSE_SECONDS = 1.0
JOB = "job"


class JobSteady(OfDatabase):
    """`seconds`: it has been running for so long, since it was submitted, restored, or failed last."""

    seconds: float = Field(60.0, gt=0)


def baseline(context: CheckContext, arguments: JobSteady) -> Baseline:
    """The job runs; which job it is."""
    now = job_history(context.stack, LOOK_SECONDS, arguments.source)
    verdict = judge(now, now.id if now else "", time.time(), seconds=0)
    return Baseline(verdict, {JOB: now.id} if now else {})


def verify(context: CheckContext, arguments: JobSteady, before: Baseline) -> Verdict:
    """Waits for the time that is wanting. A restart meanwhile ends the wait: the job is not over its failures."""
    job, began = str(before.values[JOB]), time.time()
    while True:
        now = job_history(context.stack, LOOK_SECONDS, arguments.source)
        verdict = judge(now, job, time.time(), arguments.seconds)
        failed_meanwhile = now is not None and now.failed_ms > began * 1000
        if verdict.outcome is Outcome.PASSED or failed_meanwhile or context.deadline.expired:
            return verdict
        context.deadline.pause(PAUSE_SECONDS)


def judge(now: JobHistory | None, job_before: str, at: float, seconds: float) -> Verdict:
    """at: the moment of the look, in epoch seconds."""
    if now is None:
        return Verdict(CLAIM, Outcome.FAILED, "Flink knows no such job")
    steady = at - max(now.began_ms, now.restored_ms, now.failed_ms) / 1000
    numbers = {"steady_seconds": round(steady, 1)}
    wrong = []
    if now.state != RUNNING:
        wrong.append(f"it is {now.state}")
    if now.id != job_before and not now.restored_ms:
        wrong.append(f"job {now.id} was submitted without the state of {job_before}")
    if steady < seconds:
        newest = f"; its newest failure: {now.exception}" if now.failed_ms else ""
        wrong.append(f"it has run for {steady:.0f} s, not {seconds:g}{newest}")
    elif seconds and now.completed_ms <= max(now.restored_ms, now.failed_ms):
        wrong.append("it has completed no checkpoint since it was restored, or failed last")
    if wrong:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(wrong), numbers)
    from_state = " from the state that it was given" if now.id != job_before else ""
    return Verdict(CLAIM, Outcome.PASSED, f"running for {steady:.0f} s{from_state}, no restart since", numbers)


CHECK = Check("job_steady", CLAIM, baseline, verify, JobSteady)
