"""Submits the lake's job from its newest state, stops it with a savepoint, takes over changed SQL."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TransientError
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRefused, FlinkRest, FlinkUnreachable, Job, rest_of
from lakeproof.lake.job.spec import JOB_NAME, encode, make_spec
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.states import (
    CHECKPOINTS_PREFIX,
    CHECKPOINTS_URI,
    SAVEPOINTS_URI,
    complete_states,
    remove_old_states,
)
from lakeproof.lake.object_store import s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

MAIN_CLASS = "dev.lakeproof.lake.LakeJob"
BEGIN_SECONDS = 10.0


class ObjectStoreUnreachable(TransientError):
    """The job's states could not be listed, so it must not be submitted: it might start from nothing."""


def ensure_submitted(stack: Stack) -> str:
    """Have one job of that name there; gives its id. Submits it from its newest complete state where it is not.

    "There" means accepted: it may still wait for a TaskManager. Safe to repeat.
    Raises: FlinkUnreachable, FlinkRefused with the root cause, ObjectStoreUnreachable, InvalidInput (a wrong file).
    """
    flink = rest_of(stack)
    alive = find_job(flink)
    return alive.id if alive is not None else _submit(stack, flink, allow_non_restored=False)


def find_job(flink: FlinkRest) -> Job | None:
    """The lake's job, where it is there and not about to end; one that is ending is waited for."""

    def look() -> list[Job] | None:
        mine = [job for job in flink.jobs() if job.name == JOB_NAME]
        return None if any(job.state in ENDING for job in mine) else mine

    mine = Deadline(60.0).wait_for(f"the old {JOB_NAME} to end", look)
    return next((job for job in mine if job.state in ALIVE), None)


def stop_with_savepoint(stack: Stack, seconds: float) -> str | None:
    """Stop the job with a savepoint within `seconds`; gives where it lies, None where there was no job.

    Raises: FlinkUnreachable, FlinkRefused, DeadlineExpired; the job's checkpoints are kept in any case.
    """
    flink = rest_of(stack)
    deadline = Deadline(seconds)
    job = next((job for job in flink.jobs() if job.name == JOB_NAME and job.state in ALIVE), None)
    if job is None:
        return None
    request = flink.stop_with_savepoint(job.id, SAVEPOINTS_URI)
    location = deadline.wait_for(f"the savepoint of {JOB_NAME}", lambda: flink.savepoint(job.id, request))
    log.info("stopped %s with savepoint %s", JOB_NAME, location)
    return location


def redeploy(
    stack: Stack,
    *,
    allow_non_restored: bool = False,
    seconds: float = 60.0,
    sql_files: tuple[SqlFile, ...] | None = None,
) -> str:
    """Take over changed SQL: stop with savepoint, submit anew from it; gives the new job's id.

    Wrong SQL is refused before the job is stopped: Flink plans the new job first. Where the new job is refused later
    on, the next `ensure_submitted` starts from the same savepoint. `allow_non_restored`: needed when a table was
    taken away. `sql_files`: instead of those in lake/jobs.
    Raises: as `ensure_submitted` and `stop_with_savepoint`.
    """
    spec = make_spec(stack, sql_files)
    flink = rest_of(stack)
    alive = find_job(flink)
    if alive is not None:
        with _uploaded(flink) as jar_id:
            flink.plan(jar_id, _body(spec))
        try:
            stop_with_savepoint(stack, seconds)
        except (FlinkRefused, DeadlineExpired):
            # A job that cannot make a savepoint (restarting, S3 away) goes on from its newest checkpoint.
            flink.cancel(alive.id)
        find_job(flink)
    return _submit(stack, flink, allow_non_restored=allow_non_restored, spec=spec)


def _submit(stack: Stack, flink: FlinkRest, *, allow_non_restored: bool, spec: dict[str, Any] | None = None) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    spec = spec or make_spec(stack)
    s3 = s3_client(stack)
    try:
        states = complete_states(s3)
    except (BotoCoreError, ClientError) as error:
        raise ObjectStoreUnreachable(f"cannot list the job's states: {error}", where="minio") from error
    body = _body(spec) | {"allowNonRestoredState": allow_non_restored}
    if states:
        body["savepointPath"] = states[0].uri
        log.info("submitting %s from %s (checkpoint %d)", JOB_NAME, states[0].uri, states[0].checkpoint)
    job_id = _run(flink, body)
    _require_begun(flink, job_id)
    try:
        remove_old_states(s3, but=f"{CHECKPOINTS_PREFIX}{job_id}/")
    except (BotoCoreError, ClientError) as error:
        log.warning("old states of %s stay for now: %s", JOB_NAME, error)
    return job_id


def _require_begun(flink: FlinkRest, job_id: str) -> None:
    """Flink accepts a job before it restores its state, which may fail: wait for that where a TaskManager is there.

    A job that still waits for one after BEGIN_SECONDS is left waiting. Raises: FlinkRefused with the root cause.
    """

    def look() -> str | None:
        state = flink.state(job_id)
        return None if state in ("INITIALIZING", "CREATED") else state

    try:
        state = Deadline(BEGIN_SECONDS).wait_for(f"{JOB_NAME} to begin", look)
    except DeadlineExpired:
        return
    if state in ("FAILING", "FAILED"):
        raise FlinkRefused(
            flink.failure(job_id),
            where=JOB_NAME,
            next_action="where a table's SQL file was taken away: lakeproof lake redeploy --allow-non-restored",
        )


def _body(spec: dict[str, Any]) -> dict[str, Any]:
    config = spec["config"] | {"execution.checkpointing.dir": CHECKPOINTS_URI}
    return {"entryClass": MAIN_CLASS, "programArgsList": ["--spec", encode(spec | {"config": config})]}


def _run(flink: FlinkRest, body: dict[str, Any]) -> str:
    with _uploaded(flink) as jar_id:
        try:
            return flink.run(jar_id, body)
        except FlinkUnreachable:
            # The answer was lost, not necessarily the call: a second submission would be a second writer.
            alive = find_job(flink)
            if alive is None:
                raise
            return alive.id


@contextmanager
def _uploaded(flink: FlinkRest) -> Iterator[str]:
    from lakeproof.install import artifacts

    jar_id = flink.upload(artifacts.path("lake-job") / "lake-job.jar")
    try:
        yield jar_id
    finally:
        try:
            flink.delete_jar(jar_id)
        except (FlinkUnreachable, FlinkRefused) as error:
            log.warning("uploaded jar %s stays: %s", jar_id, error)
