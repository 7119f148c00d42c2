"""Checks of the scenario flink-restarts."""

import time
from collections.abc import Mapping

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.job.passing_over import is_behind
from lakeproof.lake.of_database import OfDatabase
from lakeproof.probes.flink import RUNNING, JobHistory, job_history
from lakeproof.probes.reading import Value

LOOK_SECONDS = 5.0

PAUSE_SECONDS = 1.0

JOB, CHECKPOINT = "job", "checkpoint"


class JobSteady(OfDatabase, Check):
    """The job has run for a minute without a restart, from the state that it had.

    The job has been running for a minute without a restart, and goes on from the state that it had before.

    Flink shows a job that restarts every ten seconds as RUNNING most of the time, so the job's own history is asked.
    A job that was submitted anew without a checkpoint would run as well, having forgotten what it had read. It shows
    by another id without a restore, and by its checkpoints, which count from 1 again. (Once it has restarted from a
    checkpoint of its own, only the count shows it, until that reaches the number of before. Rows that it reads twice
    or not at all are found by the checks of the data.)

    `seconds`: how long the job must have run since it was submitted, restored, or failed last.
    """

    seconds: float = Field(60.0, gt=0)

    def baseline(self, context: CheckContext) -> Baseline:
        """The job runs and has completed a checkpoint. The job's id and the checkpoint's number are kept."""
        now = job_history(context.stack, LOOK_SECONDS, self.source)
        if now is None or now.state != RUNNING or not now.checkpoint:
            seen = "no such job" if now is None else f"it is {now.state}, newest checkpoint {now.checkpoint}"
            return Baseline(Verdict(self.summary, Outcome.UNKNOWN, f"not running from a checkpoint yet: {seen}"))
        verdict = Verdict(self.summary, Outcome.PASSED, f"job {now.id} runs, newest checkpoint {now.checkpoint}")
        return Baseline(verdict, {JOB: now.id, CHECKPOINT: now.checkpoint})

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """Wait until the job has run long enough. A restart meanwhile ends the wait: the job is not over its
        failures.
        """
        began = time.time()
        while True:
            now = job_history(context.stack, LOOK_SECONDS, self.source)
            verdict = judge(now, before.values, time.time(), self.seconds)
            if is_behind(context.stack, self.source):
                return Verdict(self.summary, Outcome.FAILED, "it passed over records that a repair has not brought")
            failed_meanwhile = now is not None and now.failed_ms > began * 1000
            if verdict.outcome is Outcome.PASSED or failed_meanwhile or context.deadline.expired:
                return verdict
            context.deadline.pause(PAUSE_SECONDS)


def judge(now: JobHistory | None, before: Mapping[str, Value], at: float, seconds: float) -> Verdict:
    """before: JOB and CHECKPOINT of the baseline. at: the moment of the look, in seconds since 1970."""
    if now is None:
        return Verdict(JobSteady.summary, Outcome.FAILED, "Flink knows no such job")
    steady = at - max(now.began_ms, now.restored_ms, now.failed_ms) / 1000
    numbers = {"steady_seconds": round(steady, 1)}
    wrong = []
    if now.state != RUNNING:
        wrong.append(f"it is {now.state}")
    if now.id != before[JOB] and not now.restored_ms:
        wrong.append(f"job {now.id} was submitted without the state of {before[JOB]}")
    if now.checkpoint <= int(before[CHECKPOINT] or 0):
        wrong.append(f"its newest checkpoint is {now.checkpoint}, and was {before[CHECKPOINT]}")
    if steady < seconds:
        newest = f"; its newest failure: {now.exception}" if now.failed_ms else ""
        wrong.append(f"it has run for {steady:.0f} s, not {seconds:g}{newest}")
    elif now.completed_ms <= max(now.restored_ms, now.failed_ms):
        wrong.append("it has completed no checkpoint since it was restored, or failed last")
    if wrong:
        return Verdict(JobSteady.summary, Outcome.FAILED, "; ".join(wrong), numbers)
    from_state = " from the state that it was given" if now.id != before[JOB] else ""
    return Verdict(
        JobSteady.summary, Outcome.PASSED, f"running for {steady:.0f} s{from_state}, no restart since", numbers
    )
