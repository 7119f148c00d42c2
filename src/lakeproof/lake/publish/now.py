"""Publish what is committed now, without waiting for the job's next checkpoint."""

import time
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError, TransientError
from lakeproof.lake.job.flink_rest import FlinkRest, rest_of
from lakeproof.lake.job.submission import find_job
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

# A checkpoint holds what is committed now once the heartbeat after it has passed through Kafka, which takes moments.
ASK_EVERY_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.2
PROGRESS_EVERY_SECONDS = 2.0


class NotPublished(TransientError):
    """No published state covers the moment in time."""


def publish_now(
    stack: Stack, source: Source, seconds: float, progress: Callable[[str], None] = lambda line: None
) -> PublishedCommit:
    """The first published state that holds every transaction of that database that is committed before this call.

    Raises: NotPublished after `seconds`, with what was seen last; FlinkUnreachable where the JobManager is silent.
    """
    instant_us, deadline, flink = time.time_ns() // 1000, Deadline(seconds), rest_of(stack)
    asked, told, refused = Deadline(0), Deadline(PROGRESS_EVERY_SECONDS), ""
    while True:
        if asked.expired:
            refused, asked = _ask(flink, source), Deadline(ASK_EVERY_SECONDS)
        newest = _newest(stack)
        beat_us = newest.beat_of(source.name) if newest is not None else None
        if newest is not None and beat_us is not None and beat_us >= instant_us:
            return newest
        behind = "nothing is published" if beat_us is None else f"it lacks {(instant_us - beat_us) / 1e6:.1f} s"
        if deadline.expired:
            raise NotPublished(
                f"after {seconds:.0f} s no published state holds what is committed; the newest: {behind}"
                + (f"; {refused}" if refused else ""),
                where="publisher",
                next_action="lakeproof diagnose",
            )
        if told.expired:
            progress(f"waiting for a published state; the newest: {behind}")
            told = Deadline(PROGRESS_EVERY_SECONDS)
        deadline.pause(LOOK_EVERY_SECONDS)


def _ask(flink: FlinkRest, source: Source) -> str:
    """Ask for a checkpoint; why none was begun, or "". One that runs already serves as well."""
    job = find_job(flink, source)
    if job is None:
        return f"{source.job} does not run"
    try:
        flink.checkpoint(job.id)
    except LakeproofError as error:
        return f"no checkpoint: {error.what}"
    return ""


def _newest(stack: Stack) -> PublishedCommit | None:
    try:
        return history.newest(stack)
    except history.NothingPublished:
        return None
