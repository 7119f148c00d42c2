"""Questions to Flink's JobManager about the lake's jobs, one for each database: state, failures, checkpoints.

Flink 1.20: the adaptive scheduler shows CREATED while it waits for a TaskManager, and RUNNING between two restarts.
So the state at one moment does not tell that a job restarts again and again. The times in the job's exception history
do. A JobManager that was itself restarted begins with an empty history.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.lake.job.databases import OLTP, LakeDatabase
from lakeproof.lake.job.flink_rest import root_cause
from lakeproof.probes.captures import CAPTURES, Capture
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

JOBMANAGER = "flink-jobmanager"
RUNNING = "running"
RESTARTING = "restarting"
ENDED = "ended"
# Flink's word → ours. Whatever is not here has ended, or is about to.
STATES = {
    "RUNNING": RUNNING,
    "INITIALIZING": RESTARTING,
    "CREATED": RESTARTING,
    "RESTARTING": RESTARTING,
    "RECONCILING": RESTARTING,
    "FAILING": RESTARTING,
}
OVERDUE_SECONDS = 30
# How far back `job-failures` counts.
FAILURES_SECONDS = 60
# So many failures in that time are no single event: a killed TaskManager was seen to restart its job twice. A job
# that cannot run fails more often: Flink waits 10 s at most before it starts the job again (engines/flink_config.py).
MANY_FAILURES = 3
NO_EXCEPTION = "none"
LONGEST_EXCEPTION = 200


def _ask(stack: Stack, path: str, timeout: float) -> Any:
    url = f"{stack.url(JOBMANAGER)}{path}"
    found = get_json(url, timeout)
    if found is None:
        raise CouldNotLook("there is no such job any more", where=url)
    return found


def _job(stack: Stack, timeout: float, database: LakeDatabase) -> Any:
    """The newest job of that database as /jobs/overview tells it; None where there is none."""
    jobs = [job for job in _ask(stack, "/jobs/overview", timeout)["jobs"] if job["name"] == database.job_name]
    return max(jobs, key=lambda job: int(job["start-time"]), default=None)


def job_state(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """running, restarting or ended; None where the JobManager knows no such job."""
    job = _job(stack, timeout, database)
    return None if job is None else STATES.get(str(job["state"]), ENDED)


def job_restarts(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """How often it was restarted since it was submitted; None where there is no job."""
    job = _job(stack, timeout, database)
    if job is None:
        return None
    found = _ask(stack, f"/jobs/{job['jid']}/metrics?get=numRestarts", timeout)
    return int(float(found[0]["value"])) if found else None


def _failures(stack: Stack, timeout: float, database: LakeDatabase) -> list[Any] | None:
    """The job's exception history, one entry for each failure that restarted the job; None where there is no job."""
    job = _job(stack, timeout, database)
    if job is None:
        return None
    return list(_ask(stack, f"/jobs/{job['jid']}/exceptions", timeout)["exceptionHistory"]["entries"])


def job_failures(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """How often it failed in the last FAILURES_SECONDS, by the times in its history; None where there is no job.

    Flink keeps the last 16 failures, so this is 16 at most.
    """
    failures = _failures(stack, timeout, database)
    if failures is None:
        return None
    since_ms = (time.time() - FAILURES_SECONDS) * 1000
    return sum(int(failure["timestamp"]) >= since_ms for failure in failures)


def job_exception(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """The root exception of its newest failure, class and message; "none" where none is known; None: no job."""
    failures = _failures(stack, timeout, database)
    if not failures:
        return None if failures is None else NO_EXCEPTION
    newest = max(failures, key=lambda failure: int(failure["timestamp"]))
    return root_cause(str(newest["stacktrace"])).removeprefix("Caused by: ")[:LONGEST_EXCEPTION]


def checkpoint_age(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """Seconds since its last complete checkpoint beyond the wanted pause between two; None where there is no job.

    Before the first one, since the job was started or restored: a restart forgets the checkpoints before it.
    """
    job = _job(stack, timeout, database)
    if job is None:
        return None
    told = _ask(stack, f"/jobs/{job['jid']}/checkpoints", timeout)
    latest = told.get("latest") or {}
    completed = (latest.get("completed") or {}).get("latest_ack_timestamp") or 0
    restored = (latest.get("restored") or {}).get("restore_timestamp") or 0
    at_ms = max(int(completed), int(restored), int(job["start-time"]))
    return round(max(0.0, time.time() - at_ms / 1000 - database.checkpoint_seconds(stack)), 3)


def checkpoints_failed(stack: Stack, timeout: float, database: LakeDatabase = OLTP) -> Value:
    """How many of its checkpoints failed; None where there is no job."""
    job = _job(stack, timeout, database)
    return None if job is None else int(_ask(stack, f"/jobs/{job['jid']}/checkpoints", timeout)["counts"]["failed"])


def _probes(of: Capture) -> tuple[Probe, ...]:
    name = of.database.job_name

    def probe(
        kind: str,
        query: str,
        unit: str,
        ask: Callable[..., Value],
        healthy: Condition | None = None,
    ) -> Probe:
        return Probe(
            of.named(kind),
            JOBMANAGER,
            query,
            unit,
            partial(ask, database=of.database),
            healthy,
            always=healthy is not None,
            about=of.about("flink-taskmanager"),
            within=of.within,
        )

    return (
        probe("job-state", f"GET /jobs/overview: state of {name}", "", job_state, Condition(Operator.IS, RUNNING)),
        probe("job-restarts", f"GET /jobs/ID/metrics?get=numRestarts of {name}", "restarts", job_restarts),
        probe(
            "job-failures",
            f"GET /jobs/ID/exceptions of {name}: entries of the last {FAILURES_SECONDS} s by their timestamp",
            "failures",
            job_failures,
            Condition(Operator.BELOW, MANY_FAILURES),
        ),
        probe("job-exception", f"GET /jobs/ID/exceptions of {name}: the newest entry", "", job_exception),
        probe(
            "checkpoint-age",
            f"GET /jobs/ID/checkpoints of {name}: since the last complete one, beyond the wanted pause",
            "s",
            checkpoint_age,
            Condition(Operator.BELOW, OVERDUE_SECONDS),
        ),
        probe(
            "checkpoints-failed",
            f"GET /jobs/ID/checkpoints of {name}: .counts.failed",
            "checkpoints",
            checkpoints_failed,
        ),
    )


PROBES = tuple(probe for capture in CAPTURES for probe in _probes(capture))
