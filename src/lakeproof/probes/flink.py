"""Questions to Flink's JobManager about the lake's job: its state, its restarts, the age of its last checkpoint.

Flink 1.20: the adaptive scheduler shows CREATED while it waits for a TaskManager, and RUNNING between two restarts.
"""

import time
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.lake.job.spec import JOB_NAME
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


def _ask(stack: Stack, path: str, timeout: float) -> Any:
    url = f"{stack.url(JOBMANAGER)}{path}"
    found = get_json(url, timeout)
    if found is None:
        raise CouldNotLook("there is no such job any more", where=url)
    return found


def _job(stack: Stack, timeout: float) -> Any:
    """The newest job of the lake as /jobs/overview tells it; None where there is none."""
    jobs = [job for job in _ask(stack, "/jobs/overview", timeout)["jobs"] if job["name"] == JOB_NAME]
    return max(jobs, key=lambda job: int(job["start-time"]), default=None)


def job_state(stack: Stack, timeout: float) -> Value:
    """running, restarting or ended; None where the JobManager knows no such job."""
    job = _job(stack, timeout)
    return None if job is None else STATES.get(str(job["state"]), ENDED)


def job_restarts(stack: Stack, timeout: float) -> Value:
    """How often it was restarted since it was submitted; None where there is no job."""
    job = _job(stack, timeout)
    if job is None:
        return None
    found = _ask(stack, f"/jobs/{job['jid']}/metrics?get=numRestarts", timeout)
    return int(float(found[0]["value"])) if found else None


def checkpoint_age(stack: Stack, timeout: float) -> Value:
    """Seconds since its last complete checkpoint beyond the wanted pause between two; None where there is no job.

    Before the first one, since the job was started or restored: a restart forgets the checkpoints before it.
    """
    job = _job(stack, timeout)
    if job is None:
        return None
    told = _ask(stack, f"/jobs/{job['jid']}/checkpoints", timeout)
    latest = told.get("latest") or {}
    completed = (latest.get("completed") or {}).get("latest_ack_timestamp") or 0
    restored = (latest.get("restored") or {}).get("restore_timestamp") or 0
    at_ms = max(int(completed), int(restored), int(job["start-time"]))
    return round(max(0.0, time.time() - at_ms / 1000 - stack.settings.lake.checkpoint_seconds), 3)


def checkpoints_failed(stack: Stack, timeout: float) -> Value:
    """How many of its checkpoints failed; None where there is no job."""
    job = _job(stack, timeout)
    return None if job is None else int(_ask(stack, f"/jobs/{job['jid']}/checkpoints", timeout)["counts"]["failed"])


ABOUT = ("flink-taskmanager",)

PROBES = (
    Probe(
        "job-state",
        JOBMANAGER,
        f"GET /jobs/overview: state of {JOB_NAME}",
        "",
        job_state,
        Condition(Operator.IS, RUNNING),
        always=True,
        about=ABOUT,
    ),
    Probe("job-restarts", JOBMANAGER, "GET /jobs/ID/metrics?get=numRestarts", "restarts", job_restarts, about=ABOUT),
    Probe(
        "checkpoint-age",
        JOBMANAGER,
        "GET /jobs/ID/checkpoints: since the last complete one, beyond the wanted pause",
        "s",
        checkpoint_age,
        Condition(Operator.BELOW, OVERDUE_SECONDS),
        always=True,
        about=ABOUT,
    ),
    Probe(
        "checkpoints-failed",
        JOBMANAGER,
        "GET /jobs/ID/checkpoints: .counts.failed",
        "checkpoints",
        checkpoints_failed,
        about=ABOUT,
    ),
)
