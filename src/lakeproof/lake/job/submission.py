"""Submits a database's lake job from its newest state, stops it with a savepoint, and takes over changed SQL."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, NotReady, TransientError
from lakeproof.install import artifacts
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.asking import nobody_asks
from lakeproof.lake.job.flink_rest import (
    ALIVE,
    BEGINNING,
    ENDING,
    AlreadySubmitted,
    FlinkRefused,
    FlinkRest,
    FlinkUnreachable,
    Job,
    rest_of,
)
from lakeproof.lake.job.spec import encode, make_spec
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.states import (
    checkpoints_prefix,
    complete_states,
    remove_old_states,
    savepoints_prefix,
    uri_of,
)
from lakeproof.lake.job.turn import submitting
from lakeproof.lake.job.writer import end_writer
from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

MAIN_CLASS = "dev.lakeproof.lake.LakeJob"
# How long a submitted job is waited for until it runs: while there is no TaskManager; while there is one (the waits
# for two jobs have to fit into one provision); in a redeploy.
ALONE_SECONDS = 10.0
BEGIN_SECONDS = 25.0
REDEPLOY_SECONDS = 60.0
RUNS = "RUNNING"
# From a job's acceptance until the JobManager lists it.
LISTED_SECONDS = 30.0

type Rewrite = Callable[[tuple[SqlFile, ...]], tuple[SqlFile, ...]]


class ObjectStoreUnreachable(TransientError):
    """The job's states could not be listed, so it must not be submitted: it might start from nothing."""


@dataclass(frozen=True)
class Submitted:
    """A job that Flink has accepted. state: RUNS, or else what is known of it, such as that it has no TaskManager."""

    id: str
    state: str

    def __str__(self) -> str:
        if self.state == RUNS:
            return f"runs as {self.id}"
        return f"is accepted as {self.id}, not running yet: {self.state}"

    def require_running(self, database: Source) -> None:
        """Raises: NotReady where it does not run yet."""
        if self.state != RUNS:
            raise NotReady(f"it {self}", where=database.job, next_action="lakeproof diagnose")


def ensure_submitted(stack: Stack, database: Source) -> Submitted:
    """Have one job of that database there: submit it from its newest complete state where there is none.

    "There" means accepted: it may still wait for a TaskManager, and the answer says so. Safe to repeat.
    Raises: FlinkUnreachable, FlinkRefused with the root cause, ObjectStoreUnreachable, InvalidInput (a wrong file),
    SubmissionHeld (somebody else submits), WriterStays.
    """
    flink = rest_of(stack)
    with submitting(stack):
        alive = find_job(flink, database)
        if alive is not None:
            return Submitted(alive.id, alive.state)
        return _submit(stack, flink, database, allow_non_restored=False)


def find_job(flink: FlinkRest, database: Source) -> Job | None:
    """The lake's job of that database; None where none is there. A job that is ending is waited for, not given."""

    def look() -> list[Job] | None:
        mine = [job for job in flink.jobs() if job.name == database.job]
        return None if any(job.state in ENDING for job in mine) else mine

    mine = Deadline(60.0).wait_for(f"the old {database.job} to end", look)
    return next((job for job in mine if job.state in ALIVE), None)


def stop_with_savepoint(stack: Stack, database: Source, seconds: float) -> str | None:
    """Stop the job with a savepoint within `seconds`, and return once it has ended; gives where the savepoint lies,
    None where there was no job.

    A job that has made its savepoint runs for a moment longer. Who submits the job then would find it there, and
    submit none.
    Raises: FlinkUnreachable, FlinkRefused, DeadlineExpired; the job's checkpoints are kept in any case.
    """
    with nobody_asks(stack, database):
        return _stop(rest_of(stack), database, seconds)


def _stop(flink: FlinkRest, database: Source, seconds: float) -> str | None:
    deadline = Deadline(seconds)
    name = database.job
    job = next((job for job in flink.jobs() if job.name == name and job.state in ALIVE), None)
    if job is None:
        return None
    request = flink.stop_with_savepoint(job.id, uri_of(savepoints_prefix(database)))
    location = deadline.wait_for(f"the savepoint of {name}", lambda: flink.savepoint(job.id, request))
    deadline.wait_for(f"{name} to end", lambda: None if flink.is_there(job.id) else True)
    log.info("stopped %s with savepoint %s", name, location)
    return location


def end_job(stack: Stack, database: Source, seconds: float) -> None:
    """Stop the job with a savepoint within `seconds`; return once it has ended. Nothing where there is none.

    A job that cannot make a savepoint (restarting, S3 away) is cancelled, and would go on from its newest checkpoint.
    Raises: FlinkUnreachable, FlinkRefused, DeadlineExpired.
    """
    flink = rest_of(stack)
    alive = find_job(flink, database)
    if alive is None:
        return
    # Also while it is cancelled: Flink may still be making the savepoint that nobody waits for any more.
    with nobody_asks(stack, database):
        try:
            _stop(flink, database, seconds)
        except (FlinkRefused, DeadlineExpired):
            flink.cancel(alive.id)
        find_job(flink, database)


@contextmanager
def no_job(stack: Stack, database: Source, seconds: float) -> Iterator[None]:
    """End the job (as `end_job`), and let nobody submit one during the block. Raises: SubmissionHeld too."""
    with submitting(stack):
        end_job(stack, database, seconds)
        yield


def redeploy(
    stack: Stack,
    database: Source,
    *,
    allow_non_restored: bool = False,
    rewrite: Rewrite | None = None,
) -> Submitted:
    """Take over changed SQL: stop with savepoint, submit anew from it; gives the new job, which may not run yet.

    Wrong SQL is refused before the job is stopped: Flink plans the new job first. Where the new job is refused later
    on, the next `ensure_submitted` starts from the same savepoint. `allow_non_restored`: needed when a table was
    taken away. `rewrite`: gives the SQL files of this job from those of the source.
    Raises: as `ensure_submitted` and `stop_with_savepoint`.
    """
    flink = rest_of(stack)
    with submitting(stack):
        # Made with the turn held: its holder before may have changed what a submission takes (passing_over.py,
        # added_columns.py).
        spec = make_spec(stack, database, None if rewrite is None else rewrite(job_files(stack, database)))
        alive = find_job(flink, database)
        if alive is not None:
            with _uploaded(flink) as jar_id:
                flink.plan(jar_id, body_of(spec, database))
            end_job(stack, database, REDEPLOY_SECONDS)
        return _submit(
            stack, flink, database, allow_non_restored=allow_non_restored, spec=spec, seconds=REDEPLOY_SECONDS
        )


def plan(stack: Stack, database: Source, sql_files: tuple[SqlFile, ...]) -> None:
    """Have Flink plan the job of these SQL files: their CREATE and ALTER statements take effect, and the job that
    runs stays as it is. Raises: FlinkUnreachable, FlinkRefused with the root cause, SubmissionHeld.
    """
    flink = rest_of(stack)
    with submitting(stack), _uploaded(flink) as jar_id:
        flink.plan(jar_id, body_of(make_spec(stack, database, sql_files), database))


def _submit(
    stack: Stack,
    flink: FlinkRest,
    database: Source,
    *,
    allow_non_restored: bool,
    spec: dict[str, Any] | None = None,
    seconds: float = BEGIN_SECONDS,
) -> Submitted:
    from botocore.exceptions import BotoCoreError, ClientError

    spec = spec or make_spec(stack, database)
    end_writer(stack, flink, database)
    s3 = s3_client(stack)
    try:
        states = complete_states(s3, database)
    except (BotoCoreError, ClientError) as error:
        raise ObjectStoreUnreachable(f"cannot list the job's states: {error}", where="minio") from error
    # Looked for after the states: a job that a killed sender's call began may have written the newest of them.
    begun = find_job(flink, database)
    if begun is not None:
        return Submitted(begun.id, begun.state)
    start = states[0].uri if states else ""
    body = body_of(spec, database) | {"allowNonRestoredState": allow_non_restored}
    if states:
        body["savepointPath"] = start
        log.info("submitting %s from %s (checkpoint %d)", database.job, states[0].uri, states[0].checkpoint)
    job_id = _run(flink, body, database)
    state = _begun(flink, job_id, database, seconds)
    try:
        remove_old_states(s3, database, but=f"{checkpoints_prefix(database)}{job_id}/")
    except (BotoCoreError, ClientError) as error:
        log.warning("old states of %s stay for now: %s", database.job, error)
    return Submitted(job_id, state)


def _begun(flink: FlinkRest, job_id: str, database: Source, seconds: float) -> str:
    """Wait until an accepted job has restored its state, which may fail. Gives RUNS, or else what is known of it.

    A job without a TaskManager is waited for no longer than ALONE_SECONDS. Raises: FlinkRefused with the root cause.
    """
    log.info("%s is accepted as %s; waiting until it runs", database.job, job_id)
    state, deadline = "", Deadline(seconds)

    def look() -> str | None:
        nonlocal state
        state = flink.state(job_id)
        if state not in BEGINNING:
            return state
        alone = deadline.elapsed >= ALONE_SECONDS and not flink.has_taskmanager()
        return "no TaskManager" if alone else None

    try:
        found = deadline.wait_for(f"{database.job} to begin", look, seen=lambda: f"still {state}")
    except DeadlineExpired as late:
        return late.last_seen
    if found in ("FAILING", "FAILED"):
        raise FlinkRefused(
            flink.failure(job_id),
            where=database.job,
            next_action="where a table's SQL file was taken away: "
            f"lakeproof lake redeploy --database {database.name} --allow-non-restored",
        )
    return found


def body_of(spec: dict[str, Any], database: Source) -> dict[str, Any]:
    """What is sent to Flink to run a job of that spec, without a state to begin from."""
    config = spec["config"] | {"execution.checkpointing.dir": uri_of(checkpoints_prefix(database))}
    return {"entryClass": MAIN_CLASS, "programArgsList": ["--spec", encode(spec | {"config": config})]}


def _job_id(database: Source, start: str, jobs: list[Job]) -> str:
    """The id of the job that goes on from `start` after all jobs that ended. Every sender gets the same id.

    A submission whose sender was killed may still be under way in the JobManager, and no list shows it. The
    JobManager refuses a second submission with the same id; with another id it would be a second writer.
    """
    there = ALIVE | ENDING
    ended = sorted(job.id for job in jobs if job.name == database.job and job.state not in there)
    return _digest(database.job, start, *ended)


def _digest(*parts: str) -> str:
    return hashlib.md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()


def _run(flink: FlinkRest, body: dict[str, Any], database: Source) -> str:
    start = body.get("savepointPath", "")
    refused: set[str] = set()
    with _uploaded(flink) as jar_id:
        while True:
            job_id = _job_id(database, start, flink.jobs())
            while job_id in refused:  # the list has forgotten that ended job; every sender takes the same next id
                job_id = _digest(job_id)
            try:
                return flink.run(jar_id, body | {"jobId": job_id})
            except FlinkUnreachable:
                # The answer was lost, not necessarily the call.
                alive = find_job(flink, database)
                if alive is None:
                    raise
                return alive.id
            except AlreadySubmitted:
                _await_listed(flink, job_id)
                alive = find_job(flink, database)
                if alive is not None:
                    return alive.id
                refused.add(job_id)


def _await_listed(flink: FlinkRest, job_id: str) -> None:
    """Wait until a job is listed that another call submitted a moment ago; one that ended long ago never is."""

    def look() -> bool | None:
        return True if any(job.id == job_id for job in flink.jobs()) else None

    with suppress(DeadlineExpired):
        Deadline(LISTED_SECONDS).wait_for(f"job {job_id}", look)


@contextmanager
def _uploaded(flink: FlinkRest) -> Iterator[str]:
    jar_id = flink.upload(artifacts.path("lake-job") / "lake-job.jar")
    try:
        yield jar_id
    finally:
        try:
            flink.delete_jar(jar_id)
        except (FlinkUnreachable, FlinkRefused) as error:
            log.warning("uploaded jar %s stays: %s", jar_id, error)
